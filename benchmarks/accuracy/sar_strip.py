"""How right strips are: point targets on both sides of an orbit, raised too; and ALOS PALSAR's raw echoes.

The strip of ALOS is real: its contrast is that of 6 x 5 looks against their neighbourhood, beside the same echoes conjugated,
which no formation of these signs can focus; `ALOS_PICTURE` names a PNG to draw. The data lie in shared/data; without them that
part is left out.
"""

from __future__ import annotations

import math
import os
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import sarkit.sicd
from scipy.ndimage import uniform_filter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from sar_polar import FIRST_SIDELOBE_DB, cut, exact, report, sidelobe_db  # noqa: E402 - the tests' folder comes first
from simulators.strips import START, strip_collection  # noqa: E402

from kizuna.formats.rrsd import read_rrsd  # noqa: E402
from kizuna.formats.sicd_metadata import describe_collection  # noqa: E402
from kizuna.formats.sicd_rma import strip_metadata  # noqa: E402
from kizuna.sar.history import SPEED_OF_LIGHT_M_S  # noqa: E402
from kizuna.sar.quality import HALF_POWER_WIDTH_OF_SINC  # noqa: E402
from kizuna.sar.strip import form_strip, looks_of, plan_strip  # noqa: E402

ALOS = ROOT.parent / "shared/data/sar/isce3/ALPSRP264757150-H1.0__A_HH_LINE4000-5000_RANGE0-2200.h5"
DWELL_HZ = 3600.0
STRIPS = {
    "right": {},
    "left": {"right": False},
    "1700 Hz ahead": {"moving": True, "doppler_hz": 1700.0, "seconds": 1.7},
}
TARGETS = ((0.0, 0.0, 0.0), (430.0, 120.0, 0.0), (-410.0, -160.0, 0.0), (200.0, -60.0, 60.0))
HALF = 48


def points() -> None:
    """Targets one at a time, so that none stands in another's sidelobes; 2 m of azimuth resolution, 1.8 m of range."""
    errors: dict[str, list[float]] = defaultdict(list)
    for changed in STRIPS.values():
        for target in TARGETS:
            named = {"pulse_rate_hz": 4600.0, "seconds": 1.3, "frequencies": 1250, "bandwidth_hz": 80e6, "dwell_hz": DWELL_HZ}
            collection = strip_collection([target], **{**named, **changed})
            history = collection.history
            plan = plan_strip(collection)
            plan = replace(plan, doppler=replace(plan.doppler, width_hz=DWELL_HZ))
            strip = form_strip(collection, plan)
            tree = strip_metadata(strip, describe_collection(collection, produced=START))
            offset, _, _ = sarkit.sicd.scene_to_image(tree, collection.scene.to_ecef(np.asarray(target)))
            row, col = (float(one) for one in sarkit.sicd.xrowycol_to_rowcol(tree, offset))
            top, left = round(row) - HALF, round(col) - HALF
            chip = strip.pixels[top : top + 2 * HALF, left : left + 2 * HALF].astype(complex)
            fine = _peak(chip)
            metres = plan.grid.row_spacing_m, float(tree.findtext("{*}Grid/{*}Col/{*}SS"))
            errors["px"] += [abs(fine[0] + top - row), abs(fine[1] + left - col)]
            errors["m"].append(math.hypot((fine[0] + top - row) * metres[0], (fine[1] + left - col) * metres[1]))
            cells = (
                SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz) / plan.grid.row_spacing_m,
                1.0 / (DWELL_HZ * plan.grid.col_spacing_s),
            )
            for axis, cell in enumerate(cells):
                line = cut(chip, fine, axis)
                above = np.flatnonzero(line >= math.sqrt(0.5) * line.max())
                width = (above[-1] - above[0] + 1) * 10.0 / 2560.0
                errors["irw"].append(100.0 * abs(width / (HALF_POWER_WIDTH_OF_SINC * cell) - 1.0))
                top_at = int(line.argmax())
                around = min(top_at, len(line) - 1 - top_at)
                line = line[top_at - around : top_at + around + 1]
                errors["pslr"].append(abs(sidelobe_db(line) - FIRST_SIDELOBE_DB))
            rows, cols = np.meshgrid(
                np.arange(round(row) - 4, round(row) + 5), np.arange(round(col) - 4, round(col) + 5), indexing="ij"
            )
            lit = history.samples.any(axis=1)
            seen = replace(
                history, samples=history.samples[lit], positions_m=history.positions_m[lit],
                reference_range_m=history.reference_range_m[lit], times_s=None,
            )  # fmt: skip
            truth = exact(seen, plan.grid, rows, cols)
            beyond = plan.grid.ranges_m()[rows] - plan.grid.range_m
            truth *= np.exp(-4j * math.pi * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S * beyond)
            got = strip.pixels[rows, cols]
            scale = np.vdot(truth, got) / np.vdot(truth, truth)
            errors["exact"].append(20.0 * math.log10(float(np.linalg.norm(got - scale * truth) / np.linalg.norm(scale * truth))))
    report("irw_error_percent", max(errors["irw"]), "%, strips", 1.0)
    report("pslr_error_db", max(errors["pslr"]), "dB, strips", 0.1)
    report("position_error_px", max(errors["px"]), "pixels, strips, by sarkit's projection", 0.05, "sarkit")
    report("position_error_m", max(errors["m"]), "m, strips, by sarkit's projection", 0.05, "sarkit")
    report("strip_vs_exact_db", max(errors["exact"]), "dB, omega-k, beside one factor a target", -45.0, "exact sum", None)


def _peak(chip: np.ndarray) -> tuple[float, float]:
    """Fractional pixel of the greatest magnitude, by the chip's own spectrum."""
    spectrum, offsets, waves = np.fft.fft2(chip), np.linspace(-1.5, 1.5, 601), []
    for axis in (0, 1):  # frequencies about their centroid, wherever the beam looks
        power, frequency = (np.abs(spectrum) ** 2).sum(axis=1 - axis), np.fft.fftfreq(len(chip))
        centroid = np.angle(power @ np.exp(2j * math.pi * frequency)) / (2.0 * math.pi)
        waves.append(np.exp(2j * math.pi * np.outer(HALF + offsets, frequency - np.rint(frequency - centroid))))
    magnitude = np.abs(waves[0] @ spectrum @ waves[1].T)
    top = np.unravel_index(int(magnitude.argmax()), magnitude.shape)
    return HALF + float(offsets[top[0]]), HALF + float(offsets[top[1]])


def _contrast(pixels: np.ndarray) -> float:
    power = looks_of(pixels, (6, 5)) ** 2
    return float(np.std(power / uniform_filter(power, (9, 9))))


def alos() -> None:
    """The raw cut, focused: contrast, and the spectra of the image against what radar and geometry promise."""
    if not ALOS.exists():
        print(f"left out: {ALOS.name} is not here", file=sys.stderr)
        return
    with ALOS.open("rb") as file:
        collection = read_rrsd(file)
    history, plan = collection.history, plan_strip(collection)
    strip = form_strip(collection, plan)
    wrong = form_strip(replace(collection, history=replace(history, samples=np.conj(history.samples))), plan)
    focused, blurred = _contrast(strip.pixels), _contrast(wrong.pixels)
    report(
        "alos_contrast_lost",
        blurred / focused,
        f"of {focused:.3f}, by echoes conjugated",
        0.85,
        "the same echoes, conjugated",
        blurred,
    )
    spacing = SPEED_OF_LIGHT_M_S / (2.0 * plan.grid.row_spacing_m)
    spectrum = uniform_filter((np.abs(np.fft.fft(strip.pixels, axis=0)) ** 2).mean(axis=1), 31, mode="wrap")
    width = float(np.mean(spectrum > 0.5 * np.median(spectrum[spectrum > 0.5 * spectrum.max()]))) * spacing
    report("alos_range_band_error_percent", 100.0 * abs(width / 14e6 - 1.0), f"%, {width / 1e6:.2f} MHz; the chirp has 14", 3.0)
    antenna = 2.0 * float(np.linalg.norm(plan.grid.track.at(plan.grid.time_s, derivative=1))) / 8.9
    report("alos_doppler_band_share", plan.doppler.width_hz / antenna, f"of 2 V / 8.9 m = {antenna:.0f} Hz", 1.1)
    report("alos_doppler_centroid_hz", abs(plan.doppler.centroid_at(plan.grid.range_m)), "Hz; yaw-steered to near zero", 150.0)
    if "ALOS_PICTURE" in os.environ:
        _draw(strip.pixels, plan.grid.row_spacing_m, plan.grid.col_spacing_s, Path(os.environ["ALOS_PICTURE"]))


def _draw(pixels: np.ndarray, row_m: float, col_s: float, path: Path) -> None:
    from matplotlib.figure import Figure

    looks = 4, 2
    level = 20.0 * np.log10(np.maximum(looks_of(pixels, looks), 1e-12))
    level -= np.median(level)
    size_km = pixels.shape[0] * row_m / 1e3, pixels.shape[1] * col_s * 6.76
    figure = Figure(figsize=(9.0, 7.6), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(level, cmap="gray", vmin=-6.0, vmax=7.0, extent=(0.0, size_km[1], size_km[0], 0.0), aspect="auto")
    axes.set_xlabel("along the track, km")
    axes.set_ylabel("slant range beyond the near edge, km")
    title = "ALOS PALSAR, 13 January 2011, HH: 1,000 raw pulses focused by omega-k"
    axes.set_title(f"{title}\n{looks[0]} x {looks[1]} looks, radar at the top, looking down")
    figure.colorbar(shown, ax=axes, label="amplitude, dB about the median")
    figure.savefig(path, dpi=110)


def main() -> None:
    """All figures."""
    points()
    alos()


if __name__ == "__main__":
    main()
