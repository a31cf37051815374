"""The demo's story: three nodes in processes of their own, real radar data, one agreement, its suspension, and the proof."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from kizuna.cli.decision_text import outcome_word
from kizuna.cli.story_order import (
    AGREEMENT_FILE,
    LABEL,
    Ordered,
    completed,
    order_words,
    provider_words,
    schedule_words,
    watch_words,
)
from kizuna.cli.terminal import Progress, _, say
from kizuna.errors import KizunaError, Message
from kizuna.formats.agreement import parse_toml
from kizuna.model.instants import Instant, Interval, format_instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.node.audit import verify_node
from kizuna.node.decisions import decide_item, decided_on
from kizuna.node.founding import node_card, pin_partner, record_agreement, suspend_agreement
from kizuna.node.publish import Described, publish
from kizuna.node.receive import pull
from kizuna.release.decision import Outcome
from kizuna.wiring import (
    CIVIL_OFFSETS,
    Settings,
    label_path,
    make_node,
    open_node,
    read_label_file,
    sample_folder,
    system_now,
    transport_to,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision
    from kizuna.sar.image import FormedImage

__all__ = ["END_SIGNALS", "DemoFailed", "Story"]

END_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""What ends a demo, as an interrupt of the keyboard."""

JPN, UKR, NZL = parse_party("JPN/IQPS"), parse_party("UKR/HUR"), parse_party("NZL")
AGREEMENT = "IQPS-HUR-2025"
_SUPPLEMENT = (AGREEMENT, "JPN-UKR-ISA-2024")
_TRIHEDRAL_M = (-15.60, 21.60)
_PLACE_TOLERANCE_M = 0.1
_WIDTH_TOLERANCE = 0.05
_STOP_S = 10.0
_START_S = 60.0
_ANY_PORT = "127.0.0.1:0"
_REFUSED = 3


class DemoFailed(KizunaError):
    """Something in the demo is not as it must be."""


@dataclass(slots=True)
class _Running:
    """A node's process and where it answers."""

    party: Party
    folder: Path
    token: str
    process: subprocess.Popen[str]
    partner_url: str
    people_url: str


def _require(held: bool, what: Message) -> None:
    if not held:
        raise DemoFailed(Message("the demo is not as it must be: {what}", {"what": what.render(_)}))


class Story:
    """Tells the story once.

    Parameters
    ----------
    root
        Folder for the nodes and files.
    loud
        Whether to print it.
    """

    def __init__(self, root: Path, *, loud: bool) -> None:
        self._root = root
        self._loud = loud
        self._nodes: dict[Party, _Running] = {}
        self._processes: list[subprocess.Popen[str]] = []
        self._decisions = 0

    def _say(self, message: Message) -> None:
        if self._loud:
            say(message)

    def _head(self, message: Message) -> None:
        if self._loud:
            click.echo()
            click.echo(click.style(message.render(_), bold=True))

    def tell(self) -> dict[str, Json]:
        """Tell it; give the figures of this run."""
        begin = time.monotonic()
        self._root.mkdir(parents=True, exist_ok=True)
        self._say(Message("kizuna: a node shows a partner exactly what an agreement in force allows, and can say why."))
        self._head(Message("1. Radar echoes to images"))
        echoes = time.monotonic()
        inbox = self._root / "inbox"
        # Beside the rest from the beginning: it takes a while to start.
        flying = self._begin(*provider_words(JPN, inbox))
        scene, withheld = self._form()
        self._head(Message("2. Three nodes, mutual TLS between them"))
        self._start(flying)
        beside = [flying, self._begin(*watch_words(inbox, self._nodes[JPN].folder))]
        scheduling = self._begin(*schedule_words(self._nodes[UKR].folder))
        before = self._answer_to(NZL)
        products = self._publish(scene, withheld)
        self._head(Message("3. Who may have what, and why"))
        self._explain(products)
        self._head(Message("4. The partners pull"))
        moved = self._exchange()
        to_store_s = time.monotonic() - echoes
        _require(self._answer_to(NZL) == before, Message("the node without an agreement can tell that something was published"))
        values: dict[str, str | int | float] = {"party": NZL, "count": len(before)}
        self._say(Message("  {party} got the same {count} bytes as before anything was published: it cannot tell.", values))
        self._head(Message("5. The partner orders an image"))
        order_s = self._order(scheduling)
        for process in beside:
            process.terminate()
        self._head(Message("6. Look at it"))
        for node in self._nodes.values():
            values = {"party": node.party, "url": node.people_url, "token": node.token}
            self._say(Message("  {party}: {url}  (sign in with {token})", values))
        self._head(Message("7. The agreement is suspended"))
        refused_s = self._suspend(products[0])
        self._head(Message("8. What a suspension costs"))
        picture = self._plan()
        self._head(Message("9. The proof"))
        verified = self._verify()
        total_s = time.monotonic() - begin
        figures: dict[str, Json] = {
            "echoes_to_partner_store_s": round(to_store_s, 2),
            "order_to_partner_store_s": round(order_s, 2),
            "suspension_to_refusal_s": round(refused_s, 3),
            "payload_bytes": moved,
            "decisions": self._decisions,
            "log_entries_verified": verified,
            "what_if_picture": str(picture),
            "total_s": round(total_s, 2),
            "nodes": [
                {
                    "party": n.party,
                    "people_url": n.people_url,
                    "partner_url": n.partner_url,
                    "token": n.token,
                    "folder": str(n.folder),
                }
                for n in self._nodes.values()
            ],
        }
        self._figures(figures)
        return figures

    def _figures(self, figures: dict[str, Json]) -> None:
        self._head(Message("Figures of this run"))
        rows = [
            (_("radar echoes to the partner's store"), f"{figures['echoes_to_partner_store_s']} s"),
            (_("image ordered to the partner's store"), f"{figures['order_to_partner_store_s']} s"),
            (_("suspension recorded to refusal received"), f"{figures['suspension_to_refusal_s']} s"),
            (_("bytes that went to the partner"), f"{figures['payload_bytes']}"),
            (_("decisions recorded"), f"{figures['decisions']}"),
            (_("log entries verified"), f"{figures['log_entries_verified']}"),
            (_("the whole run"), f"{figures['total_s']} s"),
        ]
        if self._loud:
            for name, value in rows:
                click.echo(f"  {name}: {value}")

    # ---- 1

    def _form(self) -> tuple[Path, Path]:
        from kizuna.earth.scene import LocalScene
        from kizuna.formats.gotcha import NOMINAL_POSITION, describe, read_history
        from kizuna.formats.sicd import consistency_findings, write_sicd
        from kizuna.sar.image import form_image

        with ExitStack() as stack:
            sources = sorted(sample_folder("gotcha").glob("*.mat"))
            history = read_history([stack.enter_context(source.open("rb")) for source in sources], polarisation="HH")
        made: list[Path] = []
        for name, extent_m, label, classification in [
            ("gotcha-car-park.nitf", 100.0, "scene", "UNCLASSIFIED"),
            ("gotcha-detail.nitf", 40.0, "withheld", "SECRET"),
        ]:
            path = self._root / name
            progress = Progress(_("forming {name}").format(name=name)) if self._loud else None
            image = form_image(history, LocalScene(NOMINAL_POSITION), extent_m=extent_m, nominal=True, progress=progress)
            if label == "scene":
                self._trihedral(image)
            description = replace(describe(produced=system_now(), classification=classification), core_name=_core_name(name))
            with path.open("w+b") as file:
                write_sicd(file, image, description)
                file.seek(0)
                findings = consistency_findings(file)
            _require(not findings, Message("{name} does not pass sicdcheck", {"name": name}))
            label_path(path).write_bytes((sample_folder("gotcha") / f"{label}.label.toml").read_bytes())
            self._say(
                Message("  {name}: {size} bytes of SICD, sicdcheck finds nothing", {"name": name, "size": path.stat().st_size})
            )
            made.append(path)
        self._say(
            Message("  Its place and time are nominal: the public data carry neither. The Sentinel-1 scene has true positions.")
        )
        return made[0], made[1]

    def _trihedral(self, image: FormedImage) -> None:
        from kizuna.sar.quality import ground_resolution, measure_point

        found = measure_point(image.pixels, image.grid, (*_TRIHEDRAL_M, 0.0))
        range_m, cross_m = ground_resolution(image.history)
        east_m, north_m = float(found.position_m[0]), float(found.position_m[1])
        range_ratio, cross_ratio = found.row_width_m / range_m, found.col_width_m / cross_m
        off_m = ((east_m - _TRIHEDRAL_M[0]) ** 2 + (north_m - _TRIHEDRAL_M[1]) ** 2) ** 0.5
        values: dict[str, str | int | float] = {
            "east": f"{east_m:.2f}",
            "north": f"{north_m:.2f}",
            "range": f"{100 * (range_ratio - 1):+.1f}",
            "cross": f"{100 * (cross_ratio - 1):+.1f}",
        }
        self._say(
            Message(
                "  trihedral at ({east}, {north}) m; its widths are {range} % (range) and {cross} % (cross-range) off theory",
                values,
            )
        )
        _require(off_m <= _PLACE_TOLERANCE_M, Message("the trihedral is not in its place"))
        worst = max(abs(range_ratio - 1), abs(cross_ratio - 1))
        _require(worst <= _WIDTH_TOLERANCE, Message("the trihedral is not as narrow as theory says"))

    # ---- 2

    def _start(self, flying: subprocess.Popen[str]) -> None:
        for party in (JPN, UKR, NZL):
            folder = self._root / party.replace("/", "-").lower()
            accepted = () if party == NZL else _SUPPLEMENT
            settings = Settings(partner_listen=_ANY_PORT, people_listen=_ANY_PORT, accept_fictional=accepted)
            if party == JPN:
                url = self._first_line(flying, party)["url"]
                settings = replace(settings, tasking_provider=url, tasking_label=str(LABEL))
            token = make_node(folder, party, settings)
            self._nodes[party] = self._serve(party, folder, token)
        cards: dict[Party, dict[str, Json]] = {}
        for party, running in self._nodes.items():
            with open_node(running.folder) as node:
                cards[party] = node_card(node, running.partner_url)
        coalition = sample_folder("coalition")
        register = [*sorted(coalition.glob("*.toml")), *sorted(coalition.glob("fictional/*.toml")), AGREEMENT_FILE]
        for party, running in self._nodes.items():
            with open_node(running.folder) as node:
                for other in (UKR, NZL) if party == JPN else (JPN,):
                    pin_partner(node, cards[other])
                if party != NZL:
                    self._record(node, register)
            values: dict[str, str | int | float] = {"party": party, "url": running.partner_url, "pid": running.process.pid}
            self._say(Message("  {party}: partners at {url}, process {pid}", values))
        self._say(
            Message(
                "  FICTIONAL in what follows: the dates, terms and equivalences of {ids}, and the labels",
                {"ids": ", ".join(_SUPPLEMENT)},
            )
        )

    def _record(self, node: Node, register: list[Path]) -> None:
        for path in register:
            if path.name != "markings.toml":
                record_agreement(node, parse_toml(path.read_bytes(), name=path.name), CIVIL_OFFSETS, _SUPPLEMENT)

    def _begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command of ours that runs beside the demo until it is stopped."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_") or name == "KIZUNA_STATE"}
        with _signals_kept():
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "kizuna", *words],
                stdout=subprocess.PIPE,
                text=True,
                # Ctrl-C is for the demo, which stops its processes itself.
                start_new_session=True,
                env=kept,
            )
            self._processes.append(process)
        return process

    def _first_line(self, process: subprocess.Popen[str], party: Party) -> dict[str, str]:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        line = process.stdout.readline()
        if not line:
            raise DemoFailed(Message("the node of {party} did not start", {"party": party}))
        said: dict[str, str] = json.loads(line)
        return said

    def _serve(self, party: Party, folder: Path, token: str) -> _Running:
        process = self._begin("node", "serve", "--node", str(folder), "--json")
        urls = self._first_line(process, party)
        return _Running(party, folder, token, process, urls["partner_url"], urls["people_url"])

    # ---- 3

    def _publish(self, scene: Path, withheld: Path) -> list[Product]:
        sentinel = sample_folder("sentinel1") / "cog_gcps.tif"
        # The scene's own time stands in its name upstream, not in the file: only the day is sure.
        day = Interval(parse_instant("2018-01-01T00:00:00Z"), parse_instant("2019-01-01T00:00:00Z"))
        nominal = (_("The time is nominal: the public data carry none."),)
        products = []
        with open_node(self._nodes[JPN].folder) as node:
            for path, described in [
                (scene, Described(title="Car park, spotlight (Gotcha, three degrees)", notes=nominal)),
                (sentinel, Described(title="Kochi coast (Sentinel-1 GRD, 2018)", event=day)),
                (withheld, Described(title="Car park, detail (withheld)", notes=nominal)),
            ]:
                with path.open("rb") as file:
                    published = publish(node, file, path.name, read_label_file(label_path(path)), described)
                products.append(published.product)
                values: dict[str, str | int | float] = {
                    "title": published.product.title,
                    "marking": published.product.label.marking,
                }
                self._say(Message("  published: {title}  [{marking}]", values))
        return products

    def _explain(self, products: list[Product]) -> None:
        expected = {(UKR, 0): "reduced", (UKR, 1): "permit"}
        with open_node(self._nodes[JPN].folder) as node:
            for partner in (UKR, NZL):
                for index, product in enumerate(products):
                    decision = decide_item(node, product, partner)
                    self._line(partner, product, decision)
                    word = "reduced" if decision.reduced else decision.outcome.value
                    values: dict[str, str | int | float] = {"title": product.title, "partner": partner, "got": word}
                    _require(word == expected.get((partner, index), "deny"), Message("{title} for {partner}: {got}", values))

    def _line(self, partner: Party, product: Product, decision: Decision) -> None:
        if not self._loud:
            return
        reason = decision.reasons[0]
        facts = []
        if decision.outcome is Outcome.PERMIT and reason.since is not None:
            facts.append(_("in force since {date}").format(date=reason.since))
        if reason.fictional:
            facts.append(_("FICTIONAL"))
        facts += [o.kind.value for o in decision.obligations]
        tail = f" [{', '.join(facts)}]" if facts else ""
        color = {Outcome.PERMIT: "green", Outcome.REFER: "yellow", Outcome.DENY: "red"}[decision.outcome]
        word = click.style(f"{outcome_word(decision):<8}", fg=color, bold=True)
        click.echo(f"  {partner:<8} {word} {product.title}: {reason.message.render(_)}{tail}")

    # ---- 4

    def _sync(self, party: Party) -> tuple[int, dict[str, Json]]:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "kizuna", "sync", "--node", str(self._nodes[party].folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            answer: dict[str, Json] = json.loads(done.stdout)["partners"][0]
        except (ValueError, KeyError, IndexError):
            values: dict[str, str | int | float] = {"party": party, "said": done.stderr.strip()[-500:]}
            raise DemoFailed(Message("the pull of {party} failed: {said}", values)) from None
        if "error" in answer:
            raise DemoFailed(Message("the pull of {party} failed: {said}", {"party": party, "said": str(answer["error"])}))
        return done.returncode, answer

    def _exchange(self) -> int:
        _status, got = self._sync(UKR)
        received = got["received"]
        moved = got["bytes"]
        assert isinstance(received, list)  # noqa: S101 - our own program's form
        assert isinstance(moved, int)  # noqa: S101
        values: dict[str, str | int | float] = {"party": UKR, "count": len(received), "bytes": moved}
        self._say(Message("  {party} verified and stored {count} products, {bytes} bytes", values))
        _require(len(received) == 2, Message("the partner did not get the two products"))  # noqa: PLR2004
        with open_node(self._nodes[UKR].folder) as node:
            stored = [item.product for item in node.store.items.all()]
            _require(len(stored) == len(received), Message("the partner's store does not hold what it received"))
            _require(not any(p.complex_data for p in stored), Message("complex data went out"))
            _require(all(node.blobs.has(a.digest) for p in stored for a in p.assets), Message("a file is missing at the partner"))
        _status, nothing = self._sync(NZL)
        _require(nothing["received"] == [], Message("a node without an agreement received something"))
        self._say(Message("  {party} pulled and got nothing", {"party": NZL}))
        return moved

    def _answer_to(self, party: Party) -> bytes:
        """The very bytes that the Japanese node's feed gives to `party`, once its certificate is let in."""
        folder = self._nodes[party].folder
        with open_node(folder) as node:
            partner = node.partner(JPN)
        end = time.monotonic() + _START_S
        while True:
            try:
                with transport_to(folder, partner) as transport:
                    return transport.feed(0, 100)
            except KizunaError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    # ---- 5

    def _order(self, scheduling: subprocess.Popen[str]) -> float:
        """Let the Ukrainian node order what it scheduled; seconds until it holds the image."""
        schedule, folder = self._root / "schedule.json", self._nodes[UKR].folder
        schedule.write_text(scheduling.communicate()[0], encoding="utf-8")
        begin = time.monotonic()
        ordered = Ordered.of(self._begin(*order_words(schedule, folder)).communicate()[0], JPN)
        self._say(ordered.told(UKR))
        product = completed(folder, ordered)
        _status, got = self._sync(UKR)
        received = got["received"]
        assert isinstance(received, list)  # noqa: S101 - our own program's form
        taken_s = time.monotonic() - begin
        with open_node(folder) as node:
            held = node.store.items.get(product) is not None
        _require(held and len(received) == 1, Message("the image that was ordered did not come"))
        values: dict[str, str | int | float] = {"party": UKR, "seconds": f"{taken_s:.1f}"}
        self._say(
            Message("  the simulated provider flew and delivered; {party} has the image, {seconds} s after its order", values)
        )
        return taken_s

    # ---- 8

    def _plan(self) -> Path:
        from kizuna.cli.story_plan import draw_loss, told

        picture = self._root / "what-if.png"
        losses = draw_loss(picture, system_now())
        for loss in losses:
            self._say(told(loss))
            _require(loss.after_s > loss.before_s, Message("the suspension costs {place} nothing", {"place": loss.place}))
        self._say(Message("  FICTIONAL: these agreements. The picture: {path}", {"path": str(picture)}))
        return picture

    # ---- 7, 9

    def _suspend(self, product: Product) -> float:
        reason = _("Review of the third-party rule.")
        with open_node(self._nodes[JPN].folder) as node:
            suspend_agreement(node, AGREEMENT, reason, "release officer (demo)")
            begin = time.monotonic()
            with (
                open_node(self._nodes[UKR].folder) as receiver,
                transport_to(self._nodes[UKR].folder, receiver.partner(JPN)) as way,
            ):
                report = pull(receiver, receiver.partner(JPN), way)
            refused_s = time.monotonic() - begin
            _require(report.refusal is not None, Message("the pull after the suspension was not refused"))
            status, answer = self._sync(UKR)
            _require(status == _REFUSED and answer["refusal"] is not None, Message("the second pull was not refused"))
            if report.refusal is not None:
                values: dict[str, str | int | float] = {
                    "party": UKR,
                    "reason": report.refusal.reason,
                    "ms": round(1000 * refused_s),
                }
                self._say(Message("  {party} pulls and is refused, {ms} ms after the suspension: {reason}", values))
            now = node.now()
            yesterday = Instant(now - timedelta(days=1))
            today = decide_item(node, product, UKR)
            replayed = decide_item(node, product, UKR, valid_at=yesterday, known_at=now)
            _require(today.outcome is Outcome.DENY, Message("the decision of today is not a refusal"))
            _require(replayed.outcome is Outcome.PERMIT, Message("the decision as of the day before is not a permit"))
            self._say(Message("  today:"))
            self._line(UKR, product, today)
            self._say(Message("  replayed as of {instant}, with what is known now:", {"instant": format_instant(yesterday)}))
            self._line(UKR, product, replayed)
        return refused_s

    def _verify(self) -> int:
        verified = 0
        for running in self._nodes.values():
            with open_node(running.folder) as node:
                state = verify_node(node)
                self._decisions += sum(len(decided_on(fact)) for _index, fact in node.journal.facts())
            verified += state.size
            values: dict[str, str | int | float] = {"party": running.party, "size": state.size, "root": state.root.hex()[:16]}
            self._say(Message("  {party}: {size} log entries verified, root {root}…", values))
        return verified

    # ---- end

    def wait(self) -> None:
        """Wait until a person stops the demo, or a node dies."""
        try:
            while all(running.process.poll() is None for running in self._nodes.values()):
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
        raise DemoFailed(Message("a node ended by itself"))

    def stop(self) -> None:
        """Stop every node that this story started."""
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep back what would end the demo while it starts a process: one that it does not know yet it could not stop."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in END_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def _core_name(name: str) -> str:
    return name.removesuffix(".nitf")
