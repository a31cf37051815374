"""People whom a proxy signed in by OpenID Connect: the token that it passes on, verified by its issuer's keys.

The proxy is believed nothing: a header that only names somebody counts for nothing. What counts is a token that the issuer signed
(a JWT, RFC 7519: OIDC's ID token, or an access token in that form) for this node (``aud``), that has not ended, verified by the
issuer's public keys (a JWK set, RFC 7517) from a file that the operator keeps. The node fetches nothing.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kizuna.adapters.input_files import read_input
from kizuna.errors import InputError, KizunaError, Message
from kizuna.node.access import Person

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kizuna.node.access import Role

__all__ = ["Issuer", "SignedIdentities"]

# Signatures with a public key alone: with a shared secret, or with none ("none"), whoever knows the public key could sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_S = 30
_LONGEST = 16_384
_MOST_RIGHTS_FIRST: tuple[Role, ...] = ("officer", "analyst", "operator")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs people in, and what its words mean here.

    Parameters
    ----------
    name
        Its address, as its tokens have it (``iss``).
    audience
        For whom a token must be (``aud``): this node, as it is registered with the issuer.
    keys
        File with its public keys (JWK set).
    name_claim
        Member of a token that names the person.
    roles_claim
        Member that holds a text or a list of texts, such as groups.
    roles
        Role here by such a text. Who has none of them is nobody here; of several, the one with the most rights counts.
    """

    name: str
    audience: str
    keys: Path
    name_claim: str
    roles_claim: str
    roles: Mapping[str, Role]


class SignedIdentities:
    """Tells people by tokens of one issuer. Safe to use from several threads.

    Parameters
    ----------
    issuer
        Whom to believe.

    Raises
    ------
    InputError
        If its keys cannot be read.
    """

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], Mapping[str | None, Any]] = ((0, 0, 0), {})
        self._keys()

    def _keys(self) -> Mapping[str | None, Any]:
        """Keys by id, read again when the file is another one: issuers change their keys."""
        import jwt

        path = self._issuer.keys
        with self._lock:
            try:
                status = path.stat()
                stamp = status.st_mtime_ns, status.st_size, status.st_ino
                if stamp != self._read[0]:
                    found = jwt.PyJWKSet.from_dict(json.loads(read_input(path))).keys
                    self._read = stamp, {key.key_id: key for key in found}
            except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
                raise InputError(
                    Message("oidc_keys: {path} cannot be read as a JWK set: {why}", {"path": str(path), "why": str(error)}),
                    hint=Message("fetch it from the address that the issuer names as jwks_uri"),
                    field="oidc_keys",
                ) from error
            return self._read[1]

    def person(self, token: str) -> Person | None:
        """Person whom a token names; None for anything that is not a token of this issuer, for this node, that holds now."""
        import jwt

        if token.count(".") != 2 or len(token) > _LONGEST:  # noqa: PLR2004 - a signed JWT has three parts
            return None
        issuer = self._issuer
        try:
            keys, named = self._keys(), jwt.get_unverified_header(token).get("kid")
            # A set of one key needs no ids.
            key = next(iter(keys.values())) if named is None and len(keys) == 1 else keys[named]
            if key.algorithm_name not in _ALGORITHMS:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=issuer.audience,
                issuer=issuer.name,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud"], "enforce_minimum_key_length": True},
            )
        except (KeyError, TypeError, ValueError, KizunaError, jwt.PyJWTError):
            # INVARIANT: whatever is wrong with a token, or with the keys, nobody is told by it.
            return None
        name, told = claims.get(issuer.name_claim), claims.get(issuer.roles_claim)
        groups = [told] if isinstance(told, str) else told if isinstance(told, list) else []
        held = {issuer.roles[group] for group in groups if isinstance(group, str) and group in issuer.roles}
        role = next((role for role in _MOST_RIGHTS_FIRST if role in held), None)
        return Person(name, role) if role is not None and isinstance(name, str) and name and name.isprintable() else None
