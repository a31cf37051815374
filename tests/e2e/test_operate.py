"""What an operator sees and sets: status, a partner's page, metrics, limits, the log on stderr."""

from __future__ import annotations

import json
import signal
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from simulators.coalition import labelled, published, small_tiff
from simulators.processes import Line, begin, kizuna, serving, within

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.wiring import KEYS, open_node


def as_taker(pair):
    """TLS context of the taker."""
    return client_context(FileKeys.load(pair.ukr / KEYS), FileKeys.load(pair.jpn / KEYS).certificate_der)


def officer_token(folder):
    from kizuna.node.people import issue_token

    with open_node(folder) as node, node.store.transaction():
        return issue_token(node, "ops", "operator"), issue_token(node, "ana", "analyst")


def test_status_tells_the_queue_its_age_the_clock_and_the_days_that_certificates_have_left(pair, tiff):
    published(pair.jpn, tiff)
    time.sleep(1.1)
    before = kizuna("node", "status", "--node", pair.jpn, "--json").json()
    assert before["certificate_days"] == 396
    (line,) = before["partners"]
    assert (line["waiting"], line["unconfirmed"], line["certificate_days"], line["clock_skew_s"]) == (1, 0, 396, None)
    assert line["waiting_s"] >= 1
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
    (line,) = kizuna("node", "status", "--node", pair.jpn, "--json").json()["partners"]
    assert (line["waiting"], line["waiting_s"], line["unconfirmed"], line["unconfirmed_s"]) == (0, 0, 0, 0)
    (line,) = kizuna("node", "status", "--node", pair.ukr, "--json").json()["partners"]
    assert abs(line["clock_skew_s"]) < 2
    assert line["clock_seen"] is not None
    plain = kizuna("node", "status", "--node", pair.ukr).out
    assert "396 d" in plain


def test_what_is_sent_and_not_confirmed_is_told(pair, tiff):
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver, httpx.Client(verify=as_taker(pair), base_url=giver.partner_url) as client:
        assert client.get("/exchange/v1/feed").status_code == 200
    time.sleep(1.1)
    (line,) = kizuna("node", "status", "--node", pair.jpn, "--json").json()["partners"]
    assert (line["waiting"], line["unconfirmed"]) == (0, 1)
    assert line["unconfirmed_s"] >= 1


def test_a_partner_is_shown_with_its_fingerprints_and_agreements(pair):
    shown = kizuna("partner", "show", "UKR", "--node", pair.jpn, "--json").json()
    with open_node(pair.ukr) as node:
        assert shown["signing_key_sha256"] == node.keys.key_id
    (listed,) = kizuna("partner", "list", "--node", pair.jpn, "--json").json()
    assert shown["certificate_sha256"] == listed["certificate_sha256"]
    assert {"id": "IQPS-HUR-2025", "version": 2, "state": "in force"} in shown["agreements"]
    assert shown["certificate_sha256"] in kizuna("partner", "show", "UKR/HUR", "--node", pair.jpn).out
    missing = kizuna("partner", "show", "FRA", "--node", pair.jpn, "--json")
    assert (missing.status, missing.fault()["field"]) == (2, "partner")


def test_metrics_are_numbers_by_partner_for_the_operator_alone(pair, tiff):
    product = published(pair.jpn, tiff)[0]
    operator, analyst = officer_token(pair.jpn)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
        asked = httpx.get(giver.people_url + "/metrics", headers={"authorization": f"Bearer {operator}"})
        denied = httpx.get(giver.people_url + "/metrics", headers={"authorization": f"Bearer {analyst}"})
        nobody = httpx.get(giver.people_url + "/metrics")
        with httpx.Client(verify=as_taker(pair), base_url=giver.partner_url) as client:
            assert client.get("/metrics").status_code == 404
    assert (asked.status_code, denied.status_code, nobody.status_code) == (200, 404, 401)
    found = {family.name: family for family in text_string_to_metric_families(asked.text)}
    values = {(s.name, s.labels.get("partner"), s.labels.get("outcome")): s.value for f in found.values() for s in f.samples}
    assert values["kizuna_queue", "UKR/HUR", None] == 0
    assert values["kizuna_receipts_total", "UKR/HUR", None] == 1
    assert values["kizuna_decisions_total", "UKR/HUR", "permit"] == 2
    assert values["kizuna_certificate_days", "UKR/HUR", None] == 396
    assert values["kizuna_sent_bytes_total", "UKR/HUR", None] > 1000
    assert values["kizuna_log_entries", None, None] > 10
    labels = {name for family in found.values() for sample in family.samples for name in sample.labels}
    assert labels <= {"partner", "outcome"}
    for secret in (product, "harbour", "UNCLASSIFIED"):
        assert secret not in asked.text


def test_the_log_on_stderr_holds_nothing_of_a_product(pair, tmp_path):
    secret = labelled(small_tiff(tmp_path / "zanzibar.tif"), classification='"UNCLASSIFIED"')
    product = published(pair.jpn, secret)[0]
    with begin(
        *("node", "serve", "--node", pair.jpn, "--json"),
        env={"KIZUNA_LOG_FORMAT": "json", "KIZUNA_PARTNER_LISTEN": "127.0.0.1:0", "KIZUNA_PEOPLE_LISTEN": "127.0.0.1:0"},
    ) as process:
        url = json.loads(process.stdout.readline())["partner_url"]
        pair.meet(url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
        process.terminate()
        _out, err = process.communicate(timeout=20)
    lines = [json.loads(line) for line in err.splitlines()]
    routes = {line["route"] for line in lines if line["event"] == "request"}
    assert routes == {"feed", "blob", "receipt"}
    assert {line.get("partner") for line in lines if line["event"] == "request"} == {"UKR/HUR"}
    assert [lines[0]["event"], lines[-1]["event"]] == ["started", "stopped"]
    with open_node(pair.ukr) as node:
        (item,) = node.store.items.all()
    for word in (
        product,
        "zanzibar",
        "UNCLASSIFIED",
        "sha256",
        *(obligation for obligation in item.terms.split('"') if " " in obligation),
    ):
        assert word not in err


def test_who_asks_too_much_is_told_when_to_come_again_whatever_it_asks(pair, tiff):
    published(pair.jpn, tiff)
    with (
        serving(pair.jpn, env={"KIZUNA_PARTNER_REQUESTS_A_MINUTE": "3"}) as giver,
        httpx.Client(verify=as_taker(pair), base_url=giver.partner_url) as client,
    ):
        within(5, "its name is not known", lambda: client.get("/exchange/v1/feed").status_code == 429)
        answers = [client.get(path) for path in ("/exchange/v1/feed", "/exchange/v1/blobs/sha256:" + "0" * 64, "/no/such")]
        answers.append(client.post("/exchange/v1/receipts", content=b"{}"))
    assert {answer.status_code for answer in answers} == {429}
    assert len({answer.content for answer in answers}) == 1
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers)


def test_a_partner_that_is_over_its_limit_still_gets_everything_in_the_end(pair, tiff):
    published(pair.jpn, tiff)
    # Four requests bring the product; the bucket of two refills each 30 ms.
    with serving(pair.jpn, env={"KIZUNA_PARTNER_REQUESTS_A_MINUTE": "60", "KIZUNA_PARTNER_REQUESTS_AT_ONCE": "1"}) as giver:
        pair.meet(giver.partner_url)
        assert kizuna("sync", "--node", pair.ukr).status == 0
    assert len(kizuna("product", "list", "--node", pair.ukr, "--json").json()) == 1


@pytest.mark.parametrize("setting", ["KIZUNA_INTAKE_FILES", "KIZUNA_INTAKE_BYTES"])
def test_more_than_this_node_takes_in_is_refused_by_name(pair, tiff, setting):
    published(pair.jpn, tiff)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        refused = kizuna("sync", "--node", pair.ukr, "--json", env={setting: "1"})
        assert refused.status == 1
        assert setting.removeprefix("KIZUNA_").lower() in refused.fault()["hint"]
        assert kizuna("product", "list", "--node", pair.ukr, "--json").json() == []
        assert kizuna("sync", "--node", pair.ukr).status == 0


def test_a_pull_takes_no_more_entries_than_it_may(pair, tmp_path):
    published(pair.jpn, *(labelled(small_tiff(tmp_path / f"{seed}.tif", seed=seed)) for seed in range(3)))
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        for count in (2, 3):
            assert kizuna("sync", "--node", pair.ukr, env={"KIZUNA_INTAKE_ENTRIES": "2"}).status == 0
            assert len(kizuna("product", "list", "--node", pair.ukr, "--json").json()) == count


@pytest.mark.parametrize(("name", "value"), [("log_format", "xml"), ("intake_files", "0"), ("partner_bytes_a_day", "many")])
def test_a_setting_of_another_form_is_refused(untouched, name, value):
    done = kizuna("node", "serve", "--node", untouched, "--json", env={"KIZUNA_" + name.upper(): value})
    assert (done.status, done.fault()["field"]) == (2, name)


@pytest.mark.timed
def test_sigterm_ends_a_transfer_within_seconds(stocked):
    pair, _product = stocked
    with serving(pair.jpn) as giver, Line(giver.partner_port, hold_after=500_000) as line:
        pair.meet(line.url)
        with begin("sync", "--node", pair.ukr):
            assert line.held.wait(20)
            started = time.monotonic()
            giver.process.send_signal(signal.SIGTERM)
            assert giver.process.wait(10) == 0
            assert time.monotonic() - started < 6
