"""What a serving node tells its operator on stderr, line by line: plain words, or JSON for machines.

# INVARIANT: no line holds anything of a product. Events and members are closed sets, and no member takes a free text: who,
# which kind of question, how many, how long. Errors are told by the names of their classes; their words may hold more.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from kizuna.adapters.clock import SystemClock

__all__ = ["Event", "EventLog", "Member"]

# A party, a route, the name of a class: what could hold a sentence is refused.
_WORD = re.compile(r"[A-Za-z0-9_./-]{1,64}\Z", re.ASCII)


class Event(StrEnum):
    """What happened."""

    STARTED = "started"
    STOPPED = "stopped"
    REQUEST = "request"
    THROTTLED = "throttled"
    FAILED = "failed"


class Member(StrEnum):
    """What is told of it."""

    PARTNER = "partner"
    ROUTE = "route"
    STATUS = "status"
    BYTES = "bytes"
    SECONDS = "seconds"
    RETRY_AFTER_S = "retry_after_s"
    ERROR = "error"
    WHERE = "where"


class EventLog:
    """Writes events. Safe to use from several threads.

    Parameters
    ----------
    stream
        Where to.
    clock
        Says when.
    as_json
        One JSON object a line; else words.
    """

    def __init__(self, stream: TextIO, clock: SystemClock, *, as_json: bool) -> None:
        self._stream, self._clock, self._as_json = stream, clock, as_json
        self._lock = threading.Lock()

    def tell(self, event: Event, members: Mapping[Member, str | float]) -> None:
        """Write one event. A text that is no single word is replaced by ``withheld``."""
        told: dict[str, str | float] = {"at": format_instant(self._clock.now()), "event": event.value}
        for name, value in members.items():
            told[name.value] = value if not isinstance(value, str) or _WORD.match(value) else "withheld"
        line = json.dumps(told) if self._as_json else " ".join(f"{name}={value}" for name, value in told.items())
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def tell_failures(self, event: Event, members: Mapping[Member, str | float]) -> None:
        """Write an event if it is a failure."""
        if event is Event.FAILED:
            self.tell(event, members)

    def handler(self) -> logging.Handler:
        """Handler for the loggers of libraries: of what they say only that it was said, and the class of the error."""
        return _Handler(self)


class _Handler(logging.Handler):
    def __init__(self, log: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        name = "none" if error is None else error.__name__
        self._log.tell(Event.FAILED, {Member.WHERE: record.name, Member.ERROR: name})
