"""``kizuna plan revisit|whatif|design`` as a person calls them, on the sample's satellites."""

import json

import pytest
from click.testing import CliRunner

from kizuna.cli.plan import plan
from kizuna.errors import InputError
from kizuna.wiring import sample_folder

KYIV, TOKYO = "Kyiv=50.45,30.52", "Tokyo=35.68,139.69"
BASE = ("--target", KYIV, "--target", TOKYO, "--from", "2026-05-08", "--days", "1")
AGREEMENTS = sample_folder("planning") / "agreements"
ACCEPTED = [each for file in sorted(AGREEMENTS.glob("fictional/*.toml")) for each in ("--accept-fictional", file.stem)]
COALITION = ("--agreements", AGREEMENTS, *ACCEPTED, "--for", "UKR/HUR")


def run(*arguments):
    result = CliRunner().invoke(plan, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def form(*arguments):
    return json.loads(run(*arguments, "--json"))


def test_revisit_is_told_for_places_and_written_in_every_form(tmp_path):
    files = [tmp_path / f"out{ending}" for ending in (".png", ".geojson", ".czml", ".ics", ".nc")]
    options = [each for file in files for each in ("--output", file)]
    got = form("revisit", "--satellite", "QPS", *BASE, *options)
    assert len(got["satellites"]) == 9
    kyiv, tokyo = got["places"]
    # One of the nine is Sun-synchronous, and that day it does not come.
    assert (kyiv["images"], kyiv["mean_s"], kyiv["worst_s"]) == (0, None, 86400.0)
    assert tokyo["images"] > 10
    assert tokyo["median_s"] <= tokyo["p95_s"] <= tokyo["worst_s"]
    assert tokyo["response_s"] <= tokyo["response_p95_s"]
    assert all(file.stat().st_size > 500 for file in files)
    with pytest.raises(InputError, match="exists"):
        run("revisit", *BASE, "--output", files[0])


def test_windows_count_for_more_than_images_at_the_closest_approach():
    broadside = form("revisit", "--satellite", "QPS", *BASE)["places"][1]
    anywhen = form("revisit", "--satellite", "QPS", *BASE, "--imaging", "anywhen")["places"][1]
    assert anywhen["images"] > broadside["images"]
    assert anywhen["response_s"] < broadside["response_s"]


def test_a_grid_is_a_map(tmp_path):
    picture, table = tmp_path / "map.png", tmp_path / "map.geojson"
    got = form(
        *("revisit", "--satellite", "QPS", "--grid", "138,34,142,37", "--step", "1", "--target", TOKYO),
        *("--from", "2026-05-08", "--days", "1", "--output", picture, "--output", table),
    )
    assert len(got["places"]) == 12
    assert {each["geometry"]["type"] for each in json.loads(table.read_bytes())["features"]} == {"Polygon"}
    assert picture.stat().st_size > 10_000


def test_a_suspension_costs_what_the_provider_gave_and_nobody_without_an_agreement_fills_in(tmp_path):
    picture = tmp_path / "loss.png"
    got = form(
        "whatif", *BASE, *COALITION, "--if", "suspend:ICEYE-IMAGERY", "--if", "lose:QPS-SAR-8 (AMATERU-IV)", "--output", picture
    )
    assert {each["provider"] for each in got["providers"] if each["counts"]} == {
        *("DEU", "FIN/ICEYE", "ITA/ASI", "JPN/IQPS", "JPN/SYNSPECTIVE", "USA/CAPELLA", "USA/UMBRA")
    }
    suspended, lost = got["changes"]
    for place in suspended["places"]:
        assert place["after"]["images"] < place["before"]["images"]
        assert place["after"]["response_s"] > place["before"]["response_s"]
    assert {each["provider"] for each in suspended["instead"]} == {"FIN/ICEYE"}
    assert "FIN/ICEYE" not in {each["by"] for each in suspended["instead"]}
    assert {each["provider"] for each in lost["instead"]} <= {"JPN/IQPS"}
    assert picture.stat().st_size > 10_000


def test_on_the_real_register_nobody_counts_since_no_date_is_known():
    got = form("whatif", *BASE, "--for", "UKR/HUR", "--if", "join:FIN/ICEYE")
    assert not any(each["counts"] for each in got["providers"])
    (iqps,) = [each for each in got["providers"] if each["provider"] == "JPN/IQPS"]
    assert "IQPS-HUR-2025" in iqps["why"]
    (joined,) = got["changes"]
    assert joined["places"][0]["before"]["images"] == 0
    assert joined["places"][0]["after"]["images"] > 0


def test_requests_that_fail_are_named(tmp_path):
    table = tmp_path / "requests.csv"
    table.write_text(
        "name,latitude,longitude,from,until\nport,46.48,30.73,2026-05-08,2026-05-09\nlate,0,0,2027-01-01,2027-01-02\n"
    )
    told = run("whatif", *BASE, "--everybody", "--requests", table, "--if", ",".join(f"withdraw:{p}" for p in everyone()))
    assert "fails: port" in told or "échoue" in told
    assert "late" in told


def everyone():
    got = form("whatif", *BASE, "--everybody", "--rank")
    assert got["ranking"][0]["withdraws"]
    return [each["provider"] for each in got["providers"]]


def test_a_constellation_is_checked_against_its_claim():
    got = form("design", "iqps-36-planes", "--walker", "97.7:36/6/1@575", *BASE, "--incidence", "15:60")
    planes, polar = got["constellations"]
    assert planes["places"][0]["images"] == 0
    assert planes["places"][1]["mean_s"] / 60 == pytest.approx(10.4, abs=0.3)
    assert polar["places"][0]["images"] > 10


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("revisit",), "target"),
        (("revisit", "--target", KYIV, "--days", "0"), "days"),
        (("revisit", "--grid", "10,50,5,60"), "grid"),
        (("revisit", "--grid", "0,0,90,90", "--step", "0.01"), "step"),
        (("revisit", *BASE, "--output", "x.docx"), "output"),
        (("whatif", *BASE), "if"),
        (("whatif", *BASE, "--everybody", "--if", "lose:NOTHING"), "if"),
        (("whatif", *BASE, "--everybody", "--if", "suspend:USA-UKR-SHARING"), "if"),
        (("whatif", *BASE, "--accept-fictional", "IQPS-HUR-2025", "--if", "suspend:X"), "for"),
        (("design", *BASE), "walker"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_option(arguments, field):
    with pytest.raises(InputError) as caught:
        run(*arguments)
    assert caught.value.field == field
