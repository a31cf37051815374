"""``kizuna release view|diff|trap``: what a partner could see at any instant, what a change costs, the story as a check."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import decision_lines, obligation_words, outcome_word
from kizuna.cli.registers import refuse_own_register, register_for_files
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.node.what_if import Named, difference, partner_view, subjects_known, suppose
from kizuna.release.decide import Subject, decide
from kizuna.release.decision import Outcome, decision_to_json
from kizuna.wiring import load_register, open_node, read_label_file, sample_folder, subject_of_file, system_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.what_if import Shift
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register

__all__ = ["diff", "trap", "view"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Products and facts that a command is about."""

    products: Sequence[Named]
    register: Register
    partner: Party
    now: Instant


def _options[F: Callable[..., object]](command: F) -> F:
    """Give a command the products it is about, and the register: those of a node, or files with labels and a folder."""
    for option in (
        as_json,
        node_option,
        click.option(
            "--accept-ladder", multiple=True, metavar="POLICY", help=_("Accept the unverified markings of this policy.")
        ),
        click.option(
            "--accept-fictional", multiple=True, metavar="AGREEMENT", help=_("Accept the fictional supplement of this agreement.")
        ),
        click.option(
            "--agreements",
            type=click.Path(path_type=Path, exists=True, file_okay=False),
            help=_("Folder of agreement files, for files (default: the register of --node where it is given, else the sample)."),
        ),
        click.option("--known-at", metavar="INSTANT", help=_("Leave out what became known later (default: now).")),
        click.option("--to", "partner", required=True, metavar="PARTY", help=_("NATION or NATION/ORG.")),
        click.argument("files", nargs=-1, type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


@contextmanager
def _asked(
    files: tuple[Path, ...],
    partner: str,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    folder: Path,
) -> Iterator[tuple[_Asked, Instant]]:
    party = parse_party(partner, field="to")
    known = None if known_at is None else parse_instant(known_at, field="known-at")
    if files:
        now = system_now()
        register = register_for_files(folder, agreements, accept_fictional, accept_ladder)
        products = [Named(path.name, subject_of_file(path, register)) for path in files]
        yield _Asked(products, register, party, now), known or now
        return
    refuse_own_register(agreements, accept_fictional, accept_ladder)
    with open_node(folder) as here:
        now = here.now()
        party = here.partner_named(partner)
        yield _Asked(subjects_known(here, known or now), here.knowledge().register, party, now), known or now


def _form(decision: Decision) -> str:
    return ", ".join(map(obligation_words, decision.obligations)) or _("as it is")


def _article(decision: Decision) -> str:
    reason = decision.reasons[0]
    return f"{reason.agreement} {_('article {number}').format(number=reason.article)}" if reason.agreement else ""


@click.command(
    help=_(
        "List all that a partner could see, and in which form: of the node's products, or of FILES with labels beside them. "
        "What is refused is left out; --all lists it with its first reason."
    ),
    epilog=examples(
        "kizuna release view --to UKR/HUR --node jpn",
        "kizuna release view --to UKR/HUR --valid-at 2025-05-01 --known-at 2025-05-01 --node jpn",
        "kizuna release view scene.nitf --to UKR/HUR --accept-fictional IQPS-HUR-2025",
    ),
)
@_options
@click.option("--valid-at", metavar="INSTANT", help=_("Instant that the question is about (default: now)."))
@click.option("--all", "everything", is_flag=True, help=_("List what is refused too."))
def view(
    files: tuple[Path, ...],
    partner: str,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    folder: Path,
    json_: bool,
    valid_at: str | None,
    everything: bool,
) -> None:
    """List what a partner could see."""
    valid = None if valid_at is None else parse_instant(valid_at, field="valid-at")
    with _asked(files, partner, known_at, agreements, accept_fictional, accept_ladder, folder) as (asked, known):
        valid = valid or asked.now
        decided = partner_view(asked.register, asked.products, asked.partner, valid, known)
    shown = [(product, decision) for product, decision in decided if everything or decision.outcome is not Outcome.DENY]
    counts = {outcome: sum(d.outcome is outcome for _p, d in decided) for outcome in Outcome}
    if json_:
        products: list[Json] = [{"product": p.subject.product, "title": p.title, **decision_to_json(d, _)} for p, d in shown]
        print_json(
            {
                "partner": asked.partner,
                "valid_at": format_instant(valid),
                "known_at": format_instant(known),
                "counts": {outcome.value: count for outcome, count in counts.items()},
                "products": products,
            }
        )
        return
    say(
        Message(
            "{permit} of {total} products may go to {partner} at {valid}, as known at {known}; {refer} to refer.",
            {
                "permit": counts[Outcome.PERMIT],
                "refer": counts[Outcome.REFER],
                "total": len(decided),
                "partner": asked.partner,
                "valid": format_instant(valid),
                "known": format_instant(known),
            },
        )
    )
    if shown:
        print_table(
            [_("outcome"), _("product"), _("title"), _("form"), _("by")],
            [
                [
                    outcome_word(d),
                    p.subject.product[:12],
                    p.title[:48],
                    _form(d) if d.outcome is Outcome.PERMIT else d.reasons[0].message.render(_),
                    _article(d) if d.outcome is Outcome.PERMIT else "",
                ]
                for p, d in shown
            ],
        )


def _shift(shift: Shift) -> Json:
    return {
        "product": shift.product.subject.product,
        "title": shift.product.title,
        "before": decision_to_json(shift.before, _),
        "after": decision_to_json(shift.after, _),
    }


def _print_shifts(head: str, shifts: Sequence[Shift], sign: str, colour: str) -> None:
    if not shifts:
        return
    click.echo(click.style(f"{head} ({len(shifts)})", bold=True))
    for shift in shifts:
        click.echo(click.style(f"  {sign} {shift.product.title}", fg=colour) + f"  {shift.product.subject.product[:12]}")
        if sign == "-":
            why = [reason.message.render(_) for reason in shift.after.reasons]
        elif sign == "+":
            why = [_("in this form: {form}").format(form=_form(shift.after)), _article(shift.after)]
        else:
            why = [f"{outcome_word(d)} {_form(d)}" for d in (shift.before, shift.after)]
        for line in why:
            click.echo(f"      {line}")


@click.command(
    help=_(
        "Say product by product what a partner would gain and lose: between two instants, or if an agreement were suspended, "
        "resumed or withdrawn."
    ),
    epilog=examples(
        "kizuna release diff --to UKR --between 2025-05-01 2025-06-22 --node jpn",
        "kizuna release diff --to UKR/HUR --if suspend:IQPS-HUR-2025 --node jpn",
    ),
)
@_options
@click.option("--between", nargs=2, metavar="T1 T2", help=_("Two instants that the question is about."))
@click.option("--if", "change", metavar="CHANGE", help=_("suspend:ID, resume:ID or withdraw:ID."))
@click.option("--valid-at", metavar="INSTANT", help=_("With --if: instant from which the change holds (default: now)."))
def diff(
    files: tuple[Path, ...],
    partner: str,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    accept_ladder: tuple[str, ...],
    folder: Path,
    json_: bool,
    between: tuple[str, str] | None,
    change: str | None,
    valid_at: str | None,
) -> None:
    """Compare."""
    if (between is None) == (change is None) or (between is not None and valid_at is not None):
        raise InputError(
            Message("expected either --between T1 T2 or --if CHANGE (with --valid-at, where it is not about now)"),
            hint=Message("for example --between 2025-05-01 2025-06-22, or --if suspend:USA-UKR-SHARING"),
            field="between",
        )
    with _asked(files, partner, known_at, agreements, accept_fictional, accept_ladder, folder) as (asked, known):
        if between is not None:
            first, second = (parse_instant(text, field="between") for text in between)
            before = partner_view(asked.register, asked.products, asked.partner, first, known)
            after = partner_view(asked.register, asked.products, asked.partner, second, known)
            about: dict[str, Json] = {"between": [format_instant(first), format_instant(second)]}
        else:
            at = asked.now if valid_at is None else parse_instant(valid_at, field="valid-at")
            supposed = suppose(asked.register, change or "", at, known)
            before = partner_view(asked.register, asked.products, asked.partner, at, known)
            after = partner_view(supposed, asked.products, asked.partner, at, known)
            about = {"if": change, "valid_at": format_instant(at)}
    found = difference(before, after)
    if json_:
        print_json(
            {
                "partner": asked.partner,
                **about,
                "known_at": format_instant(known),
                "gained": [_shift(shift) for shift in found.gained],
                "lost": [_shift(shift) for shift in found.lost],
                "changed": [_shift(shift) for shift in found.changed],
            }
        )
        return
    say(
        Message(
            "{partner}: {gained} gained, {lost} lost, {changed} in another form, of {total} products.",
            {
                "partner": asked.partner,
                "gained": len(found.gained),
                "lost": len(found.lost),
                "changed": len(found.changed),
                "total": len(asked.products),
            },
        )
    )
    _print_shifts(_("gained"), found.gained, "+", "green")
    _print_shifts(_("lost"), found.lost, "-", "red")
    _print_shifts(_("in another form"), found.changed, "~", "yellow")


_SUPPLEMENTS = ("IQPS-HUR-2025", "JPN-UKR-ISA-2024")
_MAY, _JUNE = "2025-05-01", "2025-06-22"
_TRAP_LABEL = "classified.label.toml"


def _trap_lines(now: Instant) -> Iterator[tuple[str, str, str, Outcome, Decision]]:
    """The classified sample asked for Ukraine, in May and June, as known then and now, without and with the supplement."""
    label = read_label_file(sample_folder("trap") / _TRAP_LABEL)
    subject = Subject("classified sample", "imagery", label.originator, label.originator, label)
    for name, accepted in (("real", ()), ("supplement", _SUPPLEMENTS)):
        register = load_register(None, accepted, ())
        for day in (_MAY, _JUNE):
            at = parse_instant(day)
            expected = Outcome.PERMIT if accepted and day == _JUNE else Outcome.DENY
            for known, known_at in (("then", at), ("now", now)):
                yield name, day, known, expected, decide(register, subject, parse_party("UKR"), at, known_at)


@click.command(
    help=_(
        "Check the story of May and June 2025: a classified product asked for Ukraine before and after the agreement on the "
        "security of information entered into force, as known then and as known now, on the real register and with the "
        "fictional supplement."
    ),
    epilog=examples("kizuna release trap", "kizuna release trap --json"),
)
@as_json
@click.pass_context
def trap(context: click.Context, json_: bool) -> None:
    """Check the story."""
    lines = list(_trap_lines(system_now()))
    # On the real register it is not enough to refuse: what nobody knows must be named.
    right = [
        decision.outcome is expected and (name != "real" or bool(decision.faults))
        for name, _day, _known, expected, decision in lines
    ]
    if json_:
        questions: list[Json] = [
            {
                "register": name,
                "valid_at": day,
                "known": known,
                "expected": expected.value,
                "as_expected": good,
                **decision_to_json(decision, _),
            }
            for (name, day, known, expected, decision), good in zip(lines, right, strict=True)
        ]
        print_json({"ok": all(right), "questions": questions})
    else:
        for (name, day, known, _expected, decision), good in zip(lines, right, strict=True):
            title = {"real": _("real register"), "supplement": _("with the fictional supplement")}[name]
            when = {"then": _("as known then"), "now": _("as known now")}[known]
            mark = click.style("✓", fg="green") if good else click.style("✗", fg="red")
            click.echo(f"{mark} {outcome_word(decision)}: {title}, {day}, {when}")
            for line in decision_lines(decision):
                click.echo(line)
    if not all(right):
        context.exit(1)
