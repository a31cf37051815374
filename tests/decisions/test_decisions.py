"""Run the cases in the ``.md`` files beside this one on the register that ships as a sample.

A case is a ``##`` heading and these lines, in any order; what is not listed here is refused, so that a misspelt line never
passes in silence:

``who:``               GIVER gives to PARTNER; or HOLDER passes on to PARTNER, of ORIGINATOR
``what:``              imagery, POLICY MARKING; and if need be: detected; releasable to A, B; releasable to nobody
``when:``              the instant or day (from its first moment in UTC) that the question is about
``known when:``        what was recorded later is not looked at
``accept fictional:``  agreements whose made-up supplement counts; nothing if left out
``accept markings:``   policies whose unverified markings count; nothing if left out
``expected:``          permit, deny or refer
``because:``           a sentence, or part of one, that the decision must give; may stand several times
``form:``              obligations of a permit, all of them, or: as it is
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.release.decide import Subject, decide
from kizuna.wiring import load_register

WHO = re.compile(r"(\S+) (?:gives to (\S+)|passes on to (\S+), of (\S+))")
WHAT = re.compile(r"(\w+), (\w+) ([^;]+)((?:; [^;]+)*)")
ONCE = {"who", "what", "when", "known when", "accept fictional", "accept markings", "expected", "form"}
NEEDED = {"who", "what", "when", "known when", "expected", "because"}
FEWEST_CASES = 20


@dataclass
class Case:
    title: str
    lines: dict[str, str] = field(default_factory=dict)
    because: list[str] = field(default_factory=list)

    def subject(self) -> tuple[Subject, str]:
        who, what = WHO.fullmatch(self.lines["who"]), WHAT.fullmatch(self.lines["what"])
        assert who, self.lines["who"]
        assert what, self.lines["what"]
        holder, partner = parse_party(who[1]), who[2] or who[3]
        originator = parse_party(who[4] or who[1])
        complex_data, releasable_to = True, None
        for more in filter(None, what[4].split("; ")):
            if more == "detected":
                complex_data = False
            elif more == "releasable to nobody":
                releasable_to = ()
            else:
                assert more.startswith("releasable to "), more
                releasable_to = tuple(map(parse_party, more.removeprefix("releasable to ").split(", ")))
        label = Label(what[2], what[3].strip(), originator, parse_instant("2025-01-01"), releasable_to)
        return Subject("the product", what[1], originator, holder, label, complex_data=complex_data), partner


def read(path: Path) -> list[Case]:
    cases: list[Case] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("## "):
            cases.append(Case(line.removeprefix("## ").strip()))
        elif cases and line.startswith("- "):
            name, colon, value = line.removeprefix("- ").partition(": ")
            case, where = cases[-1], f"{path.name}:{number}"
            assert colon, f"{where}: {line!r} is no line of a case"
            if name == "because":
                case.because.append(value.strip())
                case.lines["because"] = value
            else:
                assert name in ONCE, f"{where}: unknown line {name!r}"
                assert name not in case.lines, f"{where}: {name!r} stands twice"
                case.lines[name] = value.strip()
    return cases


CASES = [case for path in sorted(Path(__file__).parent.glob("*.md")) for case in read(path)]


@functools.cache
def sample(fictional: str, markings: str):
    return load_register(None, tuple(filter(None, fictional.split(", "))), tuple(filter(None, markings.split(", "))))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_case(case):
    assert set(case.lines) >= NEEDED, f"missing: {NEEDED - set(case.lines)}"
    register = sample(case.lines.get("accept fictional", ""), case.lines.get("accept markings", ""))
    subject, partner = case.subject()
    known_at = parse_instant(case.lines["known when"])
    decision = decide(register, subject, parse_party(partner), parse_instant(case.lines["when"]), known_at)
    said = [r.message.render() for r in decision.reasons] + [c.message.render() for c in decision.changes]
    assert decision.outcome.value == case.lines["expected"], said
    for sentence in case.because:
        assert any(sentence in text for text in said), (sentence, said)
    form = ", ".join(f"{o.kind} {o.value}".strip() for o in decision.obligations)
    assert (decision.outcome.value == "permit") == ("form" in case.lines), "a permit says in which form, a refusal does not"
    assert (form or "as it is") == case.lines.get("form", form or "as it is")
    # What a fictional supplement lets go says so.
    assert any(r.fictional for r in decision.reasons) <= ("accept fictional" in case.lines)


def test_there_are_cases_enough_and_each_has_a_title_of_its_own():
    assert len(CASES) >= FEWEST_CASES
    assert len({case.title for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    "text",
    [
        "## Misspelt\n- whom: JPN gives to UKR\n",
        "## Twice\n- when: 2025-05-01\n- when: 2025-05-02\n",
        "## No colon\n- when 2025-05-01\n",
    ],
)
def test_a_line_that_cannot_be_understood_is_refused(tmp_path, text):
    path = tmp_path / "x.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError):
        read(path)
