"""Files about plans, read back by others' readers: icalendar's parser, JSON, xarray, Pillow."""

import io
import json
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from icalendar import Calendar
from PIL import Image

from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError
from kizuna.formats.pass_files import czml, icalendar
from kizuna.formats.place_tables import feature, geojson, grid_dataset, place_dataset
from kizuna.formats.plan_pictures import Frame, Track, pass_chart, revisit_map, what_if_picture
from kizuna.formats.sensors_file import read_catalogue
from kizuna.formats.wanted_images import read_wanted
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.planning.tasking import spots_of
from kizuna.planning.windows import sorted_windows
from kizuna.wiring import sample_folder

BEGIN = parse_instant("2026-05-08")


@pytest.fixture(scope="module")
def windows():
    columns = {"satellite": [0, 1, 0], "target": [0, 0, 1], "start_s": [5.25, 60.0, 90.0], "end_s": [9.5, 90.0, 100.0]}
    columns |= {"closest_s": [7.0, 75.0, 95.0], "incidence_rad": [0.5, 0.6, 0.7], "right": [True, False, True]}
    return sorted_windows(BEGIN, ["A, B", "C"], ["Kyiv", "Tokyo"], **columns, ascending=[True, True, False])


def test_a_calendar_holds_an_event_a_window_that_covers_it(windows):
    made = icalendar(windows, BEGIN, title="Passes")
    assert made == icalendar(windows, BEGIN, title="Passes")
    events = Calendar.from_ical(made).walk("VEVENT")
    assert [str(event["summary"]) for event in events] == ["A, B → Kyiv", "C → Kyiv", "A, B → Tokyo"]
    assert len({str(event["uid"]) for event in events}) == 3
    for event, row in zip(events, range(3), strict=True):
        assert event.decoded("dtstart") <= windows.instant(windows.start_s[row])
        assert event.decoded("dtend") >= windows.instant(windows.end_s[row])


def test_a_globe_shows_a_line_while_a_window_lasts_and_at_no_other_time(windows):
    def where(seconds):
        return np.column_stack([7e6 + np.asarray(seconds), np.zeros(len(seconds)), np.zeros(len(seconds))])

    whole = SimpleNamespace(begin_s=0.0, end_s=3600.0, position_ecef_m=where)
    part = SimpleNamespace(begin_s=30.0, end_s=150.0, position_ecef_m=where)
    end = Instant(BEGIN + timedelta(hours=1))
    places = [Geodetic.from_degrees(latitude_deg=50.0, longitude_deg=30.0, height_m=100.0)] * 2
    packets = {each["id"]: each for each in json.loads(czml(windows, end, [whole, part], places, title="Passes"))}
    assert packets["document"]["version"] == "1.0"
    assert packets["place-0"]["position"]["cartographicDegrees"] == [30.0, 50.0, 100.0]
    assert packets["satellite-0"]["position"]["referenceFrame"] == "FIXED"
    assert packets["satellite-0"]["position"]["cartesian"][4:8] == [60.0, 7000060.0, 0.0, 0.0]
    # Of a satellite whose states begin later and end sooner nothing else is made up.
    assert packets["satellite-1"]["position"]["cartesian"][::4] == [30.0, 60.0, 120.0, 150.0]
    shown = [each["interval"] for each in packets["access-0-0"]["polyline"]["show"] if each["boolean"]]
    assert len(shown) == 1
    assert shown[0].startswith("2026-05-08T00:00:05.25")
    assert set(packets) == {
        "document",
        "place-0",
        "place-1",
        "satellite-0",
        "satellite-1",
        *(f"access-{p}" for p in ("0-0", "0-1", "1-0")),
    }


def test_cells_are_closed_rings_around_their_middle_and_no_number_is_no_json(windows):
    made = json.loads(geojson([feature(30.5, 50.5, {"mean_s": None}, cell_deg=(1.0, 1.0))], {"days": 7.0}))
    ring = made["features"][0]["geometry"]["coordinates"][0]
    assert ring == [[30.0, 50.0], [31.0, 50.0], [31.0, 51.0], [30.0, 51.0], [30.0, 50.0]]
    assert made["days"] == 7.0
    with pytest.raises(ValueError, match="JSON"):
        geojson([feature(30.5, 50.5, {"mean_s": float("nan")})], {})


def test_datasets_have_names_units_and_the_rows_of_the_grid_from_the_south():
    grid = grid_dataset([10.0, 11.0], [50.0, 51.0, 52.0], {"mean_s": np.arange(6.0)}, {"days": 7.0})
    assert grid["mean_s"].sel(latitude=51.0, longitude=11.0) == 3.0
    assert grid["mean_s"].attrs["units"] == "s"
    places = place_dataset(["Kyiv"], [30.5], [50.4], {"images": np.array([3])}, {})
    assert places["images"].sel(place="Kyiv") == 3
    assert places["images"].attrs["units"] == "1"


def test_pictures_are_png_and_the_same_each_time():
    track = Track(
        "Kyiv", np.array([0.0, 3600.0, 7200.0]), np.array([0, 1, 0]), np.array([True, False, True]), None, ((60.0, np.nan),)
    )
    frame = Frame("Passes", "caption", BEGIN, 24.0, ["A", "B"])
    pictures = [
        pass_chart(frame, [track]),
        what_if_picture(frame, [track]),
        revisit_map("Map", "caption", np.arange(3.0), np.arange(2.0), np.full((2, 3), 600.0), [[(0.0, 0.0), (1.0, 1.0)]]),
    ]
    assert pictures[0] == pass_chart(frame, [track])
    sizes = [Image.open(io.BytesIO(picture)).size for picture in pictures]
    assert all(width >= 1500 for width, _height in sizes)


def test_a_table_of_requests_is_refused_where_it_is_wrong():
    head = "name,latitude,longitude,from,until,images\n"
    label = Label("UKR", "UNCLASSIFIED", parse_party("UKR/HUR"), BEGIN)
    ((one, images),) = read_wanted(f"{head}bridge,50.4,30.5,2026-05-08,2026-05-09,2\n".encode(), label)
    assert (one.id, images, spots_of(one, 5e3)[0].latitude_deg) == ("bridge", 2, pytest.approx(50.4))
    for row in (
        "b,50.4,30.5,2026-05-09,2026-05-08,1",
        "b,50.4,30.5,2026-05-08,2026-05-09,0",
        "b,95,30.5,2026-05-08,2026-05-09,1",
    ):
        with pytest.raises(InputError, match="line 2") as caught:
            read_wanted(f"{head}{row}\n".encode(), label)
        assert caught.value.field == "requests"
    with pytest.raises(InputError, match="until"):
        read_wanted(b"name,latitude,longitude,from\n", label)


def test_each_satellite_of_the_sample_has_one_provider():
    folder = sample_folder("planning")
    known = read_catalogue((folder / "sensors.toml").read_bytes(), name="sensors.toml")
    names = (folder / "satellites.3le").read_text("ascii").splitlines()[::3]
    assert {known.sensor(name).party for name in names} >= {"JPN/IQPS", "FIN/ICEYE", "DEU", "USA/UMBRA"}
    assert None not in {known.sensor(name).party for name in names}
    assert (known.sensor("TANDEM-X").party, known.sensor("GAOFEN-3").party) == ("DEU/AIRBUS", "CHN")
    twice = b'schema = "kizuna/sensors/1"\n[[provider]]\nparty = "JPN"\nsatellites = ["A"]\n'
    with pytest.raises(InputError, match="twice"):
        read_catalogue(twice + b'[[provider]]\nparty = "USA"\nsatellites = ["a"]\n', name="p.toml")
