"""What a server of ours asks of its clients, and what each user shows it: made afresh for every play. [C10]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import UsageError
from pytest_agog.ledger.access import Access, given
from pytest_agog.masking import mask
from pytest_agog.scenario.model import NatsService

if TYPE_CHECKING:
    from pytest_agog.security.issuing import Identity

HOSTS: Final = ("127.0.0.1", "localhost")
"""Names in the certificate: our servers listen on this machine only, links that can be cut too."""


@dataclass(frozen=True)
class Guard:
    """Who may come in. Without identities and authority: anybody, in plain."""

    server: Mapping[str, Any] = field(default_factory=dict)
    """Keys of nats-server's configuration."""
    identities: Mapping[str, Identity] = field(default_factory=dict)
    """By user, its credentials."""
    ca: Path | None = None
    """Who signed the server's certificate."""
    harness: Access | None = None
    """How the harness reaches a server that is not ours."""

    def access(self, user: str, addresses: str) -> Access | None:
        """How `user` reaches the server, None where it has credentials for others only."""
        if self.harness is not None and not self.identities:
            return self.harness
        identity = self.identities.get(user)
        if identity is not None:
            return Access(
                addresses,
                user=user,
                login=identity.user,
                password=identity.password,
                nkey=identity.nkey_file,
                creds=identity.creds_file,
                ca=self.ca,
            )
        return None if self.identities else Access(addresses, ca=self.ca)


OPEN: Final = Guard()


def guarded(wanted: NatsService, folder: Path, hosts: tuple[str, ...] = HOSTS) -> Guard:
    """Fresh secrets and certificates as the scenario wants them, in files in `folder`. Blocks."""
    server: dict[str, Any] = {}
    identities: Mapping[str, Identity] = {}
    ca: Path | None = None
    if wanted.auth == "accounts":
        from pytest_agog.security.issuing import issue

        issued = issue(folder / "users", wanted.credentials)
        server |= issued.server
        identities = issued.identities
    if wanted.tls:
        from pytest_agog.security.certificates import certify

        certificates = certify(folder / "tls", hosts)
        server |= certificates.server
        ca = certificates.ca
    return Guard(server, identities, ca)


def external(wanted: NatsService, url: str, creds: Path | None) -> Guard:
    """What is known of a server of somebody else.

    Raises:
        UsageError: the scenario wants accounts or TLS, and nothing says how each user gets in.
    """
    if wanted.auth == "accounts":
        raise UsageError(
            f"the scenario wants accounts (services.nats.auth), and NATS at {mask(url)} is external: the credentials "
            "of system, agents and jangar were not given; play it on --agog-backend=embedded, cluster or container"
        )
    if wanted.tls and not all(part.strip().startswith(("tls://", "wss://")) for part in url.split(",")):
        raise UsageError(
            f"the scenario wants TLS (services.nats.tls), and {mask(url)} is no tls:// address; give one with "
            "--agog-nats-url, or play it on --agog-backend=embedded, cluster or container"
        )
    return Guard(harness=given(url, creds))
