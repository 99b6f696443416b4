"""How one user reaches NATS: addresses, credentials, and the certificate authority that vouches for the servers. [C10]

The harness, its probes and every part of the system under test are given one, each its own user's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pytest_agog.wire import users

if TYPE_CHECKING:
    import ssl

ANYBODY = "nobody"
"""Who has no credentials."""
HARNESS = users.SYSTEM.name
"""As whom the harness itself connects, and with it the orchestrator and the host listener."""
AGENTS = users.AGENTS.name
COMMS = users.JANGAR.name


@dataclass(frozen=True, slots=True)
class Access:
    """What one user needs to connect. Nothing but addresses where a server asks nobody who they are."""

    addresses: str
    """Servers separated by commas, with whatever credentials the given address holds."""
    user: str = ""
    """The user's name in the contract; empty when it is not known."""
    login: str = ""
    """Its name for the server where that is another one (after a change of passwords); goes with `password`."""
    password: str | None = field(default=None, repr=False)
    nkey: Path | None = None
    """A file with an nkey's seed."""
    creds: Path | None = None
    """A credentials file: a user's JWT and seed."""
    ca: Path | None = None
    """Certificates of the authorities that sign for the servers; the system's own when None."""

    @property
    def url(self) -> str:
        """Servers separated by commas, with user and password where that is the form of the credentials."""
        if self.password is None:
            return self.addresses
        told = f"{quote(self.login or self.user, safe='')}:{quote(self.password, safe='')}@"
        return ",".join(_with_user(address, told) for address in self.addresses.split(","))

    @property
    def inbox_prefix(self) -> str:
        """Where this user's replies go: a prefix of its own for a user of the contract."""
        known = users.by_name(self.user)
        return known.inbox_prefix if known is not None else "_INBOX"

    def at(self, addresses: str) -> Access:
        """The same user at other addresses."""
        return replace(self, addresses=addresses)

    def environment(self) -> dict[str, str]:
        """What commands find besides NATS_URL: empty where an address says everything. Paths and names, no secret."""
        found = {"NATS_CREDS": self.creds, "NATS_NKEY": self.nkey, "NATS_CA": self.ca}
        told = {name: str(value) for name, value in found.items() if value is not None}
        if self.user and (told or self.password is not None):
            told |= {"NATS_USER": self.user, "NATS_INBOX_PREFIX": self.inbox_prefix}
        return told

    def variables(self) -> dict[str, str]:
        """The same as the variables that a target's commands may name; empty where there is nothing to say."""
        return {
            "nats": self.url,
            "nats_address": self.addresses,
            "nats_user": self.login or self.user,
            "nats_password": self.password or "",
            "nats_nkey": str(self.nkey or ""),
            "nats_creds": str(self.creds or ""),
            "nats_ca": str(self.ca or ""),
            "nats_inbox_prefix": self.inbox_prefix,
        }

    def tls(self) -> ssl.SSLContext | None:
        """The context for TLS with verification, where an address asks for it or an authority is given.

        Raises:
            OSError: the file with the authorities cannot be read, or holds no certificate.
        """
        if self.ca is None and not any(asks_for_tls(address) for address in self.addresses.split(",")):
            return None
        import ssl

        return ssl.create_default_context(cafile=str(self.ca) if self.ca is not None else None)


def asks_for_tls(address: str) -> bool:
    """Whether a client at this address must not go on without TLS."""
    return address.strip().lower().startswith(("tls://", "wss://"))


def given(url: str, creds: Path | None = None, ca: Path | None = None) -> Access:
    """Access by an address that somebody gave, with the credentials that stand in it."""
    first = url.split(",")[0].strip()
    try:
        user = unquote(urlsplit(first if "://" in first else f"nats://{first}").username or "")
    except ValueError:  # whoever connects will say so
        user = ""
    return Access(url, user="" if creds is not None else user, creds=creds, ca=ca)


def _with_user(address: str, told: str) -> str:
    parts = urlsplit(address.strip())
    return urlunsplit(parts._replace(netloc=told + parts.netloc.rpartition("@")[2]))
