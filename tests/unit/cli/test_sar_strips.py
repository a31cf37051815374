"""Strips from recipe to measured image, by the commands alone."""

import json

import numpy as np
import pytest
import sarkit.sidd
from click.testing import CliRunner

from kizuna.cli.sar_form import form
from kizuna.cli.sar_quality import quality
from kizuna.cli.sar_simulate import simulate
from kizuna.errors import InputError
from kizuna.formats.sicd import consistency_findings

RECIPE = """
schema = "kizuna/scene/1"
name = "two reflectors"
mode = "stripmap"
seed = 1
start = 2026-11-21T20:30:00Z
extent_m = 100.0
place = { latitude_deg = 35.35, longitude_deg = 139.65 }
orbit = { height_m = 575000.0, incidence_deg = 45.0, pass = "descending", look = "left" }
surface = [{ name = "water", sigma0_db = -20.0 }]
reflector = [
  { name = "near", position_m = [20, -60, 2.0], leg_m = 2.0 },
  { name = "far", position_m = [-30, 70, 9.0], leg_m = 2.0 },
  { name = "outside", position_m = [0, 900, 0.0], leg_m = 2.0 },
]

[radar]
name = "simulated"
centre_frequency_hz = 9.65e9
bandwidth_hz = 300e6
azimuth_resolution_m = 0.5
noise_equivalent_sigma0_db = -20.0
polarisation = "VV"
assumed = ["bandwidth_hz"]

[stripmap]
length_m = 500.0
swath_m = 400.0
bandwidth_hz = 40e6
azimuth_resolution_m = 5.0
"""


def run(command, *arguments):
    result = CliRunner().invoke(command, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_a_strip_is_simulated_formed_and_measured(tmp_path):
    recipe, echoes, truth, image = (tmp_path / name for name in ("strip.toml", "strip.cphd", "strip.geojson", "strip.nitf"))
    recipe.write_text(RECIPE)
    told = run(simulate, recipe, "--output", echoes, "--truth", truth, "--json")
    assert (told["mode"], told["extent_m"], told["length_m"]) == ("stripmap", 400.0, 500.0)
    run(form, echoes, "--method", "omega-k", "--output", image, "--json")
    with image.open("rb") as file:
        assert consistency_findings(file) == ()
    found = run(quality, image, "--targets", truth, "--json")
    assert [target["name"] for target in found["targets"]] == ["near", "far"]
    for target in found["targets"]:
        assert target["widths_m"] == pytest.approx(found["widths_m"], rel=0.01)
        assert target["widths_m"][1] == pytest.approx(5.0, rel=0.01)
        assert np.abs(target["offset_m"]).max() < 0.1
        assert target["cross_section_error_db"] == pytest.approx(0.0, abs=0.15)
        for axis in ("along_rows", "along_cols"):
            assert target["response"][axis]["pslr_db"] == pytest.approx(-13.26, abs=0.4)
    detected = run(form, echoes, "--method", "omega-k", "--looks", "3", "--output", tmp_path / "looks.nitf", "--json")
    assert detected["looks"] == 3
    with (tmp_path / "looks.nitf").open("rb") as file, sarkit.sidd.NitfReader(file) as reader:
        tree = reader.metadata.images[0].xmltree
    assert float(tree.findtext("{*}ExploitationFeatures/{*}Product/{*}Resolution/{*}Col")) == pytest.approx(15.0, rel=0.01)


def test_the_map_of_a_strip_is_another_command(tmp_path):
    recipe = tmp_path / "strip.toml"
    recipe.write_text(RECIPE)
    with pytest.raises(InputError) as refused:
        run(simulate, recipe, "--output", tmp_path / "strip.cphd", "--image", tmp_path / "strip.tif")
    assert refused.value.field == "image"
