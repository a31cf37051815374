"""Radar files with bytes changed, cut off or numbers made large: an answer or a clear error, soon, in little memory."""

import io
import json
import os
import re
import time
import tracemalloc
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulators.collections import START, orbital_collection, orbital_image

from kizuna.errors import InputError
from kizuna.formats.capella import read_capella
from kizuna.formats.cphd import read_cphd
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.sar_files import read_sar_facts
from kizuna.formats.sicd import read_pixels, write_sicd
from kizuna.formats.sicd_metadata import describe_collection
from kizuna.formats.sidd import read_sidd_amplitude
from kizuna.formats.sidd_write import detected_image, write_sidd

MOST_BYTES = 48 << 20
MOST_S = 20.0
_NUMBER = re.compile(rb">(-?[0-9][0-9.eE+-]*)<")
STRANGE = [b"0", b"-1", b"nan", b"inf", b"1e308", b"99999999", b"18446744073709551616", b"x", b""]


@lru_cache
def whole(kind):
    collection = orbital_collection()
    out = io.BytesIO()
    if kind == "cphd":
        write_cphd(out, collection, produced=START)
        return out.getvalue()
    image = orbital_image(collection)
    description = describe_collection(collection, produced=START)
    if kind == "sicd":
        write_sicd(out, image, description)
    else:
        write_sidd(out, detected_image(image, description))
    return out.getvalue()


READERS = {"cphd": read_cphd, "sicd": read_pixels, "sidd": read_sidd_amplitude}


def answer(read, data):
    """The error that is meant, or None; any other comes out."""
    try:
        read(io.BytesIO(data))
    except InputError as error:
        return error
    return None


def tried(kind, data, *, measured=False):
    """Read it every way; only errors that are meant come out. Measuring memory takes five times as long."""
    begin, peak = time.process_time(), 0
    if measured:
        tracemalloc.start()
    try:
        for read in (read_sar_facts, READERS[kind]):
            refused = answer(read, data)
            assert refused is None or (str(refused) and refused.hint is not None)
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES
    assert time.process_time() - begin < MOST_S


# A fixed seed: the same files each time, so that a failure is never somebody else's. By hand, many more.
EXAMPLES = int(os.environ.get("KIZUNA_FUZZ_EXAMPLES", "8"))
damaged = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", sorted(READERS))
@damaged
@given(data=st.data())
def test_changed_bytes(kind, data):
    changed = bytearray(whole(kind))
    for _ in range(data.draw(st.integers(1, 6))):
        # Headers and XML are at either end; samples between them hold nothing that could mislead.
        place = data.draw(st.one_of(st.integers(0, 9000), st.integers(len(changed) - 9000, len(changed) - 1)))
        changed[min(place, len(changed) - 1)] = data.draw(st.integers(0, 255))
    tried(kind, bytes(changed))


@pytest.mark.parametrize("kind", sorted(READERS))
@damaged
@given(share=st.floats(0.0, 1.0, exclude_max=True))
def test_cut_off(kind, share):
    data = whole(kind)
    tried(kind, data[: int(share * len(data))], measured=True)


@pytest.mark.parametrize("kind", sorted(READERS))
@damaged
@given(data=st.data())
def test_strange_numbers(kind, data):
    """A number of the XML made strange, the length of everything kept, so that readers get as far as it."""
    changed = bytearray(whole(kind))
    numbers = [(found.start(1), found.end(1)) for found in _NUMBER.finditer(bytes(changed))]
    for _ in range(data.draw(st.integers(1, 3))):
        first, last = data.draw(st.sampled_from(numbers))
        text = data.draw(st.sampled_from(STRANGE))
        changed[first:last] = text[: last - first].rjust(last - first)
    tried(kind, bytes(changed), measured=kind == "cphd")


VALUES = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers()
NAMES = st.sampled_from(["collect", "image", "radar", "state"])
JSON = (
    VALUES
    | st.lists(VALUES, max_size=3)
    | st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=4)
)


@damaged
@given(form=JSON, nested=st.booleans())
def test_any_json_is_answered(form, nested):
    text = json.dumps({"collect": form} if nested else form).encode()
    refused = answer(read_capella, text)
    assert refused is not None
    assert refused.field
