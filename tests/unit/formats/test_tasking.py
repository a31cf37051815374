"""Files of requests, fleets and schedules: what is read, and what is refused with its field."""

import json
import math
import tomllib

import pytest

from kizuna.errors import InputError
from kizuna.formats.sensors_file import read_catalogue
from kizuna.formats.tasking import SCHEDULE_SCHEMA, read_requests, read_schedule, read_spots, spot_json, task_json
from kizuna.model.instants import parse_instant
from kizuna.model.parties import parse_party
from kizuna.planning.tasking import Mode, Spot, Task, spots_of

REQUESTS = """
schema = "kizuna/image-requests/1"

[label]
policy = "JPN"
classification = "UNCLASSIFIED"
originator = "JPN/IQPS"
created = 2026-05-07T00:00:00Z

[[request]]
id = "kyiv"
place = [30.52, 50.45]
from = 2026-05-08T00:00:00Z
until = 2026-05-09T00:00:00Z
priority = 1
modes = ["spotlight"]
incidence_deg = [20, 40]
look = "right"
direction = "descending"

[[request]]
id = "port"
area = { name = "Port", geometry = { type = "Polygon", coordinates = [[[30, 46], [31, 46], [31, 47], [30, 47], [30, 46]]] } }
from = 2026-05-08T00:00:00Z
until = 2026-05-09T00:00:00Z
priority = 5
"""
FLEET = """
schema = "kizuna/fleet/1"

[[provider]]
party = "JPN/IQPS"
satellites = ["QPS-SAR"]
orders_a_day = 20
turn_s = 30
side_s = 60
duty_s = 300
assumed = ["turn_s", "side_s", "duty_s"]
modes.spotlight = { duration_s = 10, scene_km = 7, incidence_deg = [15, 45], resolution_m = 0.46 }

[[provider]]
party = "FIN/ICEYE"
satellites = ["ICEYE", "QPS-SAR-99"]
stapi = "https://iceye.example/stapi"
turn_s = 20
side_s = 20
duty_s = 180
modes.stripmap = { duration_s = 8, scene_km = 30, incidence_deg = [15, 35] }
"""
EPOCH = parse_instant("2026-05-08")


def changed(text, before, after):
    assert before in text
    return text.replace(before, after, 1).encode()


def test_requests_are_read():
    kyiv, port = read_requests(REQUESTS.encode(), name="r.toml")
    assert (kyiv.priority, kyiv.modes, kyiv.right, kyiv.ascending) == (1, {Mode.SPOTLIGHT}, True, False)
    assert math.isclose(kyiv.incidence_max_rad, math.radians(40))
    (ring,) = kyiv.area.polygons[0]
    assert ring[0] == (30.515, 50.445)
    assert (port.right, port.modes, port.label.policy) == (None, set(Mode), "JPN")


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("priority = 1", "priority = 6", "request[0].priority"),
        ("until = 2026-05-09", "until = 2026-05-08", "request[0].until"),
        ('["spotlight"]', '["optical"]', "request[0].modes"),
        ("[20, 40]", "[40, 20]", "request[0].incidence_deg"),
        ("[20, 40]", "[20, 91]", "request[0].incidence_deg"),
        ("[30.52, 50.45]", "[30.52, 95]", "request[0].place"),
        ("place = [30.52, 50.45]\n", "", "request[0].area"),
        ('look = "right"', 'look = "up"', "request[0].look"),
        ('id = "port"', 'id = "kyiv"', "request[1].id"),
        ('id = "port"', 'id = "a/b"', "request[1].id"),
        ("priority = 5", "priority = 5\nnote = 1", "request[1].note"),
    ],
)
def test_a_faulty_request_names_its_field(before, after, field):
    with pytest.raises(InputError) as fault:
        read_requests(changed(REQUESTS, before, after), name="r.toml")
    assert fault.value.field == field


def test_a_request_without_a_label_is_refused():
    document = REQUESTS[: REQUESTS.index("[label]")] + REQUESTS[REQUESTS.index("[[request]]") :]
    with pytest.raises(InputError, match="label"):
        read_requests(document.encode(), name="r.toml")


def test_a_satellite_is_known_by_the_longest_beginning_of_its_name():
    fleet = read_catalogue(FLEET.encode(), name="f.toml")
    assert fleet.satellite("QPS-SAR-5").provider == "JPN/IQPS"
    assert fleet.satellite("QPS-SAR-99").provider == "FIN/ICEYE"
    assert fleet.satellite("QPS-SAR-5").name == "QPS-SAR-5"
    assert fleet.satellite("UMBRA-07") is None
    assert [one.orders_a_day for one in fleet.providers] == [20, None]
    assert tomllib.loads(FLEET)["provider"][1]["stapi"] == fleet.providers[1].stapi


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("turn_s = 30", "turn_s = 0", "provider[0].turn_s"),
        ("duty_s = 300\n", "", "provider[0].duty_s"),
        ("modes.spotlight", "modes.optical", "provider[0].modes"),
        ("resolution_m = 0.46", "resolution_m = -1", "provider[0].modes.spotlight.resolution_m"),
    ],
)
def test_a_faulty_fleet_names_its_field(before, after, field):
    with pytest.raises(InputError) as fault:
        read_catalogue(changed(FLEET, before, after), name="f.toml")
    assert fault.value.field == field


@pytest.mark.parametrize("uncertain", [None, 1.25])
def test_a_schedule_is_read_back(uncertain):
    party = parse_party("JPN/IQPS")
    task = Task("a/1", "a", "QPS-SAR-5", party, Mode.SPOTLIGHT, 12.5, 22.5, math.radians(30), True, False, uncertain)
    document = {"schema": SCHEDULE_SCHEMA, "tasks": [task_json(task, EPOCH)], "worth": 1}
    (back,) = read_schedule(json.dumps(document).encode(), EPOCH, name="s.json")
    assert back == task
    (later,) = read_schedule(json.dumps(document).encode(), parse_instant("2026-05-08T00:00:10Z"), name="s.json")
    assert later.start_s == 2.5


def test_the_places_of_a_schedule_are_read_back_and_lie_in_their_requests():
    kyiv, port = read_requests(REQUESTS.encode(), name="r.toml")
    spots = [*spots_of(kyiv, 7e3), *spots_of(port, 20e3)]
    document = {"schema": SCHEDULE_SCHEMA, "spots": [spot_json(spot) for spot in spots], "tasks": []}
    back = read_spots(json.dumps(document).encode(), name="s.json")
    assert list(back.values()) == spots
    assert len(spots) > 20
    assert all((port if spot.request == "port" else kyiv).holds(spot) for spot in spots)
    assert not any(kyiv.holds(spot) for spot in spots[1:])
    assert not kyiv.holds(Spot("kyiv", "kyiv", 50.45, 30.53, 1.0))
    assert read_spots(json.dumps({"schema": SCHEDULE_SCHEMA, "tasks": []}).encode(), name="s.json") == {}
