"""An item that is pieced together is the item that is written anew."""

from dataclasses import replace
from itertools import islice

import pytest
from simulators.archive import archive

from kizuna.node.catalogue import Shown
from kizuna.node.tiles import is_drawable
from kizuna.release.decision import Decision, Grounds, Outcome
from kizuna.web.answers import text_of
from kizuna.web.stac_items import item_document, item_text, people_asset_path


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", 'https://a"b\\u2400c"links":[]\xff'])
def test_text_is_that_of_the_document(origin):
    products = list(islice(archive(40), 40))
    odd = replace(products[0], title='"links":[] \N{SYMBOL FOR NULL} \\"links\\":[]')
    bare = replace(products[1], assets=(), kind="phase-history")
    assert is_drawable(odd)
    assert not is_drawable(bare)
    permit = Decision(Outcome.PERMIT, Grounds(()))
    for shown in [*map(Shown, [*products, odd, bare]), Shown(odd, permit)]:
        asked = (shown, origin + "/stac", origin, people_asset_path)
        assert item_text(*asked) == text_of(item_document(*asked))
