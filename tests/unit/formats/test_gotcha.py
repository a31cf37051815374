"""Gotcha files, whole and broken."""

import io

import numpy as np
import pytest
import scipy.io

from kizuna.errors import InputError
from kizuna.formats.gotcha import form_gotcha, read_history


def read(data):
    return read_history([io.BytesIO(data)], polarisation="HH")


def mat(**data):
    out = io.BytesIO()
    scipy.io.savemat(out, {"data": data} if data else {"other": 1.0})
    return out.getvalue()


def whole(**changed):
    fields = {
        "fp": np.ones((5, 3), np.complex64),
        "freq": np.linspace(9e9, 9.1e9, 5),
        "x": np.full(3, 7e3),
        "y": np.arange(3.0),
        "z": np.full(3, 7e3),
        "r0": np.full(3, 1e4),
    }
    return mat(**{name: value for name, value in (fields | changed).items() if value is not None})


def test_reads_a_degree(degree):
    history = read(degree)
    assert history.samples.shape == (117, 424)
    assert history.samples.dtype == np.complex64
    assert history.frequencies_hz[[0, -1]] == pytest.approx([9.28808e9, 9.910441e9], rel=1e-6)
    assert np.linalg.norm(history.positions_m, axis=1) == pytest.approx(history.reference_range_m, abs=0.01)
    assert history.range_correction_m is not None
    assert history.phase_correction_rad is not None


def test_reads_a_file_without_autofocus_solution():
    history = read(whole())
    assert history.pulses == 3
    assert history.range_correction_m is None


@pytest.mark.parametrize("field", ["fp", "freq", "x", "y", "z", "r0"])
def test_names_the_field_that_is_missing(field):
    with pytest.raises(InputError, match=rf"no field data\.{field}") as refusal:
        read(whole(**{field: None}))
    assert refusal.value.field == f"data.{field}"
    assert refusal.value.hint is not None


@pytest.mark.parametrize("share", [0.01, 0.3, 0.999])
def test_says_where_a_cut_file_ends(degree, share):
    cut = degree[: int(share * len(degree))]
    with pytest.raises(InputError, match=f"it ends at byte {len(cut)}"):
        read(cut)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_refuses_what_is_no_matlab_file(data):
    with pytest.raises(InputError, match="not a MATLAB 5 file"):
        read(data)


def test_refuses_other_contents():
    with pytest.raises(InputError, match="no field data,"):
        read(mat())
    with pytest.raises(InputError, match=r"shape \(5, 3\); expected 4 frequencies x 3 pulses"):
        read(whole(freq=np.linspace(9e9, 9.1e9, 4)))
    with pytest.raises(InputError, match="not finite"):
        read(whole(r0=np.array([1e4, np.nan, 1e4])))
    with pytest.raises(InputError, match="unknown polarisation RHCP"):
        read_history([], polarisation="RHCP")


def test_forms_an_image_and_tells_its_progress(degree):
    told = []
    image = form_gotcha([io.BytesIO(degree)], progress=lambda *at: told.append(at))
    assert image.nominal
    assert image.pixels.shape == (500, 500)
    assert told[-1] == (117, 117)
