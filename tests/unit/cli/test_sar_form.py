"""``kizuna sar form`` over real echoes: what it writes passes the standard's checker and says how it was made."""

import json
from importlib import resources

import numpy as np
import pytest
import sarkit.sidd
from click.testing import CliRunner

from kizuna.cli.sar_form import _AUTOFOCUS, _METHODS, _PLANES, form
from kizuna.errors import InputError
from kizuna.formats.sicd import consistency_findings, read_metadata, read_pixels
from kizuna.formats.sicd_metadata import Plane
from kizuna.formats.sidd import sidd_findings
from kizuna.sar.form import Method

FOLDER = resources.files("kizuna.samples") / "gotcha"
FILES = [str(FOLDER / f"data_3dsar_pass1_az00{degree}_HH.mat") for degree in (1, 2, 3)]


def run(*arguments):
    result = CliRunner().invoke(form, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_choices_are_the_enumerations():
    assert set(_METHODS) <= set(Method)
    assert {plane.upper() for plane in _PLANES} <= set(Plane)
    assert _AUTOFOCUS[0] == "none"


def test_polar_format_is_what_backprojection_writes(tmp_path):
    images = []
    for method in ("backprojection", "polar-format"):
        output = tmp_path / f"{method}.nitf"
        run(*FILES, "--grid", "24:0.2", "--method", method, "--plane", "slant", "--output", str(output))
        with output.open("rb") as file:
            assert read_metadata(file).findtext("{*}Grid/{*}ImagePlane") == "SLANT"
            images.append(read_pixels(file))
    exact, fast = images
    assert np.linalg.norm(fast - exact) < 0.01 * np.linalg.norm(exact)


def test_window_autofocus_and_parts_are_written_down(tmp_path):
    output, solution = tmp_path / "scene.nitf", tmp_path / "phases.json"
    answer = run(
        *FILES, "--grid", "48:0.2", "--method", "polar-format", "--window", "taylor:30,4",
        "--autofocus", "own", "--solution", str(solution), "--sub-apertures", "2", "--output", str(output), "--json",
    )  # fmt: skip
    paths = [tmp_path / f"scene-{part}.nitf" for part in (1, 2)]
    assert [image["output"] for image in json.loads(answer)["images"]] == [str(path) for path in paths]
    phases = json.loads(solution.read_text())["HH"]["phase_rad"]
    assert len(phases) == 352
    assert np.std(phases) > 0.1
    for path in paths:
        with path.open("rb") as file:
            tree = read_metadata(file)
        assert tree.findtext("{*}Grid/{*}Row/{*}WgtType/{*}WindowName") == "TAYLOR"
        assert tree.findtext("{*}ImageFormation/{*}AzAutofocus") == "GLOBAL"
        assert "phase gradient" in (tree.xpath("string(//*[@name='Autofocus'])"))
        assert tree.xpath("string(//*[local-name()='Processing']/*[local-name()='Type'])") == "polar format"


def test_looks_are_written_as_a_detected_image_as_much_coarser(tmp_path):
    widths = []
    for looks in (2, 4):
        output = tmp_path / f"{looks}.nitf"
        told = json.loads(
            run(*FILES, "--grid", "48:0.2", "--method", "polar-format", "--looks", str(looks), "--output", str(output), "--json")
        )
        assert told["looks"] == looks
        assert looks - 1 < told["equivalent_looks"] < looks + 1  # a lawn and a car park
        with output.open("rb") as file, sarkit.sidd.NitfReader(file) as reader:
            tree = reader.metadata.images[0].xmltree
            assert list(reader.read_image(0).shape) == told["shape"]
            assert sidd_findings(file) == ()
        assert tree.xpath("string(//*[@name='Looks'])").startswith(f"{looks}, ")
        widths.append(float(tree.findtext("{*}ExploitationFeatures/{*}Product/{*}Resolution/{*}Col")))
    assert widths[1] == pytest.approx(2.0 * widths[0])


def test_apodised_image_passes_the_checker(tmp_path):
    output = tmp_path / "clean.nitf"
    run(*FILES, "--grid", "24:0.2", "--method", "polar-format", "--apodise", "--autofocus", "given", "--output", str(output))
    with output.open("rb") as file:
        assert consistency_findings(file) == ()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--grid", "wide"], "grid"),
        (["--window", "boxcar"], "window"),
        (["--window", "hann", "--apodise"], "window"),
        (["--grid", "20:0.2", "--sub-apertures", "300"], "looks"),
        (["--grid", "20:0.2", "--method", "polar-format", "--looks", "90"], "looks"),
        (["--looks", "2", "--apodise"], "apodise"),
        (["--looks", "2", "--sub-apertures", "2"], "sub-apertures"),
    ],
)
def test_refuses(tmp_path, arguments, field):
    with pytest.raises(InputError) as refusal:
        run(*FILES, "--output", str(tmp_path / "never.nitf"), *arguments)
    assert refusal.value.field == field
    assert not list(tmp_path.iterdir())


def test_refuses_to_overwrite_one_of_several(tmp_path):
    (tmp_path / "scene-2.nitf").touch()
    with pytest.raises(InputError) as refusal:
        run(*FILES, "--sub-apertures", "2", "--output", str(tmp_path / "scene.nitf"))
    assert refusal.value.field == "output"
    assert [path.name for path in tmp_path.iterdir()] == ["scene-2.nitf"]
