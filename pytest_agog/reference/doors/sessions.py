"""What a browser that has signed in is given instead of the token: a time, signed with a key of the token.

Nothing is kept, so every replica that has the token knows the session, and it ends with its time or its token.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable
from typing import Final

from pytest_agog.reference.doors.keyring import Key

COOKIE: Final = "agog_session"
"""How the cookie's name begins. Ports share cookies, so each token has its own: services of one host that have
different tokens leave each other's sessions alone, and those with the same token need one sign-in.
"""
LASTS: Final = 12 * 3600
"""Seconds."""
_FORM: Final = re.compile(r"(?P<signed>(?P<until>[0-9]{1,12})\.[0-9a-f]{16})\.(?P<mac>[0-9a-f]{64})")


def begin(key: Key, now: float) -> str:
    """A session of whoever holds `key`, from `now` (seconds since 1970) for `LASTS` seconds."""
    signed = f"{int(now) + LASTS}.{secrets.token_hex(8)}"
    return f"{signed}.{_mac(key, signed)}"


def find(cookies: str, keys: Iterable[Key], now: float) -> tuple[Key, int] | None:
    """The key of a valid session in a `Cookie` header, and when the session ends; None without one."""
    values = _values(cookies)
    found: tuple[Key, int] | None = None
    for key in keys:
        given = _FORM.fullmatch(values.get(name_of(key), ""))
        if given is None or int(given["until"]) <= now:
            continue
        if hmac.compare_digest(_mac(key, given["signed"]), given["mac"]):
            found = key, int(given["until"])
    return found


def name_of(key: Key) -> str:
    """What the cookie of a token is called. Nobody finds the token by it."""
    return f"{COOKIE}_{key.id}"


def cookie(key: Key, value: str, *, secure: bool) -> str:
    """A `Set-Cookie` header; an empty value ends the session."""
    lasts = LASTS if value else 0
    parts = [f"{name_of(key)}={value}", "Path=/", f"Max-Age={lasts}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)


def _mac(key: Key, signed: str) -> str:
    return hmac.digest(key.signing, signed.encode(), "sha256").hex()


def _values(cookies: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in cookies.split(";"))
    return {name: value for name, _, value in pairs if name.startswith(COOKIE)}
