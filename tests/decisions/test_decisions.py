"""Run the cases in the ``.md`` files beside this one.

A case is a ``##`` heading and these lines, in any order; what is not listed here is refused, so that a misspelt line never
passes in silence. THING is ``the product`` or the NAME of what it is derived from. T is an instant, or a day (its first moment
in UTC).

The question:

``who:``               GIVER gives to PARTNER; or HOLDER passes on to PARTNER, of ORIGINATOR
``what:``              KIND, POLICY MARKING; and then, each after a semicolon, what there is to say of the label and the product
``derived from:``      NAME of PARTY, POLICY MARKING; ... (of the label); or NAME of PARTY, label unknown. May stand several times
``purpose:``           what the partner would use it for
``when:``              T that the question is about
``known when:``        T; what was recorded later is not looked at

Of a label: ``releasable to A, B``, ``releasable to nobody``, ``labelled T`` (2025-01-01 if left out), ``labelled by PARTY``,
``to be reviewed by T``, ``category TAG restrictive V, V`` (or ``permissive``, ``informative``).

Of a product: ``detected`` (it holds no phase), ``observed T to T``, ``made T``, ``resolution N m``, ``inside AREA``, ``touches
AREA``, ``outside every area``, ``place unknown``. What is left out is unknown.

What is known of the world, beside the register; each line may stand several times:

``register:``          sample, or exercise: the made-up agreements in the folder ``exercise``; sample if left out
``accept fictional:``  agreements of the sample whose made-up supplement counts; nothing if left out
``accept markings:``   policies whose unverified markings count; nothing if left out
``consent:``           PARTY lets THING go on to PARTY from DATE[ until DATE], recorded T
``suspended:``         AGREEMENT from DATE[ until DATE], recorded T: REASON
``resumed:``           AGREEMENT from T, recorded T
``withdrawn:``         AGREEMENT from T, recorded T: REASON
``corrected label:``   THING is now POLICY MARKING; ... (of the label), recorded T
``node can also:``     obligations that this node can apply beyond those of this version
``node cannot:``       obligations that it cannot apply

A DATE is T, ``unknown``, or ``between T and T``.

The answer:

``expected:``          permit, deny or refer
``because:``           a reason, or part of one. All reasons must be there, those that name something unknown excepted:
``unknown:``           a reason that names something unknown, or part of one; all of them
``would change it:``   what would turn a refusal, or part of it; all of it or nothing
``form:``              obligations of a permit, all of them, or: as it is
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kizuna.errors import InputError
from kizuna.model.instants import Interval, parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import parse_party
from kizuna.model.regions import NOWHERE_KNOWN, Placement
from kizuna.release.agreements import Bound, Consent, Relabelling, Resumption, Suspension, Term, Withdrawal
from kizuna.release.decide import APPLICABLE, Ancestor, Subject, decide, decide_in
from kizuna.release.decision import ObligationKind, Outcome
from kizuna.release.rules import RULES
from kizuna.release.view import NO_PURPOSE, View
from kizuna.wiring import load_register

HERE = Path(__file__).parent
EXERCISE = HERE / "exercise"
FEWEST_CASES = 60
FEWEST_OF_EACH_OUTCOME = 5
ONCE = {
    "who", "what", "purpose", "when", "known when", "register", "accept fictional", "accept markings", "node can also",
    "node cannot", "expected", "form",
}  # fmt: skip
OFTEN = {
    "derived from", "consent", "suspended", "resumed", "withdrawn", "corrected label", "because", "unknown", "would change it",
}  # fmt: skip
NEEDED = {"who", "what", "when", "known when", "expected"}
DATE = r"(?:unknown|between \S+ and \S+|\S+)"
TERM = rf"from ({DATE})(?: until ({DATE}))?"
THE_PRODUCT = "the product"


def matched(pattern, text):
    """Groups of `pattern`, which must match all of `text`."""
    match = re.fullmatch(pattern, text)
    assert match, f"{text!r} is not as it must be: {pattern}"
    return match.groups()


def listed(text):
    return tuple(filter(None, text.split(", ")))


def bound(text):
    if text == "unknown":
        return Bound(None, None, text)
    words = text.removeprefix("between ").split(" and ")
    return Bound(parse_instant(words[0]), parse_instant(words[-1]), text)


def term(begin, end):
    return Term(bound(begin), None if end is None else bound(end))


# What may be said of a label and of a product: a pattern, and what it changes. Of these it may say more than one thing:
ADD_UP = {"categories", "inside", "touches"}
OF_A_LABEL = {
    r"releasable to nobody": lambda: {"releasable_to": ()},
    r"releasable to (\S+(?:, \S+)*)": lambda parties: {"releasable_to": tuple(map(parse_party, listed(parties)))},
    r"labelled by (\S+)": lambda party: {"originator": parse_party(party)},
    r"labelled (\S+)": lambda at: {"created": parse_instant(at)},
    r"to be reviewed by (\S+)": lambda at: {"review": parse_instant(at)},
    r"category (.+) (restrictive|permissive|informative) (.+)": lambda tag, kind, values: {
        "categories": (Category(tag, CategoryType(kind), listed(values)),)
    },
}
OF_A_PRODUCT = {
    r"detected": lambda: {"complex_data": False},
    r"observed (\S+) to (\S+)": lambda begin, end: {"event": Interval(parse_instant(begin), parse_instant(end))},
    r"made (\S+)": lambda at: {"produced": parse_instant(at)},
    r"resolution (\S+) m": lambda metres: {"resolution_m": float(metres)},
    r"inside (.+)": lambda area: {"inside": (area,)},
    r"touches (.+)": lambda area: {"touches": (area,)},
    r"outside every area": lambda: {"inside": ()},
    r"place unknown": dict,
}


def said(words, meanings):
    """What `words` change, by name."""
    changes = {}
    for word in words:
        found = [(match, meaning) for pattern, meaning in meanings.items() if (match := re.fullmatch(pattern, word))]
        assert found, f"{word!r} is not understood"
        match, meaning = found[0]
        for name, value in meaning(*match.groups()).items():
            assert name in ADD_UP or name not in changes, f"{word!r}: said twice"
            changes[name] = (*changes.get(name, ()), *value) if name in ADD_UP else value
    return changes


def label_of(marking, words, originator):
    policy, classification = matched(r"(\S+) (.+)", marking)
    label = Label(policy, classification, originator, parse_instant("2025-01-01"))
    return replace(label, **said(words, OF_A_LABEL))


def placed(changes, register):
    """Where the product lies, as the areas of the register's agreements have it."""
    inside, touches = changes.pop("inside", None), changes.pop("touches", None)
    if inside is None and touches is None:
        return NOWHERE_KNOWN
    articles = [article for agreement in register.agreements for article in agreement.articles]
    ids = {area.name: area.id for article in articles for area in (*article.areas, *article.denied_areas)}
    inside = frozenset(ids[name] for name in inside or ())
    return Placement(inside, inside | {ids[name] for name in touches or ()})


@functools.cache
def exercise_ids():
    return tuple(sorted({path.name.split(".")[0] for path in EXERCISE.glob("EX-*.toml")}))


@functools.cache
def loaded(name, fictional, markings):
    if name == "exercise":
        assert not fictional, "all of the exercise is made up"
        return load_register(EXERCISE, exercise_ids(), listed(markings))
    assert name == "sample", f"no register {name!r}"
    return load_register(None, listed(fictional), listed(markings))


@dataclass
class Case:
    title: str
    lines: dict[str, str] = field(default_factory=dict)
    often: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in OFTEN})

    @property
    def register_name(self):
        return self.lines.get("register", "sample")

    @functools.cached_property
    def parties(self):
        """Holder, partner, originator."""
        pattern = r"(\S+) (?:gives to (\S+)|passes on to (\S+), of (\S+))"
        holder, partner, next_partner, originator = matched(pattern, self.lines["who"])
        return parse_party(holder), parse_party(partner or next_partner), parse_party(originator or holder)

    @functools.cached_property
    def subject(self):
        holder, _partner, originator = self.parties
        first, *more = self.lines["what"].split("; ")
        kind, marking = matched(r"(\w[\w-]*), (.+)", first)
        of_label = [word for word in more if any(re.fullmatch(pattern, word) for pattern in OF_A_LABEL)]
        label = label_of(marking, of_label, originator)
        changes = said([word for word in more if word not in of_label], OF_A_PRODUCT)
        placement = placed(changes, self.loaded)
        ancestors = tuple(map(self.ancestor, self.often["derived from"]))
        return Subject(THE_PRODUCT, kind, originator, holder, label, ancestors=ancestors, placement=placement, **changes)

    @staticmethod
    def ancestor(text):
        first, *more = text.split("; ")
        name, party, marking = matched(r"(.+) of (\S+), (.+)", first)
        label = None if marking == "label unknown" else label_of(marking, more, parse_party(party))
        return Ancestor(name, parse_party(party), label)

    @property
    def loaded(self):
        return loaded(self.register_name, self.lines.get("accept fictional", ""), self.lines.get("accept markings", ""))

    def thing(self, name):
        """Id and originator of the product, or of what it is derived from."""
        things = {THE_PRODUCT: self.subject.originator} | {a.product: a.originator for a in self.subject.ancestors}
        assert name in things, f"{name!r} is neither the product nor what it is derived from"
        return name, things[name]

    def consent(self, text):
        party, name, receiver, begin, end, recorded = matched(rf"(\S+) lets (.+) go on to (\S+) {TERM}, recorded (\S+)", text)
        return Consent(parse_party(party), self.thing(name)[0], parse_party(receiver), term(begin, end), parse_instant(recorded))

    def agreement(self, id_):
        assert id_ in {agreement.id for agreement in self.loaded.agreements}, f"no agreement {id_!r}"
        return id_

    def suspension(self, text):
        id_, begin, end, recorded, reason = matched(rf"(\S+) {TERM}, recorded (\S+): (.+)", text)
        return Suspension(self.agreement(id_), term(begin, end), parse_instant(recorded), reason)

    def resumption(self, text):
        id_, at, recorded = matched(r"(\S+) from (\S+), recorded (\S+)", text)
        return Resumption(self.agreement(id_), parse_instant(at), parse_instant(recorded))

    def withdrawal(self, text):
        id_, at, recorded, reason = matched(r"(\S+) from (\S+), recorded (\S+): (.+)", text)
        return Withdrawal(self.agreement(id_), parse_instant(at), parse_instant(recorded), reason)

    def relabelling(self, text):
        name, marking, recorded = matched(r"(.+?) is now (.+), recorded (\S+)", text)
        first, *more = marking.split("; ")
        product, originator = self.thing(name)
        return Relabelling(product, label_of(first, more, originator), parse_instant(recorded))

    @functools.cached_property
    def register(self):
        """The register, with what the case adds."""
        return replace(
            self.loaded,
            consents=tuple(map(self.consent, self.often["consent"])),
            suspensions=(*self.loaded.suspensions, *map(self.suspension, self.often["suspended"])),
            resumptions=tuple(map(self.resumption, self.often["resumed"])),
            withdrawals=tuple(map(self.withdrawal, self.often["withdrawn"])),
            relabellings=tuple(map(self.relabelling, self.often["corrected label"])),
        )

    def decide(self):
        """What the engine decides."""
        assert set(self.lines) >= NEEDED, f"missing: {NEEDED - set(self.lines)}"
        valid_at, known_at = parse_instant(self.lines["when"]), parse_instant(self.lines["known when"])
        partner, purpose = self.parties[1], self.lines.get("purpose", NO_PURPOSE)
        more, less = (set(map(ObligationKind, listed(self.lines.get(name, "")))) for name in ("node can also", "node cannot"))
        if more or less:
            view = View(self.register.as_known(known_at), (APPLICABLE | more) - less)
            return decide_in(view, self.subject, partner, valid_at, purpose)
        return decide(self.register, self.subject, partner, valid_at, known_at, purpose)

    @functools.cached_property
    def decision(self):
        return self.decide()


def read(path):
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("## "):
            cases.append(Case(line.removeprefix("## ").strip()))
        elif cases and line.startswith("- "):
            name, colon, value = line.removeprefix("- ").partition(": ")
            case, where = cases[-1], f"{path.name}:{number}"
            assert colon, f"{where}: {line!r} is no line of a case"
            assert name in ONCE | OFTEN, f"{where}: unknown line {name!r}"
            if name in OFTEN:
                case.often[name].append(value.strip())
            else:
                assert name not in case.lines, f"{where}: {name!r} stands twice"
                case.lines[name] = value.strip()
        else:
            # A line that lost its dash must not pass as prose.
            assert not cases or not line.strip(), f"{path.name}:{number}: {line!r} is no line of a case"
    return cases


CASES = [case for path in sorted(HERE.glob("*.md")) for case in read(path)]


def assert_quoted(quotes, sentences):
    """Assert that each quote is from one of the sentences, and none of these is left out."""
    for quote in quotes:
        assert any(quote in sentence for sentence in sentences), (quote, sentences)
    for sentence in sentences:
        assert any(quote in sentence for quote in quotes), f"not in the case: {sentence}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_case(case):
    decision = case.decision
    assert decision.outcome.value == case.lines["expected"], [r.message.render() for r in decision.reasons]
    faults = [fault.message.render() for fault in decision.faults]
    assert_quoted(case.often["because"], [text for r in decision.reasons if (text := r.message.render()) not in faults])
    assert_quoted(case.often["unknown"], faults)
    if case.often["would change it"]:
        assert_quoted(case.often["would change it"], [change.message.render() for change in decision.changes])
    assert case.decide() == decision, "asked again, the answer is the same"
    permit = decision.outcome is Outcome.PERMIT
    assert permit == ("form" in case.lines), "a permit says in which form, a refusal does not"
    if permit:
        assert (", ".join(f"{o.kind} {o.value}".strip() for o in decision.obligations) or "as it is") == case.lines["form"]
    # What a fictional agreement lets go, or keeps, says so.
    made_up = case.register_name == "exercise" or "accept fictional" in case.lines
    assert any(r.fictional for r in decision.reasons) <= made_up
    assert case.register_name != "exercise" or all(r.fictional for r in decision.reasons if r.agreement)


def test_there_are_cases_enough_and_each_has_a_title_of_its_own():
    assert len(CASES) >= FEWEST_CASES
    assert len({case.title for case in CASES}) == len(CASES)


def test_each_outcome_has_its_cases():
    outcomes = Counter(case.decision.outcome for case in CASES)
    assert {outcome for outcome in Outcome if outcomes[outcome] < FEWEST_OF_EACH_OUTCOME} == set()


def test_each_rule_is_the_named_reason_of_a_refusal():
    named = {reason.rule for case in CASES if case.decision.outcome is not Outcome.PERMIT for reason in case.decision.reasons}
    assert {rule.id for rule in RULES} - named == set()


def test_the_exercise_is_made_up_and_used():
    register = loaded("exercise", "", "")
    assert all(agreement.fictional and agreement.id.startswith("EX-") for agreement in register.agreements)
    asked = {case.parties[:2] for case in CASES if case.register_name == "exercise"}
    for agreement in register.agreements:
        pairs = {(giver, receiver) for a in agreement.articles for giver in a.givers for receiver in a.receivers}
        assert pairs & asked, agreement.id


@pytest.mark.parametrize(
    "text",
    [
        "## Misspelt\n- whom: JPN gives to UKR\n",
        "## Twice\n- when: 2025-05-01\n- when: 2025-05-02\n",
        "## No colon\n- when 2025-05-01\n",
        "## No dash\nwhen: 2025-05-01\n",
    ],
)
def test_a_line_that_cannot_be_understood_is_refused(tmp_path, text):
    path = tmp_path / "x.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError):
        read(path)


PLAIN = {
    "who": "JPN gives to UKR",
    "what": "imagery, JPN 秘",
    "when": "2025-05-01",
    "known when": "2025-05-01",
    "expected": "deny",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("who", "JPN shows to UKR"),
        ("who", "JPN gives to ZZZ"),
        ("what", "imagery, JPN 秘; releasible to UKR"),
        ("what", "imagery, JPN 秘; releasable to UKR; releasable to nobody"),
        ("what", "imagery, JPN 秘; category Handling secret EYES ONLY"),
        ("what", "imagery, JPN 秘; inside the bay of nowhere"),
        ("what", "imagery; JPN 秘"),
        ("when", "in May"),
        ("register", "mine"),
        ("node can also", "magic"),
        ("derived from", "echoes, JPN 秘"),
        ("consent", "FRA lets another product go on to UKR from 2025-05-01, recorded 2025-05-01"),
        ("consent", "FRA lets the product go on to UKR since 2025-05-01, recorded 2025-05-01"),
        ("suspended", "JPN-UKR-ISA-2024 from 2025-05-01"),
        ("suspended", "NO-SUCH from 2025-05-01, recorded 2025-05-01: a review"),
        ("resumed", "JPN-UKR-ISA-2024 from 2025-05-01"),
        ("withdrawn", "JPN-UKR-ISA-2024 from 2025-05-01, recorded 2025-05-01"),
        ("corrected label", "the product JPN 極秘, recorded 2025-05-01"),
    ],
)
def test_a_value_that_cannot_be_understood_is_refused(name, value):
    case = Case("a case", dict(PLAIN))
    assert case.decision.outcome is Outcome.DENY
    case = Case("a case", PLAIN | ({name: value} if name in ONCE else {}))
    if name in OFTEN:
        case.often[name].append(value)
    with pytest.raises((AssertionError, KeyError, ValueError, InputError)):
        _ = case.decision
