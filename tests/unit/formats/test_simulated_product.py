"""Products of a simulated scene: small ones as a provider delivers them, and the command."""

import io
import json
import math
from importlib import resources

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.warp import transform

from kizuna.cli.sar_simulate import simulate as command
from kizuna.errors import InputError
from kizuna.formats.cphd import read_cphd
from kizuna.formats.scene_recipe import read_scene
from kizuna.formats.sicd import consistency_findings, read_summary
from kizuna.formats.simulated_product import SIGMA0_TAG, moved, simulate_product
from kizuna.model.instants import parse_instant

PRODUCED = parse_instant("2026-11-22T00:00:00Z")
RECIPE = (resources.files("kizuna.samples") / "port" / "port.toml").read_bytes()
KYIV = (50.4, 30.6)


@pytest.fixture(scope="module")
def product():
    """A corner of the port with the reflector "centre" in its middle, put near Kyiv."""
    scene = read_scene(RECIPE, name="port.toml")
    east, north = next(one for one in scene.reflectors if one.name == "centre").position_m[:2]
    return simulate_product(moved(scene, place=KYIV, start=PRODUCED, extent_m=48.0, seed=5, centre_m=(east, north)))


def test_the_image_shows_the_reflector_where_the_truth_says(product):
    truth = next(one for one in product.truth()["features"] if one["properties"]["what"] == "trihedral")
    with rasterio.open(io.BytesIO(product.cog())) as image:
        amplitude = image.read(1)
        row, col = np.unravel_index(np.nanargmax(amplitude), amplitude.shape)
        (x,), (y,) = transform("EPSG:4326", image.crs, *([value] for value in truth["properties"]["seen_at"]))
        at_x, at_y = image.xy(row, col)
        assert math.hypot(at_x - x, at_y - y) < 0.5
        assert SIGMA0_TAG in image.tags()
        # The reflector's cross section stands over its resolution cell, less what falls between pixels twice.
        level = 10.0 * math.log10(np.nanmax(amplitude) ** 2 * product.simulation.acquisition.ground_cell_m2)
        assert level == pytest.approx(truth["properties"]["rcs_dbsm"], abs=2.0)
    # It stands 3.5 m above the water, and lays over by as much under 45 degrees.
    longitude, latitude, height = truth["geometry"]["coordinates"]
    assert height == pytest.approx(3.5)
    shown = truth["properties"]["seen_at"]
    off_m = math.hypot(math.radians(shown[1] - latitude) * 6.37e6, math.radians(shown[0] - longitude) * 6.39e6 * math.cos(0.88))
    assert off_m == pytest.approx(3.5, abs=0.1)


def test_its_files_are_what_they_say(product):
    sicd = io.BytesIO(product.sicd(produced=PRODUCED))
    assert consistency_findings(sicd) == ()
    summary = read_summary(sicd)
    assert summary.sensor == "QPS-SAR (simulated)"
    assert any(note.startswith("Simulated: yes") for note in summary.notes)
    assert any(note.startswith("Assumed bandwidth_hz") for note in summary.notes)
    echoes = read_cphd(io.BytesIO(product.cphd(produced=PRODUCED)))
    assert np.array_equal(echoes.history.samples, product.simulation.history.samples)
    assert np.allclose(echoes.history.positions_m, product.simulation.history.positions_m, atol=1e-3)


def test_refuses_to_move_a_scene_nowhere():
    scene = read_scene(RECIPE, name="port.toml")
    with pytest.raises(InputError) as refused:
        moved(scene, place=(91.0, 0.0))
    assert refused.value.field == "at"
    with pytest.raises(InputError) as refused:
        moved(scene, extent_m=1.0)
    assert refused.value.field == "extent"


def test_the_command_writes_echoes_truth_and_image(tmp_path):
    paths = [tmp_path / name for name in ("port.cphd", "port.geojson", "port.tif")]
    arguments = ["port", "--extent", "24", "--output", paths[0], "--truth", paths[1], "--image", paths[2], "--json"]
    done = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    told = json.loads(done.stdout)
    assert set(told["stages"]) == {"load", "simulate", "write echoes", "form", "geocode and write COG"}
    assert told["peak_gb"] > 0.0
    assert told["machine"]
    assert read_cphd(io.BytesIO(paths[0].read_bytes())).history.pulses == told["pulses"]
    assert json.loads(paths[1].read_text("utf-8"))["simulated"] is True
    with rasterio.open(paths[2]) as image:
        assert image.crs.to_epsg() == 32654
    with pytest.raises(InputError, match="exists"):
        CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    with pytest.raises(InputError, match="no place"):
        CliRunner().invoke(command, ["port", "--at", "here", "--output", str(tmp_path / "x")], catch_exceptions=False)
