"""The Gotcha sample, formed once."""

from importlib import resources

import pytest

from kizuna.formats.gotcha import form_gotcha

NAMES = [f"data_3dsar_pass1_az00{degree}_HH.mat" for degree in (1, 2, 3)]


@pytest.fixture(scope="session")
def gotcha():
    """Image of degrees 1 to 3, no window, without the autofocus solution."""
    folder = resources.files("kizuna.samples") / "gotcha"
    files = [(folder / name).open("rb") for name in NAMES]
    try:
        return form_gotcha(files)
    finally:
        for file in files:
            file.close()
