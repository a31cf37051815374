"""SIDD files that kizuna writes: its checker, pixels, place and marking."""

import io
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import sarkit.sidd.calculations
from simulators.collections import START, orbital_collection, orbital_image

from kizuna.errors import InputError
from kizuna.formats.marking import UNCLASSIFIED, marking_of
from kizuna.formats.nitf_security import CountryCodes, file_security, label_of
from kizuna.formats.sicd_metadata import describe_collection
from kizuna.formats.sidd import read_sidd_summary, sidd_findings
from kizuna.formats.sidd_write import detected_image, eye_levels, write_sidd
from kizuna.model.label import Label
from kizuna.model.parties import parse_party

LABEL = Label("JPN", "秘", parse_party("JPN"), START, (parse_party("UKR"),))
MARKING = marking_of(LABEL, letters={"秘": "C"})


@pytest.fixture(scope="module")
def collection():
    return orbital_collection()


@pytest.fixture(scope="module")
def image(collection):
    return orbital_image(collection)


def detected(image, collection, marking=UNCLASSIFIED):
    return detected_image(image, describe_collection(collection, produced=START, marking=marking))


def written(product):
    out = io.BytesIO()
    write_sidd(out, product)
    return out


@pytest.mark.parametrize(("marking", "kind"), [(MARKING, np.uint8), (UNCLASSIFIED, np.uint16)])
def test_checker_finds_nothing_and_gdal_reads_the_same(image, collection, marking, kind):
    product = detected(image, collection, marking)
    product = replace(product, levels=product.levels.astype(kind))
    file = written(product)
    assert sidd_findings(file) == ()
    with rasterio.MemoryFile(file.getvalue()) as memory, memory.open() as dataset:
        band = dataset.read(1)
    assert band.dtype == kind
    assert np.array_equal(band, product.levels)
    assert written(product).getvalue() == file.getvalue()


def test_places_are_where_the_scene_says(image, collection):
    product = detected(image, collection)
    file = written(product)
    tree = sarkit.sidd.NitfReader(io.BytesIO(file.getvalue())).metadata.images[0].xmltree
    pixels = np.array([[4.0, 6.0], [50.0, 40.0]])
    places = collection.scene.to_ecef(image.grid.to_scene(pixels[:, 0] / 2.0, pixels[:, 1] / 2.0))
    assert sarkit.sidd.calculations.pixel_to_ecef(tree, pixels) == pytest.approx(places, abs=1e-6)


def test_summary_reads_it_back(image, collection):
    summary = read_sidd_summary(written(detected(image, collection)))
    assert (summary.sensor, summary.product_name, summary.classification) == ("KZ-1", "port", "U")
    assert summary.observation.radar.polarisations == ("HH",)
    assert summary.collected.begin == START


def test_label_stands_in_nitf_and_ism(image, collection):
    file = written(detected(image, collection, MARKING))
    group = file_security(file.getvalue()[:400])
    assert label_of(group, codes=CountryCodes.ISO_3166, created=START, letters={"秘": "C"}) == LABEL
    text = file.getvalue().decode("latin1")
    for attribute in ('ism:classification="C"', 'ism:ownerProducer="JPN"', 'ism:releasableTo="UKR"'):
        assert attribute in text


def test_a_word_that_ism_lacks_is_not_written_as_unclassified(image, collection):
    marking = replace(UNCLASSIFIED, classification="COSMIC SOMETHING")
    with pytest.raises(InputError) as caught:
        written(detected(image, collection, marking))
    assert caught.value.field == "classification"


def test_levels_span_dark_to_bright():
    amplitude = np.geomspace(1e-3, 1e3, 10_000, dtype=np.float32).reshape(100, 100)
    levels, words = eye_levels(amplitude)
    assert (levels.min(), levels.max()) == (0, 255)
    assert (np.diff(levels.ravel().astype(int)) >= 0).all()
    assert words.startswith("decibels, -12.00 dB black")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda product: replace(product, levels=product.levels.astype(float)), "levels"),
        (lambda product: replace(product, row_ecef=product.reference_ecef_m / np.linalg.norm(product.reference_ecef_m)), "plane"),
    ],
)
def test_what_sidd_cannot_hold_is_refused(image, collection, change, field):
    with pytest.raises(InputError) as caught:
        write_sidd(io.BytesIO(), change(detected(image, collection)))
    assert caught.value.field == field
