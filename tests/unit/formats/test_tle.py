"""Element sets: what is read, and where a bad one is refused."""

import pytest

from kizuna.errors import InputError
from kizuna.formats.element_sets import newest_sets, refuse_unusable
from kizuna.formats.tle import read_tle
from kizuna.model.instants import parse_instant

NAME = "QPS-SAR-5 (TSUKUYOMI-I)"
ONE = "1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998"
TWO = "2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086"


def checked(line):
    """The line with the checksum that it should have."""
    total = sum(int(c) if c.isdigit() else c == "-" for c in line[:68])
    return line[:68] + str(total % 10)


def put(line, column, text):
    return checked(line[: column - 1] + text + line[column - 1 + len(text) :])


def fault(text):
    with pytest.raises(InputError) as caught:
        read_tle(text)
    return str(caught.value)


def test_names_blank_lines_comments_and_zeros_are_understood():
    text = f"# from somewhere\n\n0 {NAME}\r\n{ONE}\r\n{TWO}\r\n"
    [found] = read_tle(text)
    assert (found.elements.name, found.elements.number, found.elements.designator) == (NAME, 58578, "2023-196A")
    assert (found.number_at.line, found.epoch_at.line, found.motion_at.line) == (4, 4, 5)
    [unnamed] = read_tle(f"{ONE}\n{TWO}")
    assert unnamed.elements.name == "58578"


def test_derivatives_and_drag_have_their_factors():
    [found] = read_tle(f"{ONE}\n{TWO}")
    turns_a_day2 = found.elements.mean_motion_dot_rad_s2 / (2 * 3.141592653589793) * 86400**2
    assert turns_a_day2 == pytest.approx(2 * 0.00009637)
    assert found.elements.bstar_per_radius == pytest.approx(0.42329e-3)
    assert found.elements.eccentricity == pytest.approx(0.0025297)


def test_alpha_5_numbers_and_old_years():
    one, two = put(put(ONE, 3, "T0001"), 19, "57"), put(TWO, 3, "T0001")
    [found] = read_tle(f"{one}\n{two}")
    assert (found.elements.number, found.elements.epoch.year) == (270001, 1957)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"{ONE[:-1]}3\n{TWO}", "line 1, column 69: the checksum is 3"),
        (f"{ONE}\n{TWO[:20]}9{TWO[21:]}", "line 2, column 69"),
        (f"{ONE[:-2]}\n{TWO}", "line 1, column 68: the line has 67 characters"),
        (f"{ONE}\n", "line 1, column 1: expected line 2"),
        (f"{NAME}\n{TWO}", "line 1, column 1: expected line 1"),
        (f"{ONE}\n{put(TWO, 3, '58579')}", "line 2, column 3: line 2 is about satellite 58579"),
        (f"{put(ONE, 21, '366.50000000')}\n{TWO}", "line 1, column 21: day 366.5 of 2026"),
        (f"{ONE}\n{put(TWO, 9, '182.0106')}", "line 2, column 9: got 182.0106"),
        (f"{ONE}\n{put(TWO, 53, ' 0.00000000')}", "line 2, column 53"),
        (f"{ONE}\n{put(TWO, 27, '00x5297')}", "line 2, column 27"),
        (f"{put(ONE, 54, ' 42329*3')}\n{TWO}", "line 1, column 54"),
        (f"{NAME}\n{ONE}\n{TWO}\n{NAME}\n{ONE}\n{TWO}", "line 5, column 3: satellite 58578 stands here a second time"),
    ],
)
def test_a_bad_set_is_refused_with_its_line_and_column(text, where):
    assert fault(text).startswith(where)


def test_an_epoch_far_off_is_refused_at_its_column():
    sets = read_tle(f"{NAME}\n{ONE}\n{TWO}")
    begin, end = parse_instant("2026-07-01"), parse_instant("2026-07-02")
    with pytest.raises(InputError, match=r"line 2, column 19: .* 54\.2 days off"):
        refuse_unusable(sets, begin, end, most_days=30)
    refuse_unusable(sets, begin, end, most_days=60)
    with pytest.raises(InputError, match="line 2, column 19"):
        refuse_unusable(sets, parse_instant("2026-01-01"), parse_instant("2026-01-02"), most_days=30)


def test_a_satellite_that_has_decayed_is_refused_at_its_mean_motion():
    one, two = put(ONE, 54, " 90000-1"), put(TWO, 53, "16.40000000")
    with pytest.raises(InputError, match=r"line 2, column 53: .*no orbit at 2026-06-01"):
        refuse_unusable(read_tle(f"{one}\n{two}"), parse_instant("2026-06-01"), parse_instant("2026-06-02"), most_days=30)
    below = read_tle(f"{ONE}\n{put(TWO, 53, '17.50000000')}")
    with pytest.raises(InputError, match="line 2, column 53"):
        refuse_unusable(below, parse_instant("2026-05-08"), parse_instant("2026-05-09"), most_days=30)


def test_of_several_sets_of_a_satellite_the_newest_that_is_not_younger_is_taken():
    days = ["26125.75055593", "26127.75055593", "26129.75055593"]
    sets = read_tle("\n".join(f"{put(ONE, 19, day)}\n{TWO}" for day in days))
    assert newest_sets(sets, parse_instant("2026-05-08")) == (sets[1],)
    assert newest_sets(sets, parse_instant("2026-06-01")) == (sets[2],)
    assert newest_sets(sets, parse_instant("2026-05-01")) == (sets[0],)
