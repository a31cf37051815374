"""Polarisations of one collection: on the same pixels, in the same phase, whatever pulses they came by; and in colour."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from simulators.collections import START, orbital_collection
from simulators.strips import strip_collection

from kizuna.cli.sar_form import form
from kizuna.errors import InputError
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.polarisation_picture import channels_in_colour, composite_png
from kizuna.formats.sicd import consistency_findings, read_metadata, read_pixels

# One bounce, two bounces, two bounces across: what HH, HV, VH and VV get of each (Lee and Pottier 2009, section 3.2).
TARGETS = ((-30.0, -20.0, 0.0), (0.0, 25.0, 0.0), (30.0, -5.0, 0.0))
SCATTERED = {"HH": (1.0, 1.0, 0.0), "HV": (0.0, 0.0, 1.0), "VV": (1.0, -1.0, 0.0)}


def polarised(collections):
    """One collection of each polarisation out of the echoes of each target alone."""
    found = {}
    for name, shares in SCATTERED.items():
        samples = sum(share * one.history.samples for share, one in zip(shares, collections[name], strict=True))
        first = collections[name][0]
        found[name] = replace(first, history=replace(first.history, samples=samples.astype(np.complex64), polarisation=name))
    return found


def every_third(collection, first):
    history, turn = collection.history, slice(first, None, 3)
    cut = {name: getattr(history, name)[turn] for name in ("samples", "positions_m", "reference_range_m", "times_s")}
    return replace(collection, history=replace(history, **cut))


def alternating():
    """Spotlight whose polarisations take turns from pulse to pulse."""
    whole = [orbital_collection([target], pulses=120, bandwidth_hz=60e6, seconds=0.8, known=False) for target in TARGETS]

    return polarised({name: [every_third(one, first) for one in whole] for first, name in enumerate(SCATTERED)})


def written(folder, collections):
    paths = []
    for name, collection in collections.items():
        paths.append(folder / f"{name.lower()}.cphd")
        with paths[-1].open("w+b") as file:
            write_cphd(file, collection, produced=START)
    return paths


def run(*arguments):
    result = CliRunner().invoke(form, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def formed(folder, *arguments):
    """Pixels and metadata of each polarisation."""
    told = run(*arguments, "--output", folder / "scene.nitf", "--json")
    assert len(told["images"]) == len(SCATTERED)
    pixels, trees = {}, {}
    for name in SCATTERED:
        with (folder / f"scene-{name}.nitf").open("rb") as file:
            assert consistency_findings(file) == ()
            pixels[name], trees[name] = read_pixels(file), read_metadata(file)
    return pixels, trees


def at_targets(pixels):
    """Pixel of each target, in order along the rows: brightest of all polarisations, three times."""
    power = sum(np.abs(one) ** 2 for one in pixels.values())
    found = []
    for _target in TARGETS:
        row, col = np.unravel_index(power.argmax(), power.shape)
        found.append((int(row), int(col)))
        power[max(row - 6, 0) : row + 7, max(col - 6, 0) : col + 7] = 0.0
    return found


def kind_of(values):
    """Which target it is, by what polarisations say of each other at a pixel: their phases count."""
    strongest = max(np.abs(one) for one in values.values())
    measured = np.array([values[name] for name in SCATTERED])
    measured = measured / measured[np.abs(measured).argmax()]
    errors = []
    for number in range(len(TARGETS)):
        wanted = np.array([SCATTERED[name][number] for name in SCATTERED])
        errors.append(float(np.abs(measured - wanted / wanted[np.abs(wanted).argmax()]).max()))
    assert strongest > 0.0
    return int(np.argmin(errors)), min(errors)


@pytest.mark.parametrize("method", ["backprojection", "polar-format"])
def test_alternating_pulses_come_onto_the_same_pixels_in_the_same_phase(tmp_path, method):
    paths = written(tmp_path, alternating())
    picture = tmp_path / "scene.png"
    pixels, trees = formed(tmp_path, *paths, "--method", method, "--grid", "90:1.65", "--composite", picture)
    found = [kind_of({name: one[place] for name, one in pixels.items()}) for place in at_targets(pixels)]
    assert sorted(kind for kind, _error in found) == [0, 1, 2]
    # A pulse of turn between the polarisations is half a degree at the scene's edge, sidelobes of the others a little more.
    assert max(error for _kind, error in found) < 0.06
    for path in ("{*}GeoData/{*}SCP/{*}ECF/{*}X", "{*}Grid/{*}Row/{*}SS", "{*}Grid/{*}Col/{*}SS", "{*}ImageData/{*}NumRows"):
        assert len({tree.findtext(path) for tree in trees.values()}) == 1
    assert [tree.findtext("{*}ImageFormation/{*}TxRcvPolarizationProc") for tree in trees.values()] == ["H:H", "H:V", "V:V"]
    with Image.open(picture) as shown:
        assert shown.mode.startswith("RGB")


def test_alternating_pulses_of_strips_do_too(tmp_path):
    strip = {"pulse_rate_hz": 3600.0, "seconds": 0.9, "frequencies": 160, "bandwidth_hz": 60e6, "dwell_hz": 900.0}
    whole = [strip_collection([target], **strip) for target in TARGETS]

    paths = written(
        tmp_path, polarised({name: [every_third(one, first) for one in whole] for first, name in enumerate(SCATTERED)})
    )
    pixels, _trees = formed(tmp_path, *paths, "--method", "omega-k", "--doppler-band", "900")
    found = [kind_of({name: one[place] for name, one in pixels.items()}) for place in at_targets(pixels)]
    assert sorted(kind for kind, _error in found) == [0, 1, 2]
    assert max(error for _kind, error in found) < 0.06


def test_colours_are_those_of_pauli():
    grid = {name: np.array([shares], complex) for name, shares in SCATTERED.items()}
    powers, words = channels_in_colour(grid)
    one, two, across = np.stack(powers, axis=-1)[0]
    assert one.tolist() == [0.0, 0.0, 2.0]
    assert two.tolist() == [2.0, 0.0, 0.0]
    assert across.tolist() == [0.0, 2.0, 0.0]
    assert "two bounces" in words[0]
    powers, words = channels_in_colour({"VH": grid["HV"], "VV": grid["VV"]})
    assert words == ("VV", "VH", "VV")
    assert np.stack(powers, axis=-1)[0].tolist() == [[1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def test_the_picture_shows_a_dihedral_red():
    bright = np.where(np.arange(60) < 3, 1e-3, 1.0)[:, None] * np.ones(60)  # a picture needs something dark
    grid = {name: np.kron(bright, np.array([shares], complex)) for name, shares in SCATTERED.items()}
    with Image.open(io.BytesIO(composite_png(grid, (1.0, 1.0), title="three kinds"))) as shown:
        seen = {colour for _count, colour in shown.convert("RGB").getcolors(1 << 20) if _count > 2000}
    assert {(255, 0, 0), (0, 255, 0), (0, 0, 255)} <= seen


def test_refuses_files_that_are_no_polarisations_of_one_collection(tmp_path):
    collections = alternating()
    one, other = written(tmp_path, {"HH": collections["HH"], "VV": replace(collections["VV"], history=collections["HH"].history)})
    for arguments, field in (
        ((one, other), "files"),
        ((one, "--composite", tmp_path / "x.png"), "composite"),
        ((one, "--composite", tmp_path / "x.png", "--looks", "2"), "looks"),
        ((one, "--composite", one), "output"),
    ):
        with pytest.raises(InputError) as refused:
            run(*arguments, "--grid", "40:1.0", "--output", tmp_path / "never.nitf")
        assert refused.value.field == field
    assert not (tmp_path / "never.nitf").exists()
