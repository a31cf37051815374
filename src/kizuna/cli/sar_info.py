"""``kizuna sar info`` and ``kizuna sar check``: what a radar file says of itself, and whether it is as its standard has it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, print_json, say
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input

if TYPE_CHECKING:
    from kizuna.formats.sar_files import SarFacts
    from kizuna.model.canonical import Json

__all__ = ["check", "info"]

_FINDINGS = 1


@click.command(
    help=_("Say what a radar file says of itself: SICD, SIDD, CPHD, CRSD, Gotcha, Capella's extended metadata."),
    epilog=examples("kizuna sar info scene.nitf", "kizuna sar info echoes.cphd --json"),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
def info(file: Path, json_: bool) -> None:
    """Say it."""
    from kizuna.formats.sar_files import read_sar_facts

    with open_input(file) as opened:
        facts = read_sar_facts(opened)
    if json_:
        print_json(_to_json(facts))
        return
    lines = [(name, text) for name, text in _lines(facts) if text]
    width = max(len(name) for name, _text in lines)
    for name, text in lines:
        click.echo(f"{name.ljust(width)}  {text}")


def _to_json(facts: SarFacts) -> dict[str, Json]:
    from kizuna.model.instants import format_instant
    from kizuna.model.observation import observation_to_json

    ring = facts.footprint_lonlat_deg
    return {
        "format": facts.format.value,
        "version": facts.version,
        "name": facts.name,
        "sensor": facts.sensor,
        "classification": facts.classification,
        "release": facts.release,
        "begin": None if facts.begin is None else format_instant(facts.begin),
        "end": None if facts.end is None else format_instant(facts.end),
        "footprint": None if ring is None else [[list(point) for point in (*ring, ring[0])]],
        "nominal_position": facts.nominal_position,
        "shape": None if facts.shape is None else list(facts.shape),
        "resolution_m": facts.resolution_m,
        "channels": list(facts.channels),
        "observation": None if facts.observation is None else observation_to_json(facts.observation),
    }


def _lines(facts: SarFacts) -> list[tuple[str, str]]:
    from kizuna.model.instants import format_instant
    from kizuna.model.observation import Observation

    observation = facts.observation or Observation()
    radar, viewing = observation.radar, observation.viewing
    unknown = ""
    ring = facts.footprint_lonlat_deg
    times = [format_instant(when) for when in (facts.begin, facts.end) if when is not None]
    return [
        (_("format"), f"{facts.format.value} {facts.version}".rstrip()),
        (_("name"), facts.name),
        (_("sensor"), facts.sensor),
        (_("classification"), facts.classification),
        (_("release"), facts.release),
        (_("observed"), " – ".join(times)),
        (_("mode"), radar.instrument_mode or unknown),
        (_("size"), unknown if facts.shape is None else " × ".join(map(str, facts.shape))),
        (_("polarisation"), ", ".join(radar.polarisations)),
        (_("frequency"), unknown if radar.centre_frequency_hz is None else f"{radar.centre_frequency_hz / 1e9:.4f} GHz"),
        (_("resolution"), unknown if facts.resolution_m is None else f"{facts.resolution_m:.3f} m"),
        (_("pixel"), _pair(radar.spacing_range_m, radar.spacing_azimuth_m)),
        (_("looks to the"), unknown if radar.side is None else _(radar.side.value)),
        (_("orbit"), unknown if observation.orbit.state is None else _(observation.orbit.state.value)),
        (_("incidence"), unknown if viewing.incidence_rad is None else f"{math.degrees(viewing.incidence_rad):.2f}°"),
        (_("middle"), unknown if ring is None else _middle(ring, nominal=facts.nominal_position)),
        (_("channels"), ", ".join(facts.channels)),
    ]


def _pair(rows_m: float | None, cols_m: float | None) -> str:
    return "" if rows_m is None or cols_m is None else f"{rows_m:.3f} m × {cols_m:.3f} m"


def _middle(ring: tuple[tuple[float, float], ...], *, nominal: bool) -> str:
    longitude, latitude = (sum(values) / len(ring) for values in zip(*ring, strict=True))
    place = f"{latitude:.5f}°, {longitude:.5f}°"
    return place + " (" + _("assigned, not measured") + ")" if nominal else place


@click.command(
    help=_(
        "Check radar files against their standards (SICD, SIDD, CPHD, CRSD): exit 0 where nothing was found, 1 where something "
        "was, 2 where a file cannot be read."
    ),
    epilog=examples("kizuna sar check scene.nitf echoes.cphd", "kizuna sar check scene.nitf --json"),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@as_json
@click.pass_context
def check(context: click.Context, files: tuple[Path, ...], json_: bool) -> None:
    """Check."""
    from kizuna.formats.sar_files import check_sar_file, format_of

    answers: list[Json] = []
    found = 0
    for path in files:
        try:
            with open_input(path) as opened:
                kind = format_of(opened)
                findings = check_sar_file(opened, kind)
        except InputError as error:
            raise InputError(
                Message("{path}: {why}", {"path": str(path), "why": error.message}), hint=error.hint, field=error.field
            ) from error
        found += len(findings)
        answers.append({"file": str(path), "format": kind.value, "findings": list(findings)})
        if not json_:
            for finding in findings:
                click.echo(f"{path}: {finding}")
            if not findings:
                say(Message("{path}: {format}, nothing found", {"path": str(path), "format": kind.value}))
    if json_:
        print_json(answers)
    context.exit(_FINDINGS if found else 0)
