"""Begin a node, pin its partners, record its agreements, suspend and resume them, withdraw from them."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from kizuna.catalog.areas import require_sound
from kizuna.errors import InputError, Message
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.messages import NoticeState
from kizuna.formats.agreement import agreement_to_json, read_agreement
from kizuna.formats.agreement_areas import no_files
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind
from kizuna.model.reading import open_table
from kizuna.node.certificates import certificate_fault
from kizuna.node.follow_keys import follow, record_steps
from kizuna.node.journal import ORGANISATION_SETTING
from kizuna.node.key_change import tell_of_announced
from kizuna.node.messages import tell_parties
from kizuna.node.people import issue_token
from kizuna.node.share import reconsider_all
from kizuna.release.agreements import Resumption, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kizuna.formats.agreement import CivilOffsets
    from kizuna.formats.agreement_areas import Loader
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.reading import Table
    from kizuna.node.state import Node, Partner
    from kizuna.release.agreements import Agreement, Term

__all__ = [
    "CARD_SCHEMA",
    "ORGANISATION_SETTING",
    "area_faults",
    "found_node",
    "is_suspended",
    "node_card",
    "pin_partner",
    "record_agreement",
    "remove_partner",
    "require_agreement",
    "resume_agreement",
    "suspend_agreement",
    "withdraw_agreement",
]

CARD_SCHEMA = "kizuna/card/1"
_KEY_BYTES = 32
_MOST_ROTATIONS = 100


def found_node(node: Node, markings: Mapping[str, Json] | dict[str, object], accepted_ladders: Sequence[str]) -> str:
    """Write the first facts of a new node; give the access token of its first release officer."""
    created: dict[str, Json] = {
        "party": node.organisation,
        "signing_key": base64.b64encode(node.keys.public_key).decode(),
        "certificate": base64.b64encode(node.keys.certificate_der).decode(),
    }
    ladders: dict[str, Json] = {"document": markings, "accepted": list(accepted_ladders)}  # type: ignore[dict-item]
    with node.store.transaction():
        node.store.keep_setting(ORGANISATION_SETTING, node.organisation)
        node.journal.record_all(
            [(FactKind.NODE_CREATED, created), (FactKind.LADDERS_RECORDED, ladders)], by=node.by, authority="node operator"
        )
        node.confirm_place()
        return issue_token(node, node.by, "officer")


def node_card(node: Node, url: str) -> dict[str, Json]:
    """What another node needs to pin this one. It is public; hand it over in a way that the other trusts."""
    card: dict[str, Json] = {
        "schema": CARD_SCHEMA,
        "party": node.organisation,
        "url": url,
        "certificate": base64.b64encode(node.keys.certificate_der).decode(),
        "signing_key": base64.b64encode(node.keys.public_key).decode(),
    }
    if node.keys.sealing_key is not None:
        card["sealing_key"] = base64.b64encode(node.keys.sealing_key).decode()
    known = node.knowledge()
    succession = [*known.succession, *([known.announced.statement] if known.announced is not None else [])]
    if succession:
        card["succession"] = [*succession]
    return card


def pin_partner(node: Node, card: object) -> Party:
    """Pin another node by its card; one that is pinned already is followed to the keys that its former ones vouch for.

    Raises
    ------
    InputError
        If the card is malformed (a certificate that no connection could be checked by included), it is this node's own, it has a
        key that was revoked, or another key than the pinned one that no former key vouches for.
    PartnerMisbehaved
        If a statement in it does not verify.
    """
    table = open_table(card, schema=CARD_SCHEMA, what="card")
    party = parse_party(table.text("party"))
    url = table.text("url") if table.raw("url") else ""
    raw = _read_keys(table)
    succession = _read_succession(table)
    table.done()
    if url and not url.startswith("https://"):
        table.fault("url", Message("an https:// address"))
    if party == node.organisation:
        table.fault("party", Message("another node than this one"))
    expected = certificate_fault(raw["certificate"], party, node.now())
    if expected is not None:
        table.fault("certificate", expected)
    _require_distinct(node, table, party, raw)
    body: dict[str, Json] = {"party": party, "url": url.rstrip("/")}
    known = node.knowledge()
    if key_id_of(raw["signing_key"]) in known.revoked:
        table.fault("signing_key", Message("a key that was not revoked"))
    # Keys that the card's present one announces already.
    ahead = follow(party, raw["signing_key"], succession, revoked=known.revoked)
    pinned = known.partners.get(party)
    if pinned is not None and ahead and pinned.signing_key == ahead[-1].rotation.signing_key:
        # Its feed said so before the card came.
        raw |= {"signing_key": pinned.signing_key, "certificate": pinned.certificate_der}
        ahead = []
    elif pinned is not None and pinned.signing_key != raw["signing_key"]:
        _follow_card(node, pinned, raw, url.rstrip("/"), succession)
        return party
    body |= {name: base64.b64encode(key).decode() for name, key in raw.items()}
    with node.store.transaction():
        node.journal.record(FactKind.PARTNER_PINNED, body, by=node.by, authority="node operator")
        if ahead:
            record_steps(node, node.partner(party), ahead, by=node.by)
        tell_of_announced(node, party)
    return party


def _require_distinct(node: Node, table: Table, party: Party, raw: Mapping[str, bytes]) -> None:
    """Let no two nodes share a certificate or a key, nor have ours: a partner is known by them alone."""
    now = node.now()
    others = [p for other, p in node.knowledge().partners.items() if other != party]
    if raw["certificate"] in {node.keys.certificate_der, *(c for p in others for c in (p.certificate_der, *p.certificates(now)))}:
        table.fault("certificate", Message("a certificate that no other node has"))
    if raw["signing_key"] in {node.keys.public_key, *(p.signing_key for p in others)}:
        table.fault("signing_key", Message("a key that no other node has"))
    if raw.get("sealing_key") in {node.keys.sealing_key, *(p.sealing_key for p in others)} - {None}:
        table.fault("sealing_key", Message("a key that no other node has"))


def _follow_card(node: Node, pinned: Partner, raw: Mapping[str, bytes], url: str, succession: Sequence[str]) -> None:
    """Follow a pinned partner to the keys of its card, and to those which these announce."""
    steps = follow(pinned.party, pinned.signing_key, succession, revoked=node.knowledge().revoked)
    if (raw["signing_key"], raw["certificate"]) not in [(s.rotation.signing_key, s.rotation.certificate_der) for s in steps]:
        raise InputError(
            Message(
                "signing_key: {party} is pinned with another key, which does not vouch for this one", {"party": pinned.party}
            ),
            hint=Message(
                "if the partner lost its key, and you know so by a way that you trust: kizuna partner remove {party}, add",
                {"party": pinned.party},
            ),
            field="signing_key",
        )
    with node.store.transaction():
        record_steps(node, pinned, steps, by=node.by, url=url, sealing_key=raw.get("sealing_key"))


def _read_succession(table: Table) -> list[str]:
    """Statements of a card by which each key vouched for the next one, oldest first."""
    found = table.raw("succession") if table.has("succession") else []
    if not isinstance(found, list) or len(found) > _MOST_ROTATIONS or not all(isinstance(text, str) for text in found):
        table.fault("succession", Message("a list of at most {most} texts", {"most": _MOST_ROTATIONS}))
    return found


def _read_keys(table: Table) -> dict[str, bytes]:
    """Certificate and keys of a card; those from before there were removable media have no key for them."""
    raw: dict[str, bytes] = {}
    for name in ("certificate", "signing_key", *(["sealing_key"] if table.has("sealing_key") else [])):
        try:
            raw[name] = base64.b64decode(table.text(name), validate=True)
        except ValueError:
            table.fault(name, Message("bytes in base64"))
        if name != "certificate" and len(raw[name]) != _KEY_BYTES:
            table.fault(name, Message("32 bytes in base64"))
    return raw


def remove_partner(node: Node, party: Party) -> None:
    """Unpin a partner: from the next request on its node is nobody here.

    Raises
    ------
    InputError
        If it is not pinned.
    """
    node.partner(party)
    with node.store.transaction():
        node.journal.record(FactKind.PARTNER_REMOVED, {"party": party}, by=node.by, authority="node operator")


def area_faults(agreement: Agreement) -> Iterator[InputError]:
    """Areas of an agreement of which it cannot be said what lies inside; each error names its field."""
    for index, article in enumerate(agreement.articles):
        for name, areas in (("areas", article.areas), ("denied_areas", article.denied_areas)):
            for number, area in enumerate(areas):
                try:
                    require_sound(area, field=f"articles[{index}].{name}[{number}]")
                except InputError as error:
                    yield error


def record_agreement(
    node: Node,
    document: Mapping[str, object],
    offsets: CivilOffsets,
    accepted_fictional: Sequence[str],
    load: Loader = no_files,
) -> Agreement | None:
    """Record a version of an agreement.

    Parameters
    ----------
    node
        This node.
    document
        The agreement's document.
    offsets
        Offsets of civil dates.
    accepted_fictional
        Ids of agreements whose fictional supplement this node accepts.
    load
        Gives the bytes of an area's file that the document names; the log then holds the area itself.

    Returns
    -------
    agreement
        The agreement; None for a fictional supplement that this node does not accept by name.

    Raises
    ------
    InputError
        Naming the faulty field, or a version that is there already.
    """
    agreement, suspensions = read_agreement(document, offsets, load)
    for fault in area_faults(agreement):
        raise fault
    if agreement.fictional and agreement.id not in accepted_fictional:
        return None
    known = [a.version for a in node.knowledge().register.agreements if a.id == agreement.id]
    if agreement.version in known or agreement.version < max(known, default=0):
        raise InputError(
            Message(
                "version: {agreement} is recorded up to version {known}, got {version}",
                {"agreement": agreement.id, "known": max(known), "version": agreement.version},
            ),
            hint=Message("nothing recorded is edited: give the change a higher version"),
            field="version",
        )
    body: dict[str, Json] = {"document": agreement_to_json(agreement, suspensions)}
    with node.store.transaction():
        node.journal.record(
            FactKind.AGREEMENT_RECORDED, body, by=node.by, authority="; ".join(agreement.sources) or "release officer"
        )
    reconsider_all(node)
    return agreement


def require_agreement(node: Node, id_: str) -> Agreement:
    """Latest version of an agreement.

    Raises
    ------
    InputError
        If this node knows none of this id.
    """
    found = [a for a in node.knowledge().register.agreements if a.id == id_]
    if not found:
        known = sorted({a.id for a in node.knowledge().register.agreements})
        raise InputError(
            Message("this node knows no agreement {id}", {"id": id_}),
            hint=Message("known agreements: {known}", {"known": ", ".join(known) or "none"}),
            field="agreement",
        )
    return max(found, key=lambda a: a.version)


def is_suspended(node: Node, id_: str, at: Instant) -> bool:
    """Whether the agreement is (or may be) suspended at an instant."""
    states = {term.state(at) for term in _suspensions(node, id_, at)}
    return bool(states - {State.BEFORE, State.AFTER})


def _suspensions(node: Node, id_: str, at: Instant) -> list[Term]:
    return [term for _, term in node.knowledge().register.as_known(at).suspension_terms(id_)]


def suspend_agreement(node: Node, id_: str, reason: str, authority: str) -> Instant:
    """Suspend an agreement from now on, and say since when that is.

    Raises
    ------
    InputError
        If it is unknown here or suspended already, for certain and without end.
    """
    require_agreement(node, id_)
    now = node.now()
    # A suspension that will end by itself, or that perhaps has, is none that an officer can rely on.
    if any(term.end is None and term.state(now) is State.WITHIN for term in _suspensions(node, id_, now)):
        raise InputError(
            Message("{agreement} is suspended already", {"agreement": id_}),
            hint=Message("see: kizuna agreement list"),
            field="agreement",
        )
    body: dict[str, Json] = {"agreement": id_, "from": format_instant(now), "reason": reason}
    with node.store.transaction():
        node.journal.record(FactKind.AGREEMENT_SUSPENDED, body, by=node.by, authority=authority)
        tell_parties(node, id_, NoticeState.SUSPENDED, now, reason)
    return now


def resume_agreement(node: Node, id_: str, authority: str, at: Instant | None = None) -> Instant:
    """Resume a suspended agreement, and say from when on that is.

    Parameters
    ----------
    node
        This node.
    id_
        The agreement's id.
    authority
        By what authority.
    at
        When it resumes or resumed; None for now. An instant that has passed ends a past suspension, or corrects its end: of the
        resumptions known at a time the one recorded last counts.

    Raises
    ------
    InputError
        If it is unknown here, withdrawn from by then, not suspended, or the resumption would change nothing.
    """
    require_agreement(node, id_)
    now = node.now()
    effect = now if at is None else at
    withdrawn = [w.at for w in node.knowledge().register.withdrawals if w.agreement == id_ and w.at <= effect]
    if withdrawn:
        raise InputError(
            Message("{agreement} is withdrawn from since {at}", {"agreement": id_, "at": format_instant(min(withdrawn))}),
            hint=Message("no resumption brings it back: conclude and record a new agreement"),
            field="agreement",
        )
    if at is None and not is_suspended(node, id_, now):
        raise InputError(
            Message("{agreement} is not suspended", {"agreement": id_}),
            hint=Message("see: kizuna agreement list"),
            field="agreement",
        )
    if at is not None and not _changed_by(node, Resumption(id_, at, now)):
        raise InputError(
            Message(
                "at: no suspension of {agreement} that is on record ended on {at}, or it did so already",
                {"agreement": id_, "at": format_instant(at)},
            ),
            hint=Message("see: kizuna agreement show {agreement}", {"agreement": id_}),
            field="at",
        )
    body: dict[str, Json] = {"agreement": id_, "from": format_instant(effect)}
    with node.store.transaction():
        node.journal.record(FactKind.AGREEMENT_RESUMED, body, by=node.by, authority=authority)
        tell_parties(node, id_, NoticeState.RESUMED, effect, None)
    reconsider_all(node)
    return effect


def _changed_by(node: Node, resumption: Resumption) -> bool:
    """Whether a resumption would change when any suspension of its agreement ended."""
    known = node.knowledge().register.as_known(resumption.recorded_at)
    supposed = replace(known, resumptions=(*known.resumptions, resumption))
    return list(known.suspension_terms(resumption.agreement)) != list(supposed.suspension_terms(resumption.agreement))


def withdraw_agreement(node: Node, id_: str, reason: str, authority: str, at: Instant | None = None) -> Instant:
    """Withdraw from an agreement, whatever its version: nothing goes under it from then on.

    Parameters
    ----------
    node
        This node.
    id_
        The agreement's id.
    reason
        One sentence.
    authority
        By what authority.
    at
        When it takes effect; None for now.

    Returns
    -------
    at
        When it takes effect.

    Raises
    ------
    InputError
        If it is unknown here, the instant has passed, or an earlier withdrawal takes effect by then.
    """
    require_agreement(node, id_)
    now = node.now()
    effect = now if at is None else at
    if effect < now:
        raise InputError(
            Message("at: {at} has passed, it is {now}", {"at": format_instant(effect), "now": format_instant(now)}),
            hint=Message("what was handed over cannot be taken back by a date: leave it out to withdraw from now on"),
            field="at",
        )
    known = [w.at for w in node.knowledge().register.withdrawals if w.agreement == id_]
    if known and min(known) <= effect:
        raise InputError(
            Message(
                "{agreement} is withdrawn from already, with effect from {at}",
                {"agreement": id_, "at": format_instant(min(known))},
            ),
            hint=Message("see: kizuna agreement show {agreement}", {"agreement": id_}),
            field="agreement",
        )
    body: dict[str, Json] = {"agreement": id_, "at": format_instant(effect), "reason": reason}
    with node.store.transaction():
        node.journal.record(FactKind.AGREEMENT_WITHDRAWN, body, by=node.by, authority=authority)
        tell_parties(node, id_, NoticeState.WITHDRAWN, effect, reason)
    reconsider_all(node)
    return effect
