"""What each command does, for a person whose credential stands in ``KIZUNA_TOKEN``: its role must allow it.

Without a credential a command acts for the user of the machine, who has the node's folder and with it its keys: there is nothing
that a role could keep from whoever holds these.
"""

from __future__ import annotations

from types import MappingProxyType

from kizuna.node.access import Act

__all__ = ["act_of"]

_WORDS = {
    None: (
        "demo",
        "node init",
        "label show",
        "label check",
        "label translate",
        "agreement check",
        "agreement schema",
        "release trap",
        "release export-cedar",
        "audit verifier",
        "sar form",
        "sar info",
        "sar check",
        "sar simulate",
        "sar geocode",
        "sar quality",
        "sar reduce",
        "plan access",
        "plan revisit",
        "plan design",
        "plan provider",
        "completion bash",
        "completion zsh",
        "completion fish",
    ),
    Act.SEE_PRODUCTS: (
        "catalog export",
        "product list",
        "product show",
        "product recalled",
        "release explain",
        "release view",
        "release diff",
        "request list",
        "request show",
    ),
    Act.SEE_AGREEMENTS: ("agreement list", "agreement show", "plan whatif"),
    Act.SEE_PARTNERS: ("node status", "partner card", "partner show", "partner list", "doctor"),
    Act.SEE_LOG: ("audit log", "audit reads", "audit prove", "audit export"),
    Act.ASK: ("request ask", "plan schedule", "plan order"),
    Act.RELEASE: (
        "partner add",
        "partner remove",
        "partner revoke",
        "ingest",
        "product consent",
        "product relabel",
        "product recall",
        "product answer-recall",
        "agreement add",
        "agreement suspend",
        "agreement resume",
        "agreement withdraw",
        "alert",
        "request accept",
        "request decline",
        "request fulfil",
        "audit confirm",
    ),
    Act.OPERATE: (
        "node serve",
        "node rotate-keys",
        "node migrate",
        "sync",
        "exchange export",
        "exchange import",
        "exchange key",
        "audit verify",
        "audit witness list",
        "audit witness send",
        "audit witness ask",
        "audit witness cosign",
        "audit witness take",
    ),
    Act.ADMIT: ("node token add", "node token list", "node token revoke"),
}
_ACTS = MappingProxyType({words: act for act, commands in _WORDS.items() for words in commands})


def act_of(command: str) -> Act | None:
    """What a command does, named without ``kizuna``; None for one that opens no node.

    Raises
    ------
    KeyError
        If it does not stand here: then nobody may do it by a credential.

    Examples
    --------
    >>> act_of("product relabel")
    <Act.RELEASE: 'release'>
    """
    return _ACTS[command]
