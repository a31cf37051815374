"""Cedar, under policies written straight from the agreements, permits what kizuna permits and nothing else."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from kizuna.release import plan
from kizuna.release.decision import Outcome
from kizuna.release.rules import RULES, RuleId

oracle = pytest.importorskip("simulators.cedar_oracle", reason="`make test` installs cedarpy")

# A classified product that no agreement protects fails the rule on equivalence as well: this one never fails alone.
NEVER_ALONE = {RuleId.INFORMATION_SECURITY}
CLAUSE = re.compile(r"^(?:when|unless) \{ (?:.|\n)*? \} // (?P<rules>[a-z, -]+)\n", re.MULTILINE)


@pytest.fixture(scope="module")
def met():
    return oracle.survey(8_000, seed=1)


def test_no_question_is_answered_differently(met):
    assert [(question, allowed) for _, question, allowed in met.disagreements[:3]] == []


def test_the_questions_meet_every_rule_both_ways(met):
    asked = sum(met.outcomes.values())
    assert asked == 8_000
    assert met.outcomes[Outcome.PERMIT] > asked / 20
    assert met.outcomes[Outcome.DENY] > asked / 20
    assert met.outcomes[Outcome.REFER] > 0
    assert set(met.failed) == {rule.id.value for rule in RULES}
    assert {rule.id.value for rule in RULES} - set(met.alone) == NEVER_ALONE


@pytest.fixture(scope="module")
def some():
    """Worlds, each with its policies and what kizuna permits there."""
    return [
        (
            world,
            oracle.cedar_policies(world.register, world.known_at),
            [oracle.outcome(world, question) is Outcome.PERMIT for question in world.questions],
        )
        for world in oracle.worlds(8_000, seed=2)
    ]


def told_apart(some, mutate) -> bool:
    """Whether the answers of kizuna tell mutated policies from the right ones, in any world that the mutation touches."""
    return any(
        oracle.answers(world, mutated) != permitted
        for world, policies, permitted in some
        if (mutated := mutate(policies)) != policies
    )


CLAUSES = ["covered", "in-force", "not-withdrawn", "not-suspended", "ceiling", "lineage-ceiling", "categories, lineage-ceiling"]
CLAUSES += ["purpose", "area", "denied-area", "acquired", "produced", "delay", "resolution"]


@pytest.mark.parametrize("rules", CLAUSES)
def test_a_clause_left_out_of_an_article_is_noticed(some, rules):
    def without(policies):
        return CLAUSE.sub(lambda clause: "" if clause["rules"] == rules and clause[0].startswith("when") else clause[0], policies)

    assert told_apart(some, without)


@pytest.mark.parametrize(
    "rule", ["partner-known", "label-known", "label-current", "releasable-to", "originator-consent", "lineage"]
)
def test_a_forbid_left_out_is_noticed(some, rule):
    assert told_apart(some, lambda policies: re.sub(rf'@id.*\n@rule\("{rule}"\)\nforbid [^;]*;', "", policies))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("context.at >= ", "context.at > "),
        ("context.at < ", "context.at <= "),
        ("<= context.at", "< context.at"),
        ("resource.observedFrom < ", "resource.observedFrom <= "),
        ("resource.observedUntil <= ", "resource.observedUntil < "),
        ("resource.observedFrom >= ", "resource.observedFrom > "),
        ("resource.produced >= ", "resource.produced > "),
        ("resource.produced < ", "resource.produced <= "),
        ("resource.resolution >= ", "resource.resolution > "),
        ("!resource.touches.containsAny", "!resource.touches.containsAll"),
        ("resource.inside.containsAny", "resource.inside.containsAll"),
        (".containsAll(resource.restrictive)", ".containsAny(resource.restrictive)"),
        (".containsAll(resource.lineage.classified)", ".containsAny(resource.lineage.classified)"),
        (".containsAll(resource.classified)", ".containsAny(resource.classified)"),
        ("resource.holder.nation != principal.nation", "true"),
        ('"秘"}', '"秘 "}'),
        ('datetime("2025-07', 'datetime("2024-07'),
    ],
)
def test_a_word_changed_is_noticed(some, right, wrong):
    assert told_apart(some, lambda policies: policies.replace(right, wrong))


@pytest.mark.parametrize("rule", [rule.id for rule in RULES if rule.id not in {*NEVER_ALONE, RuleId.COVERED}])
def test_a_rule_left_out_of_kizuna_is_noticed(rule, monkeypatch):
    for name in ("_ABOUT_PRODUCT", "_WITHOUT_PRODUCT", "_HANGING"):
        monkeypatch.setattr(plan, name, [r for r in getattr(plan, name) if r.id is not rule])
    # Which columns each of them looks at is told once, in their order.
    looked_at = {side: [(r, places) for r, places in rules if r is not rule] for side, rules in plan._LOOKED_AT.items()}
    monkeypatch.setattr(plan, "_LOOKED_AT", looked_at)

    def noticed():
        for world in oracle.worlds(8_000, seed=1):
            for question, allowed in zip(world.questions, oracle.answers(world), strict=True):
                try:
                    if (oracle.outcome(world, question) is Outcome.PERMIT) != allowed:
                        return True
                except AssertionError:
                    # A permit without protection contradicts itself.
                    return True
        return False

    assert noticed()


def test_between_milliseconds_cedar_allows_nothing_that_kizuna_does_not():
    allowed = stricter = 0
    for world in oracle.worlds(3_000, seed=3, moment=timedelta(microseconds=1)):
        for question, answer in zip(world.questions, oracle.answers(world), strict=True):
            permitted = oracle.outcome(world, question) is Outcome.PERMIT
            assert permitted or not answer
            allowed += answer
            stricter += permitted and not answer
    assert allowed
    assert stricter
