"""How a service's door is kept, out of options and environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pytest_agog.reference.doors.clients import Network, networks
from pytest_agog.reference.doors.keyring import Keyring
from pytest_agog.reference.doors.limiting import Limits, read_limits


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Who may come in, and how often."""

    keyring: Keyring | None = None
    """The tokens; None lets everybody in."""
    limits: Limits = field(default_factory=Limits)
    proxies: tuple[Network, ...] = ()
    """Those that are believed about whom they ask for (`X-Forwarded-For`, `X-Forwarded-Proto`)."""
    open_metrics: bool = False
    """Whether `/metrics` needs no token."""


def read_settings(
    *,
    token_file: Path | None = None,
    tokens: str = "",
    rate_limit: str | None = None,
    readers: str | None = None,
    all_readers: str | None = None,
    proxies: str = "",
    open_metrics: bool = False,
) -> DoorSettings:
    """What the options say.

    Raises:
        BadInput: a token file that cannot be read, or something that is no token.
        UsageError: another option that cannot be read.
    """
    keyring = Keyring(token_file, tokens) if token_file is not None or tokens else None
    return DoorSettings(keyring, read_limits(rate_limit, readers, all_readers), networks(proxies), open_metrics)
