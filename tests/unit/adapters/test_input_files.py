"""Files that a person named: regular ones, and no more of them than was meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kizuna.adapters.input_files import open_input, read_input
from kizuna.errors import InputError, Message


def test_a_file_is_read_up_to_the_limit_and_not_beyond(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_input(file, most_bytes=5) == b"12345"
    with pytest.raises(InputError, match="larger than 4 bytes"):
        read_input(file, most_bytes=4)


@pytest.mark.timeout(20)
def test_a_pipe_that_nobody_writes_into_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(InputError, match="is no regular file") as caught:
            read_input(path)
        assert str(path) in str(caught.value)


def test_a_folder_and_a_file_that_is_not_there_are_named_with_the_hint_that_fits(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="cannot be read") as caught, open_input(path, hint=Message("look")):
            pass
        assert str(path) in str(caught.value)
        assert caught.value.hint.render() == "look"
