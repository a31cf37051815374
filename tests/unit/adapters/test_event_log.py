"""The operator's log: words and numbers only, whatever it is handed."""

from __future__ import annotations

import io
import json
import logging

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.event_log import Event, EventLog, Member


def told(act, *, as_json=True):
    stream = io.StringIO()
    act(EventLog(stream, SystemClock(), as_json=as_json))
    return stream.getvalue()


def test_a_line_is_one_object_with_its_instant():
    line = json.loads(told(lambda log: log.tell(Event.REQUEST, {Member.PARTNER: "UKR/HUR", Member.STATUS: 200})))
    assert line.pop("at").endswith("Z")
    assert line == {"event": "request", "partner": "UKR/HUR", "status": 200}


def test_what_is_no_single_word_is_withheld():
    for secret in ("Harbour of Kochi", "a\nb", "", "é", "x" * 65):
        for as_json in (True, False):
            text = told(lambda log, secret=secret: log.tell(Event.FAILED, {Member.ERROR: secret}), as_json=as_json)
            assert "withheld" in text
            assert text.count("\n") == 1
            assert not secret or secret not in text


def test_of_what_libraries_say_only_the_class_of_the_error_is_told():
    def act(log):
        logger = logging.getLogger("kizuna-test-of-the-log")
        logger.propagate = False
        logger.addHandler(log.handler())
        try:
            int("the harbour")
        except ValueError:
            logger.exception("failed with %s", "the harbour")

    text = told(act)
    assert json.loads(text)["error"] == "ValueError"
    assert "harbour" not in text


def test_plain_logs_tell_failures_alone():
    def act(log):
        log.tell_failures(Event.REQUEST, {Member.PARTNER: "UKR"})
        log.tell_failures(Event.FAILED, {Member.ERROR: "StoreError"})

    assert told(act, as_json=False).count("\n") == 1
