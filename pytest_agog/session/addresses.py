"""Where a test finds its services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from nats.aio.client import Client

    from pytest_agog.stage.servers.cluster import NatsCluster
    from pytest_agog.stage.servers.nats import NatsServer


@dataclass(frozen=True)
class Nats:
    """A NATS system, by address. Clients belong to the event loop of the caller, so each caller makes its own."""

    url: str
    """Where clients connect; the servers of a cluster are separated by commas."""
    monitor_url: str | None
    server: NatsServer | NatsCluster | None = None
    """The embedded server, to kill and restart; None when it is not ours."""

    @property
    def urls(self) -> list[str]:
        """Each server by itself, as most clients want several: `nats.connect(agog_nats.urls)`."""
        return [address.strip() for address in self.url.split(",")]

    async def connect(self, name: str = "test") -> Client:
        """A new client on the running event loop; the caller closes it.

        Raises:
            NatsUnreachable, CredentialsRefused: as they say.
        """
        from pytest_agog.stage.connect import connect_nats

        return await connect_nats(self.url, name=name)


@dataclass(frozen=True)
class Postgres:
    """A migrated database, by address."""

    dsn: str

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A new connection; the caller closes it."""
        import psycopg

        return psycopg.connect(self.dsn)
