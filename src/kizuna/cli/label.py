"""``kizuna label``: what a label says, whether it holds, and the same label in another encoding or under another policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.label_files import IC_ISM, LABEL_XML, NITF, PRODUCT, Inside, load, load_policy, naming
from kizuna.cli.terminal import _, as_json, examples, print_json, read_file, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.label import CategoryType
from kizuna.model.parties import parse_party
from kizuna.wiring import language, load_register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.cli.label_files import LabelFile
    from kizuna.model.canonical import Json
    from kizuna.model.confidentiality import ConfidentialityInformation, ConfidentialityLabel
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.release.policies import SecurityPolicy
    from kizuna.release.policy_rules import AccessDecision

__all__ = ["label"]

_TLP = "tlp-2.0"
_TLP_STIX = "tlp-stix"
_INVALID = 2
_NOT_CLEARED = 3

_file = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_policy = click.option(
    "--policy", type=click.Path(path_type=Path, dir_okay=False), help=_("Security policy of the label (XML SPIF 2.1).")
)
_trust = click.option(
    "--trust",
    multiple=True,
    metavar="CERTIFICATE",
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("Certificate (PEM) by which a binding must be signed, over its labels and its data; may be given several times."),
)


def _inside_options[F: Callable[..., object]](command: F) -> F:
    """Give a command the label that a file itself carries."""
    for option in (
        click.option("--labelled", metavar="INSTANT", help=_("With --from: when it was labelled, where the file does not say.")),
        click.option("--originator", metavar="PARTY", help=_("With --from: who labelled, where the file does not say.")),
        click.option(
            "--letter",
            "letters",
            multiple=True,
            metavar="CLASSIFICATION=LETTER",
            help=_(
                "Letter that stands for a classification in NITF or IC-ISM (T or TS, S, C, R, U); may be given several times."
            ),
        ),
        click.option(
            "--country-codes",
            type=click.Choice(["ISO_3166", "FIPS_10_4"]),
            default="ISO_3166",
            show_default=True,
            help=_("Country codes of a NITF security group."),
        ),
        click.option(
            "--from",
            "source",
            type=click.Choice([NITF, IC_ISM]),
            help=_(
                "Read the label that the file itself carries, not one beside it: the NITF security group of its header (or the "
                "167 bytes alone), or the IC-ISM attributes that mark an XML document."
            ),
        ),
    ):
        command = option(command)
    return command


@click.group(cls=Commands, help=_("What a label says, whether it is valid, and the same label in another encoding or policy."))
def label() -> None:
    """Group."""


def _letters(pairs: tuple[str, ...]) -> dict[str, str]:
    letters = {}
    for pair in pairs:
        classification, _equals, letter = pair.rpartition("=")
        if not classification:
            raise InputError(
                Message("{got!r} is no CLASSIFICATION=LETTER", {"got": pair}),
                hint=Message("write for example --letter 秘=C"),
                field="letter",
            )
        letters[classification] = letter
    return letters


def _inside(
    source: str | None, country_codes: str, letters: tuple[str, ...], originator: str | None, labelled: str | None
) -> Inside | None:
    """How to read the label that the file itself carries; None where it is one of those beside it."""
    if source is None:
        for name, value in (("originator", originator), ("labelled", labelled)):
            if value is not None:
                raise InputError(
                    Message("--{option} is said only of a label that the file itself carries", {"option": name}),
                    hint=Message("name its encoding with --from, or leave --{option} out", {"option": name}),
                    field=name,
                )
        return None
    return Inside(
        source,
        country_codes,
        _letters(letters),
        None if originator is None else parse_party(originator, field="originator"),
        None if labelled is None else parse_instant(labelled, field="labelled"),
    )


# Showing


def _plain_marking(information: ConfidentialityInformation) -> str:
    """Marking in the label's own words, where no policy says how they are displayed."""
    parts = [information.policy, information.classification]
    parts += [f"{category.tag}: {', '.join(category.values)}" for category in information.categories]
    if information.privacy_mark is not None:
        parts.append(information.privacy_mark)
    return " ".join(parts)


def _same_policy(shown: ConfidentialityLabel, policy: SecurityPolicy) -> bool:
    from kizuna.release.policies import same_name

    return same_name(shown.information.policy, policy.name)


def _marking(shown: ConfidentialityLabel, policy: SecurityPolicy | None, language_: str) -> str:
    if policy is None:
        return _plain_marking(shown.information)
    from kizuna.release.policy_markings import marking

    return marking(policy, shown, language_)


def _type_word(kind: CategoryType) -> str:
    return {
        CategoryType.PERMISSIVE: _("permissive"),
        CategoryType.RESTRICTIVE: _("restrictive"),
        CategoryType.INFORMATIVE: _("informative"),
    }[kind]


def _information_rows(information: ConfidentialityInformation) -> Iterator[tuple[str, str]]:
    yield _("policy"), information.policy + (f" ({information.policy_uri})" if information.policy_uri else "")
    yield _("classification"), information.classification
    for category in information.categories:
        yield _type_word(category.type), f"{category.tag}: {', '.join(category.values)}"
    if information.privacy_mark is not None:
        yield _("privacy mark"), information.privacy_mark


def _written_rows(shown: ConfidentialityLabel) -> Iterator[tuple[str, str]]:
    yield from _information_rows(shown.information)
    if shown.originator is not None:
        yield _("originator"), shown.originator
    yield _("labelled"), "-" if shown.created is None else format_instant(shown.created)
    if shown.review is not None:
        yield _("review"), format_instant(shown.review)
    for succession in shown.successions:
        yield _("becomes"), f"{_plain_marking(succession.information)} ({format_instant(succession.at)})"


def _product_rows(shown: Label) -> Iterator[tuple[str, str]]:
    yield _("policy"), shown.policy
    yield _("classification"), shown.classification
    if shown.releasable_to is not None:
        yield _("releasable to"), ", ".join(shown.releasable_to) or _("nobody")
    for category in shown.categories:
        yield _type_word(category.type), f"{category.tag}: {', '.join(category.values)}"
    for caveat in shown.caveats:
        yield _("caveat"), caveat
    yield _("originator"), shown.originator
    yield _("labelled"), format_instant(shown.created)
    if shown.review is not None:
        yield _("review"), format_instant(shown.review)


def _information_json(information: ConfidentialityInformation) -> dict[str, Json]:
    return {
        "policy": information.policy,
        "policy_uri": information.policy_uri,
        "classification": information.classification,
        "categories": [
            {"tag": category.tag, "type": category.type.value, "values": list(category.values), "uri": category.uri}
            for category in information.categories
        ],
        "privacy_mark": information.privacy_mark,
    }


def _maybe_instant(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _written_json(shown: ConfidentialityLabel) -> dict[str, Json]:
    return _information_json(shown.information) | {
        "role": shown.role.value,
        "originator": shown.originator,
        "originator_type": None if shown.originator is None else shown.originator_type.value,
        "created": _maybe_instant(shown.created),
        "review": _maybe_instant(shown.review),
        "successions": [
            _information_json(succession.information) | {"at": format_instant(succession.at)} for succession in shown.successions
        ],
    }


def _label_json(found: LabelFile) -> dict[str, Json]:
    from kizuna.model.label import label_to_json

    return label_to_json(found.product) if found.product is not None else _written_json(found.main())


def _show_notes(found: LabelFile) -> list[str]:
    notes = [note.render(_) for note in found.notes()]
    if found.sloppy is not None:
        why = found.sloppy.message.render(_)
        notes.insert(0, _("the file is not as the standard has it: {why}").format(why=why))
    return notes


def _print_rows(rows: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _value in rows)
    for name, value in rows:
        click.echo(f"  {name:<{width}}  {value}")


@label.command(
    help=_(
        "Show what a label says, and its marking as a policy writes it. FILE is a label (.label.toml, ADatP-4774 XML), an "
        "ADatP-4778 binding, or any file with FILE.label.toml beside it."
    ),
    epilog=examples(
        "kizuna label show scene.nitf",
        "kizuna label show report.xml --policy nato.xml --language fr",
        "kizuna label show scene.binding.xml --trust officer.pem --json",
        "kizuna label show scene.nitf --from nitf",
    ),
)
@_file
@_policy
@click.option("--language", "language_", metavar="LANGUAGE", help=_("Language of the marking (default: yours)."))
@_trust
@_inside_options
@as_json
def show(
    file: Path,
    policy: Path | None,
    language_: str | None,
    trust: tuple[Path, ...],
    source: str | None,
    country_codes: str,
    letters: tuple[str, ...],
    originator: str | None,
    labelled: str | None,
    json_: bool,
) -> None:
    """Show."""
    found = load(file, trust, _inside(source, country_codes, letters, originator, labelled))
    rules = None if policy is None else load_policy(policy)
    tongue = language_ or language()
    line = found.product.marking if found.product is not None and rules is None else _marking(found.main(), rules, tongue)
    others = [
        (other, _marking(other, rules if rules is not None and _same_policy(other, rules) else None, tongue))
        for other in found.others()
    ]
    if json_:
        beside: list[Json] = [_written_json(other) | {"marking": words} for other, words in others]
        form: dict[str, Json] = {"file": str(file), "encoding": found.encoding, "marking": line, **_label_json(found)}
        form |= {"alternatives": beside, "bound_to": list(found.bound), "signed": found.signed, "signer": found.signer}
        print_json(form | {"notes": [*_show_notes(found)]})
        return
    click.echo(click.style(line, bold=True))
    rows = list(_product_rows(found.product) if found.product is not None else _written_rows(found.main()))
    rows += [(_("beside it"), words) for _other, words in others]
    rows += [(_("bound to"), uri) for uri in found.bound]
    rows += [(_("note"), note) for note in _show_notes(found)]
    _print_rows([(_("encoding"), found.encoding), *rows])


# Checking


def _ladder_findings(policy: str, classification: str, *, needed: bool) -> Iterator[tuple[str, Message]]:
    """Findings where no ladder of the sample places a marking; `needed`: where there is no ladder at all, too."""
    ladders = load_register(None, (), ()).ladders
    values: dict[str, str | int | float] = {"policy": policy, "classification": classification}
    if policy not in ladders:
        if needed:
            yield "unknown", Message("no ladder of markings of the policy {policy} is known", values)
    elif ladders[policy].rank(classification, accept_unverified=True) is None:
        yield "unknown", Message("{classification} is not on the ladder of markings of {policy}", values)
    elif ladders[policy].rank(classification) is None:
        yield (
            "unverified",
            Message("{classification} stands on a rung of the ladder of {policy} that nobody could verify", values),
        )


def _check_findings(found: LabelFile, policy: SecurityPolicy | None) -> list[tuple[str, Message]]:
    findings = [] if found.sloppy is None else [("form", found.sloppy.message)]
    if policy is not None:
        from kizuna.release.policy_rules import findings as policy_findings

        checked = [each for each in (found.main(), *found.others()) if _same_policy(each, policy)] or [found.main()]
        findings += [(each.kind.value, each.message) for one in checked for each in policy_findings(policy, one)]
    elif found.product is not None:
        findings += _ladder_findings(found.product.policy, found.product.classification, needed=True)
    else:
        information = found.main().information
        findings += _ladder_findings(information.policy, information.classification, needed=False)
    return findings


def _access(found: LabelFile, policy: SecurityPolicy | None, clearance: Path | None) -> AccessDecision | None:
    """Whether the clearance opens the label; None where none was asked for."""
    if clearance is None:
        return None
    from kizuna.formats.label_toml import read_clearance
    from kizuna.release.policy_rules import acdf

    if policy is None:
        raise InputError(
            Message("a clearance is checked under a security policy, and none was named"),
            hint=Message("name it with --policy"),
            field="policy",
        )
    try:
        cleared = read_clearance(read_file(clearance), name=str(clearance))
    except InputError as error:
        raise (error if error.field is None else naming(clearance, error)) from error
    checked = [each for each in (found.main(), *found.others()) if _same_policy(each, policy)] or [found.main()]
    return acdf(policy, cleared, checked[0])


@label.command(
    help=_(
        "Check a label: its form, and whether it is valid under its policy (exit 2 if not). With a clearance, also whether that "
        "opens the label (exit 3 if not). Without a policy, its marking must stand on a ladder of the sample."
    ),
    epilog=examples(
        "kizuna label check scene.nitf.label.toml",
        "kizuna label check report.xml --policy nato.xml",
        "kizuna label check report.xml --policy nato.xml --clearance officer.clearance.toml --json",
        "kizuna label check scene.binding.xml --trust officer.pem",
    ),
)
@_file
@_policy
@click.option(
    "--clearance", type=click.Path(path_type=Path, dir_okay=False), help=_("Clearance (TOML) that must open the label.")
)
@_trust
@_inside_options
@as_json
@click.pass_context
def check(
    context: click.Context,
    file: Path,
    policy: Path | None,
    clearance: Path | None,
    trust: tuple[Path, ...],
    source: str | None,
    country_codes: str,
    letters: tuple[str, ...],
    originator: str | None,
    labelled: str | None,
    json_: bool,
) -> None:
    """Check."""
    found = load(file, trust, _inside(source, country_codes, letters, originator, labelled))
    rules = None if policy is None else load_policy(policy)
    findings = _check_findings(found, rules)
    access = _access(found, rules, clearance)
    notes = [note.render(_) for note in found.notes()]
    if json_:
        print_json(
            {
                "file": str(file),
                "encoding": found.encoding,
                "valid": not findings,
                "findings": [{"kind": kind, "text": message.render(_)} for kind, message in findings],
                "opens": None if access is None else access.allowed,
                "reasons": [] if access is None else [reason.render(_) for reason in access.reasons],
                "notes": [*notes],
            }
        )
    else:
        say(Message("{path}: not valid", {"path": str(file)}) if findings else Message("{path}: valid", {"path": str(file)}))
        for _kind, message in findings:
            click.echo(f"  {message.render(_)}")
        if access is not None:
            click.echo("  " + (_("the clearance opens it") if access.allowed else _("the clearance does not open it")))
            for reason in access.reasons:
                click.echo(f"    {reason.render(_)}")
        for note in notes:
            click.echo("  " + _("note: {text}").format(text=note))
    if findings:
        context.exit(_INVALID)
    if access is not None and not access.allowed:
        context.exit(_NOT_CLEARED)


# Translating


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How a label is to be translated: from and into which policy, if another; with what it does not say itself."""

    policy: Path | None
    to_policy: Path | None
    direction: str
    review: Instant | None
    policy_uri: str | None

    def label(self, found: LabelFile) -> ConfidentialityLabel:
        """The label as ADatP-4774 structures it."""
        shown = found.main(self.policy_uri)
        if self.policy is not None and self.to_policy is not None:
            shown = _under_other_policy(shown, self.policy, self.to_policy, self.direction)
        return shown if self.review is None else replace(shown, review=self.reviewed(shown.review))

    def product(self, found: LabelFile) -> Label:
        """The label as a product carries it."""
        if found.product is None or self.policy is not None:
            from kizuna.release.labels import label_of

            return label_of(self.label(found), policy_uri=self.policy_uri)
        return found.product if self.review is None else replace(found.product, review=self.reviewed(found.product.review))

    def reviewed(self, own: Instant | None) -> Instant | None:
        """The review that was asked for.

        Raises
        ------
        InputError
            If the label has another of its own.
        """
        if own not in {None, self.review}:
            raise InputError(
                Message("the label says itself when it is to be reviewed: {review}", {"review": _maybe_instant(own) or ""}),
                hint=Message("leave --review out"),
                field="review",
            )
        return self.review


def _under_other_policy(main: ConfidentialityLabel, policy: Path, to_policy: Path, direction: str) -> ConfidentialityLabel:
    """The label under another policy, all of it.

    Raises
    ------
    InputError
        If it is not valid under its own, or something in it has no equivalent or is still lacking.
    """
    from kizuna.release.policy_rules import findings
    from kizuna.release.translation import Direction, translate

    source, target = load_policy(policy), load_policy(to_policy)
    invalid = findings(source, main)
    if invalid:
        raise InputError(
            Message("the label is not valid under {policy}: {why}", {"policy": source.name, "why": invalid[0].message.render(_)}),
            hint=Message("see all that is wrong with it: kizuna label check FILE --policy {policy}", {"policy": str(policy)}),
            field="policy",
        )
    translation = translate(source, main, target, Direction(direction))
    for name in translation.discarded:
        say(Message("left out, as {policy} allows: {name}", {"policy": source.name, "name": name}), err=True)
    lacking = [*translation.refusals, *(finding.message for finding in translation.findings)]
    if translation.label is None or lacking:
        raise InputError(
            Message(
                "no equal label under {policy}: {why}",
                {"policy": target.name, "why": "; ".join(message.render(_) for message in lacking)},
            ),
            hint=Message("a person who knows both policies must decide, and label anew"),
            field="to-policy",
        )
    return translation.label


def _nitf(shown: Label, codes: str, letters: tuple[str, ...]) -> bytes:
    from kizuna.formats.nitf_security import ENGLISH_LETTERS, CountryCodes, nitf_security_bytes, nitf_security_of

    group = nitf_security_of(shown, codes=CountryCodes[codes], letters=_letters(letters) or ENGLISH_LETTERS)
    say(Message("NITF says when it was labelled in the file's date (FDT), which is not part of these bytes."), err=True)
    return nitf_security_bytes(group)


def _tlp(shown: ConfidentialityLabel, target: str) -> bytes:
    from kizuna.formats.tlp import marking_definition_of, tlp_of

    level = tlp_of(shown)
    say(Message("TLP says neither who labelled nor when: keep the label itself too."), err=True)
    return ((level.marking if target == _TLP else marking_definition_of(level)) + "\n").encode()


def _write(output: Path, data: bytes) -> None:
    if output.exists():
        raise InputError(
            Message("{path} exists", {"path": str(output)}),
            hint=Message("name another file; none is overwritten"),
            field="output",
        )
    part = output.with_name(output.name + ".part")
    try:
        part.write_bytes(data)
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)


@label.command(
    help=_(
        "Write the label of FILE in another encoding, or as its equal under another policy. What does not fit is refused by "
        "name; nothing is left out in silence."
    ),
    epilog=examples(
        "kizuna label translate scene.nitf --to adatp-4774 --review 2030-06-22 --output scene.label.xml",
        "kizuna label translate report.xml --to toml",
        "kizuna label translate report.xml --to adatp-4774 --policy acme.xml --to-policy nato.xml",
        "kizuna label translate scene.nitf --to nitf --letter 秘=C",
    ),
)
@_file
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Choice([LABEL_XML, PRODUCT, NITF, _TLP, _TLP_STIX]),
    help=_("Encoding: a label in XML or TOML, the NITF security group (167 bytes), TLP, or the STIX marking of TLP."),
)
@_policy
@click.option(
    "--to-policy", type=click.Path(path_type=Path, dir_okay=False), help=_("Security policy of the equal label (XML SPIF 2.1).")
)
@click.option(
    "--direction",
    type=click.Choice(["encrypt", "decrypt"]),
    default="encrypt",
    show_default=True,
    help=_("Whose equivalences hold: encrypt, those of the label's policy; decrypt, those of the other."),
)
@click.option("--review", metavar="INSTANT", help=_("When the label is to be reviewed, where it does not say."))
@click.option(
    "--policy-uri",
    metavar="URI",
    help=_("Identifier of the label's policy, which .label.toml does not hold (urn:oid:1.3.26.1.3.1)."),
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help=_("File to write (default: standard output)."))
@_trust
@_inside_options
@as_json
def translate(
    file: Path,
    target: str,
    policy: Path | None,
    to_policy: Path | None,
    direction: str,
    review: str | None,
    policy_uri: str | None,
    output: Path | None,
    trust: tuple[Path, ...],
    source: str | None,
    country_codes: str,
    letters: tuple[str, ...],
    originator: str | None,
    labelled: str | None,
    json_: bool,
) -> None:
    """Translate."""
    if (policy is None) != (to_policy is None):
        raise InputError(
            Message("a label goes from one policy to another: both must be named"),
            hint=Message("give --policy and --to-policy, or neither"),
            field="to-policy" if to_policy is None else "policy",
        )
    found = load(file, trust, _inside(source, country_codes, letters, originator, labelled))
    if policy_uri is not None and (found.product is not None) == (target in {PRODUCT, NITF}):
        raise InputError(
            Message("the identifier of the policy is needed only between a product's label and one in XML"),
            hint=Message("leave --policy-uri out"),
            field="policy-uri",
        )
    moment = None if review is None else parse_instant(review, field="review")
    wanted = _Wanted(policy, to_policy, direction, moment, policy_uri)
    if target == LABEL_XML:
        from kizuna.formats.label_xml import write_label_xml

        data = write_label_xml(wanted.label(found))
    elif target == PRODUCT:
        from kizuna.formats.label_toml import write_label_toml

        data = write_label_toml(wanted.product(found))
    elif target == NITF:
        data = _nitf(wanted.product(found), country_codes, letters)
    else:
        data = _tlp(wanted.label(found), target)
    for other in found.others():
        say(Message("not translated: {marking} stands beside it", {"marking": _plain_marking(other.information)}), err=True)
    if output is not None:
        _write(output, data)
    text = data.decode("iso8859-1" if target == NITF else "utf-8")
    if json_:
        print_json({"file": str(file), "encoding": target, "text": text, "output": None if output is None else str(output)})
    elif output is None:
        click.echo(data, nl=False)
    else:
        say(Message("Wrote {path}.", {"path": str(output)}))
