"""Files cut off, with bytes changed or taken out: each is taken in or refused with words, at once and in bounded memory."""

from __future__ import annotations

import io
import tracemalloc
from contextlib import suppress
from pathlib import PurePath

import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulators import partner_files
from simulators.processes import kizuna

from kizuna.errors import InputError
from kizuna.kinds.registry import sniff

pytestmark = pytest.mark.filterwarnings("ignore")

PLACE = {"crs": "EPSG:32643", "transform": Affine(10, 0, 650_000, 0, -10, 1_100_000)}


@pytest.fixture(scope="module")
def files():
    made = {
        "cphd": partner_files.cphd(),
        "crsd": partner_files.crsd(),
        "tiff": partner_files.tiff(partner_files.band(32, 32), **PLACE),
        "deflated": partner_files.tiff(
            partner_files.band(32, 32), **PLACE, compress="deflate", tiled=True, blockxsize=16, blockysize=16
        ),
        "safe": partner_files.safe(64, 96),
    }
    real = partner_files.SHARED / "sicd"
    if real.exists():
        # Not shipped with kizuna (LGPL): where it is not at hand, the other formats are tried.
        made["sicd"] = (real / "cropped_sicd_120.nitf").read_bytes()
        made["sidd"] = partner_files.sidd(real / "cropped_sidd.nitf", 9, 8)
    return made


def taken_in(data):
    """What a node does with a file, short of keeping it."""
    kind, _ = sniff(data[:4096], PurePath("x"))
    file = io.BytesIO(data)
    kind.extract(file, "x")
    if kind.validate(file).valid:
        kind.summarise(file, "x")


@st.composite
def damages(draw):
    """Damage, in parts of a file: where it is cut, which bytes are others, which are missing."""
    # Heads hold what says how the rest is to be read.
    places = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1)
    changed = draw(st.lists(st.tuples(places, st.sampled_from([0, 255, 127, 128, 57, 45]) | st.integers(0, 255)), max_size=12))
    return draw(st.none() | places), changed, draw(st.none() | st.tuples(places, st.integers(1, 64)))


def damaged(data, damage):
    cut, changed, missing = damage
    found = bytearray(data)
    for place, value in changed:
        found[int(place * len(data))] = value
    if missing is not None:
        at = int(missing[0] * len(data))
        del found[at : at + missing[1]]
    return bytes(found if cut is None else found[: int(cut * len(data))])


@pytest.mark.parametrize(
    ("name", "examples"), [("cphd", 150), ("crsd", 100), ("tiff", 60), ("deflated", 40), ("safe", 15), ("sicd", 20), ("sidd", 20)]
)
def test_a_damaged_file_is_taken_in_or_refused_with_words(files, name, examples):
    if name not in files:
        pytest.skip(f"{name} of six-library is not at hand: it is not shipped with kizuna (LGPL)")
    data = files[name]
    taken_in(data)

    @settings(max_examples=examples, deadline=20_000, suppress_health_check=[HealthCheck.too_slow])
    @given(damages())
    def run(damage):
        # Any other error fails the test, and so does one that takes longer than the deadline.
        with suppress(InputError):
            taken_in(damaged(data, damage))

    run()


def empty(side):
    """TIFF of which no pixel was ever written: a few kilobytes, however large."""
    with rasterio.MemoryFile() as memory:
        form = {
            "width": side,
            "height": side,
            "count": 1,
            "dtype": "uint8",
            "tiled": True,
            "blockxsize": 4096,
            "blockysize": 4096,
        }
        with memory.open(driver="GTiff", sparse_ok=True, **PLACE, **form):
            pass
        return bytes(memory.read())


@pytest.mark.parametrize(
    "make",
    [
        lambda files: empty(20_000),
        lambda files: files["cphd"].replace(b"XML_BLOCK_SIZE := ", b"XML_BLOCK_SIZE := 99999999999", 1),
        lambda files: partner_files.tiff(partner_files.band(9, 9), crs="EPSG:4326", transform=Affine(1e-12, 0, 7, 0, -1e-12, 4)),
        lambda files: partner_files.tiff(partner_files.band(9, 9), crs="EPSG:4326", transform=Affine(40, 0, -180, 0, -20, 90)),
    ],
)
def test_a_file_that_says_it_is_vast_asks_for_no_room(files, make):
    data = make(files)
    tracemalloc.start()
    with suppress(InputError):
        taken_in(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000_000


def test_what_the_libraries_log_of_a_damaged_file_is_not_printed(tmp_path):
    path = tmp_path / "a.nitf"
    head = b"NITF02.1003BF01" + b" " * 327 + b"000000000400"
    path.write_bytes(head.ljust(400, b"x"))
    (tmp_path / "a.nitf.label.toml").write_text(
        'schema = "kizuna/label/1"\npolicy = "JPN"\nclassification = "UNCLASSIFIED"\noriginator = "JPN"\n'
        'created = "2025-01-01T00:00:00Z"\n'
    )
    node = tmp_path / "node"
    assert kizuna("node", "init", "--nation", "JPN", "--node", node).status == 0
    done = kizuna("ingest", path, "--node", node)
    assert (done.status, len(done.err.splitlines())) == (2, 2), done.err
