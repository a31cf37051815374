"""What a node withholds changes no byte of what a partner gets, whatever it asks."""

from __future__ import annotations

from collections import Counter

from simulators.leaks import Leaks, answers, session
from starlette.routing import Match

from kizuna.web.exchange import partner_app
from kizuna.web.stac import partner_stac


def test_a_session_of_several_hundred_requests_has_the_same_bytes_whatever_is_withheld():
    with_it, without = Leaks(withheld=True), Leaks(withheld=False)
    assert len(with_it.hidden) == 13
    assert without.hidden == []
    asks = session(with_it, with_it.hidden)
    seen: Counter[int] = Counter()
    # In step: each node's state hangs on what was asked before.
    for (ask, one), (same, other) in zip(answers(with_it, asks), answers(without, session(without, with_it.hidden)), strict=True):
        assert (str(ask), one) == (str(same), other), ask
        seen[one[0]] += 1
    assert sum(seen.values()) > 800
    # It is a session of answers, not of refusals.
    assert seen[200] > 250
    assert min(seen[status] for status in (204, 206, 400, 404, 416)) > 0
    assert seen[500] == 0


def test_the_session_asks_every_route_of_the_partners_listener():
    leaks = Leaks(withheld=True)
    asked = [
        {"type": "http", "method": ask.method, "path": ask.target.partition("?")[0], "root_path": ""}
        for ask in session(leaks, leaks.hidden)
    ]
    stac = partner_stac(leaks.desk.peer_of, leaks.catalogue, "IQPS", leaks.tiles)
    routes = [*partner_app(leaks.desk).routes, *stac.routes]
    assert len(routes) > 30
    missing = [
        (sorted(route.methods - {"HEAD"}), route.path)
        for route in routes
        if not any(route.matches(scope)[0] is Match.FULL for scope in asked)
    ]
    assert missing == []
