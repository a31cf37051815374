"""What a node counts, in the text format of Prometheus (version 0.0.4): numbers by partner, nothing of any product."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kizuna.node.health import NodeHealth
    from kizuna.web.limits import Usage

__all__ = ["METRICS_TYPE", "metrics_text"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

type _Samples = Iterable[tuple[Mapping[str, str], float | None]]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _family(name: str, kind: str, what: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        if value is not None:
            inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
            lines.append(f"{name}{{{inside}}} {value}" if inside else f"{name} {value}")
    return "\n".join(lines) + "\n"


def metrics_text(health: NodeHealth, usage: Sequence[Usage]) -> str:
    """Metrics of a node.

    Parameters
    ----------
    health
        What the store and the log tell.
    usage
        What was asked of this process, by partner.
    """
    partners = health.partners

    def each(kind: str, name: str, what: str, values: Iterable[float | None]) -> str:
        samples = [({"partner": p.status.partner}, value) for p, value in zip(partners, values, strict=True)]
        return _family(name, kind, what, samples)

    def used(name: str, what: str, values: Iterable[float]) -> str:
        return _family(name, "counter", what, [({"partner": u.partner}, v) for u, v in zip(usage, values, strict=True)])

    decisions: _Samples = [
        ({"partner": p.status.partner, "outcome": outcome}, count)
        for p in partners
        for outcome, count in (("permit", p.counts.permits), ("deny", p.counts.denials))
    ]
    gauge, counter = "gauge", "counter"
    return "".join(
        [
            _family("kizuna_log_entries", gauge, "Entries of the node's log.", [({}, health.log_entries)]),
            _family("kizuna_tail_confirmed", gauge, "1 while the node may serve.", [({}, int(health.tail_confirmed))]),
            _family(
                "kizuna_own_certificate_days", gauge, "Days until this node's certificate ends.", [({}, health.certificate_days)]
            ),
            each(gauge, "kizuna_queue", "Products and messages that wait.", (p.status.waiting for p in partners)),
            each(gauge, "kizuna_lag_seconds", "For how long the oldest of them waits.", (p.waiting_s for p in partners)),
            each(gauge, "kizuna_unconfirmed", "Entries without a receipt.", (p.unconfirmed for p in partners)),
            each(gauge, "kizuna_unconfirmed_seconds", "Age of the oldest of them.", (p.unconfirmed_s for p in partners)),
            each(
                gauge,
                "kizuna_clock_skew_seconds",
                "Partner's clock minus ours.",
                (p.clock_skew_s for p in partners),
            ),
            each(gauge, "kizuna_certificate_days", "Days until its certificate ends.", (p.certificate_days for p in partners)),
            _family("kizuna_decisions_total", counter, "Decisions in the log.", decisions),
            each(counter, "kizuna_refusals_total", "Refusals, once a suspension.", (p.counts.refusals for p in partners)),
            each(counter, "kizuna_released_total", "Entries that were released.", (p.counts.released for p in partners)),
            each(counter, "kizuna_receipts_total", "Receipts that came.", (p.counts.receipts for p in partners)),
            each(counter, "kizuna_received_total", "Entries that came.", (p.counts.received for p in partners)),
            used("kizuna_requests_total", "Requests since the process began.", (u.requests for u in usage)),
            used("kizuna_throttled_total", "Requests over a limit.", (u.throttled for u in usage)),
            used("kizuna_sent_bytes_total", "Bytes of answers since the process began.", (u.sent_bytes for u in usage)),
        ]
    )
