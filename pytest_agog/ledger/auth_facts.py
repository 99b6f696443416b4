"""What the server lets a user do, as the ledger holds it: the answer to an `AuthProbe`. [C10]"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AuthOutcome = Literal["allowed", "denied", "unanswered", "unreachable"]
"""What came of an attempt; the last two say nothing about what is allowed."""


@dataclass(frozen=True, slots=True)
class AuthTry:
    """One thing that a user tried."""

    what: str
    """In words: what was sent."""
    outcome: AuthOutcome
    said: str
    """The server's words, or why there are none."""
    needed: bool = True
    """Whether the operation is allowed only if this is; other ways to the same end are open doors where it is not."""


@dataclass(frozen=True, slots=True)
class AuthSeen:
    """What the server lets a user do, seen on the wire."""

    probe: str
    user: str
    operation: str
    on: str
    tries: tuple[AuthTry, ...]
    encryption: str = ""
    """The version of TLS, verified; empty in plain."""
    asked: bool = True
    """Whether the server asks who connects. Where it does not, every user is anybody."""
    reason: str = ""
    """Why nothing could be tried; empty when something was."""
    kind: Literal["auth.seen"] = "auth.seen"
