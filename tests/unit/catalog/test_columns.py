"""Products as columns: what goes to whom, by which article."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulators.rules import (
    ARTICLE,
    DAWN,
    FRA,
    HUR,
    ISA,
    JPN,
    LABEL,
    NOW,
    SHARE,
    SUBJECT,
    ObligationKind,
    consent,
    obligation,
    register,
    suspension,
    term,
)

from kizuna.catalog.columns import granted, product_columns
from kizuna.model.instants import parse_instant
from kizuna.release.agreements import Relabelling
from kizuna.release.decide import Ancestor
from kizuna.release.view import view_of

NOBODY = replace(LABEL, releasable_to=())


def releasable(facts, subjects, partner=HUR, at=NOW, known_at=NOW):
    view = view_of(facts, known_at)
    return granted(product_columns(view, JPN, subjects), view, partner, at).releasable.tolist()


def test_each_product_goes_or_not_by_its_own_row():
    subjects = [SUBJECT, replace(SUBJECT, label=NOBODY), replace(SUBJECT, kind="detections"), SUBJECT]
    assert releasable(register(SHARE, ISA), subjects) == [True, False, False, True]


def test_no_products_are_no_rows():
    assert releasable(register(SHARE, ISA), []) == []


def test_nothing_goes_while_the_agreement_is_suspended_and_nothing_is_looked_at():
    facts = register(SHARE, ISA, suspensions=(suspension("2025-07-01"),))
    view = view_of(facts, NOW)
    found = granted(product_columns(view, JPN, [SUBJECT]), view, HUR, NOW)
    assert (found.entries, found.releasable.tolist()) == ((), [False])


def test_of_several_articles_that_with_the_fewest_obligations_is_used():
    many = replace(ARTICLE, number="0", obligations=(obligation(ObligationKind.CAVEAT), obligation(ObligationKind.NO_ONWARD)))
    one = replace(ARTICLE, number="2", obligations=(obligation(ObligationKind.CAVEAT),), ceiling="秘")
    view = view_of(register(replace(SHARE, articles=(many, one)), ISA), NOW)
    subjects = [SUBJECT, replace(SUBJECT, kind="change")]
    found = granted(product_columns(view, JPN, subjects), view, HUR, NOW)
    assert [entry.article.number for entry in found.entries] == ["2", "0"]
    assert found.article.tolist() == [0, -1]


def test_each_originator_must_consent_and_each_consent_is_about_one_product():
    theirs = replace(SUBJECT, originator=HUR, label=replace(LABEL, originator=HUR))
    both = replace(SUBJECT, originator=HUR, label=replace(LABEL, originator=FRA))
    to_hur = consent(originator=FRA, receiver=HUR)
    subjects = [SUBJECT, theirs, replace(theirs, product="q"), both]
    assert releasable(register(SHARE, ISA), subjects) == [True, False, False, False]
    assert releasable(register(SHARE, ISA, consents=(to_hur,)), subjects) == [True, False, False, False]
    facts = register(SHARE, ISA, consents=(to_hur, consent(originator=HUR, receiver=HUR)))
    assert releasable(facts, subjects) == [True, True, False, True]
    over = register(SHARE, ISA, consents=tuple(replace(c, term=term("2025-01-01", "2025-07-01")) for c in facts.consents))
    assert releasable(over, subjects) == [True, False, False, False]
    assert releasable(over, subjects, at=parse_instant("2025-06-30")) == [True, True, False, True]


def test_the_consent_to_a_parent_or_to_the_product_itself_counts_for_what_is_derived():
    parents = (Ancestor("a", FRA, replace(LABEL, originator=FRA)), Ancestor("b", FRA, replace(LABEL, originator=FRA)))
    child = replace(SUBJECT, product="p", ancestors=parents)
    to_hur = consent(originator=FRA, receiver=HUR)

    def asked(*products):
        return releasable(register(SHARE, ISA, consents=tuple(replace(to_hur, product=p) for p in products)), [child])

    assert [asked(), asked("a"), asked("b"), asked("a", "b"), asked("p")] == [[False], [False], [False], [True], [True]]


def test_columns_are_those_of_what_was_known():
    corrected = Relabelling("p", NOBODY, parse_instant("2025-07-02"))
    facts = register(SHARE, ISA, relabellings=(corrected,))
    assert releasable(facts, [SUBJECT]) == [True]
    assert releasable(facts, [SUBJECT], known_at=parse_instant("2025-07-03")) == [False]


def test_a_row_of_another_holder_is_refused():
    with pytest.raises(ValueError, match="held by FRA, expected JPN"):
        product_columns(view_of(register(SHARE, ISA), DAWN), JPN, [SUBJECT, replace(SUBJECT, holder=FRA)])


def test_rows_are_looked_at_across_blocks():
    # More than one block, and each row as if it were alone.
    subjects = [SUBJECT if number % 3 else replace(SUBJECT, label=NOBODY) for number in range(70_001)]
    assert np.flatnonzero(releasable(register(SHARE, ISA), subjects)).tolist() == [n for n in range(70_001) if n % 3]
