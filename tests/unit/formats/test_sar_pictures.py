"""Pictures of complex images: where the arrows point, and what the pictures hold."""

import io

import numpy as np
import pytest
from PIL import Image
from simulators.collections import START, orbital_collection, orbital_image

from kizuna.errors import InputError
from kizuna.formats.sar_pictures import directions_of, looks_png, quicklook_png, spectrum_png
from kizuna.formats.sicd import consistency_findings, write_sicd
from kizuna.formats.sicd_metadata import describe_collection, sicd_metadata
from kizuna.formats.sidd_write import detected_image, write_sidd
from kizuna.notebook import open_image


@pytest.fixture(scope="module")
def collection():
    return orbital_collection()


@pytest.fixture(scope="module")
def image(collection):
    return orbital_image(collection)


def test_directions_on_the_image(image, collection):
    """The radar stands in the west: it looks east, so rows grow eastwards, columns northwards."""
    for kind in ("ground", "slant"):
        placed = orbital_image(collection, kind)
        found = directions_of(sicd_metadata(placed, describe_collection(collection, produced=START)))
        assert found.range == pytest.approx((1.0, 0.0), abs=0.02)
        assert found.shadow == found.range
        assert found.north == pytest.approx((0.0, 1.0), abs=0.02)


@pytest.mark.parametrize("make", [quicklook_png, spectrum_png, looks_png])
def test_pictures_are_pictures_and_always_the_same(image, make):
    first = make(image.pixels, (3.0, 2.0), title="port")
    with Image.open(io.BytesIO(first)) as picture:
        assert min(picture.size) > 300
        # More than one colour: something is shown.
        assert picture.convert("L").getextrema() == (0, 255)
    assert make(image.pixels, (3.0, 2.0), title="port") == first


def test_an_empty_image_is_shown_too():
    assert quicklook_png(np.zeros((8, 8), np.complex64), (1.0, 1.0), title="nothing").startswith(b"\x89PNG")


@pytest.fixture
def scene(tmp_path, image, collection):
    path = tmp_path / "scene.nitf"
    with path.open("w+b") as file:
        write_sicd(file, image, describe_collection(collection, produced=START))
    return path


def test_a_notebook_shows_picture_outline_and_facts(scene):
    shown = open_image(scene)._repr_html_()
    for part in ("data:image/png;base64,", "<polygon points=", "33.4999", "133.5999", "KZ-1", "UNCLASSIFIED"):
        assert part in shown
    assert repr(open_image(scene)) == "SarImage(SICD 1.4.0, 'port', 48 x 40)"
    assert open_image(scene).spectrum().startswith(b"\x89PNG")
    assert open_image(scene).looks(3).startswith(b"\x89PNG")


def test_xarray_in_and_out(scene, image, tmp_path):
    opened = open_image(scene)
    array = opened.to_xarray()
    assert array.dims == ("row", "col")
    assert np.array_equal(array.values, image.pixels)
    assert float(array.row[1] - array.row[0]) == pytest.approx(image.grid.row_spacing_m)
    assert (array.attrs["sensor"], array.attrs["classification"]) == ("KZ-1", "UNCLASSIFIED")
    bright = tmp_path / "bright.nitf"
    opened.with_array((array * 2.0).transpose("col", "row")).save(bright)
    assert np.array_equal(open_image(bright).pixels, image.pixels * np.float32(2.0))
    with bright.open("rb") as file:
        assert consistency_findings(file) == ()
    with pytest.raises(InputError, match="exists"):
        opened.save(bright)
    with pytest.raises(InputError, match="expected") as caught:
        opened.with_array(array[:-1])
    assert caught.value.field == "array"


def test_detected_images_are_shown_and_not_saved_as_complex_ones(tmp_path, image, collection):
    path = tmp_path / "scene.sidd"
    with path.open("w+b") as file:
        write_sidd(file, detected_image(image, describe_collection(collection, produced=START)))
    opened = open_image(path)
    assert "SIDD 3.0.0" in opened._repr_html_()
    with pytest.raises(InputError, match="only complex images are saved"):
        opened.save(tmp_path / "x.nitf")
