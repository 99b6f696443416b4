"""Keys and JWTs of NATS: nkeys are ed25519 keys in base32, JWTs are claims that one of them has signed. [ADR-14]"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

Role = Literal["operator", "account", "user"]

_HEADER: Final = {"typ": "JWT", "alg": "ed25519-nkey"}
_VERSION: Final = 2
_NO_LIMIT: Final = -1


class Key:
    """A pair of keys."""

    def __init__(self, seed: bytes) -> None:
        import nkeys

        self._pair = nkeys.from_seed(seed)
        self._seed = bytes(seed)

    @property
    def seed(self) -> str:
        """The secret half, which begins with S."""
        return self._seed.decode()

    @property
    def public(self) -> str:
        """The public half; its first letter tells the role: O, A or U."""
        return bytes(self._pair.public_key).decode()

    def sign(self, text: str) -> bytes:
        """An ed25519 signature."""
        return bytes(self._pair.sign(text.encode()))


def new_key(role: Role) -> Key:
    """A new pair of keys from 256 random bits."""
    import nkeys

    prefix = {
        "operator": nkeys.PREFIX_BYTE_OPERATOR,
        "account": nkeys.PREFIX_BYTE_ACCOUNT,
        "user": nkeys.PREFIX_BYTE_USER,
    }[role]
    return Key(nkeys.encode_seed(secrets.token_bytes(32), prefix))


def operator_jwt(operator: Key, system_account: str) -> str:
    """The operator vouches for itself, and says which account is the servers' own."""
    return _signed(operator, "agog", operator.public, {"type": "operator", "system_account": system_account})


def account_jwt(
    operator: Key, account: str, name: str, *, jetstream: bool, revoked: Mapping[str, int] | None = None,
    doors: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """An account without limits.

    `revoked` has by public key of a user the second (Unix) up to which JWTs that were issued to it do not count;
    `doors` are claims about imports, exports and mappings.
    """
    limits: dict[str, Any] = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), _NO_LIMIT)
    limits["wildcards"] = True
    if jetstream:
        limits |= dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), _NO_LIMIT)
    claims: dict[str, Any] = {"type": "account", "limits": limits, **(doors or {})}
    if revoked:
        claims["revocations"] = dict(revoked)
    return _signed(operator, name, account, claims)


def user_jwt(
    account: Key, user: str, name: str, publish: Sequence[str], subscribe: Sequence[str], expires: float | None = None
) -> str:
    """A user of `account` who may do what is listed and nothing else; `expires` is a Unix time."""
    claims = {
        "type": "user",
        "pub": {"allow": list(publish)},
        "sub": {"allow": list(subscribe)},
        "subs": _NO_LIMIT,
        "data": _NO_LIMIT,
        "payload": _NO_LIMIT,
    }
    return _signed(account, name, user, claims, expires)


def credentials(jwt: str, seed: str) -> str:
    """The text of a credentials file, as clients of NATS read it."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )


def _signed(by: Key, name: str, subject: str, claims: Mapping[str, Any], expires: float | None = None) -> str:
    body: dict[str, Any] = {
        "jti": "", "iat": int(time.time()), "iss": by.public, "name": name, "sub": subject,
        "nats": {**claims, "version": _VERSION},
    }  # fmt: skip
    if expires is not None:
        body["exp"] = int(expires)
    digest = hashlib.sha256(_json(body)).digest()
    body["jti"] = base64.b32encode(digest).rstrip(b"=").decode()
    text = f"{_base64(_json(_HEADER))}.{_base64(_json(body))}"
    return f"{text}.{_base64(by.sign(text))}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
