"""Agent comms of the target, in several instances.

Where the scenario cuts a link, an instance is given the address of a proxy instead (`stage.links`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from pytest_agog.errors import UsageError
from pytest_agog.ledger.access import Access
from pytest_agog.scenario.model import CommsService
from pytest_agog.stage import links
from pytest_agog.stage.servers.services import LeftUp
from pytest_agog.stage.target import doors
from pytest_agog.stage.target.component import Component, at_once
from pytest_agog.stage.target.parts import Part, PartElsewhere

__all__ = ["Addresses", "Comms", "Component"]


def _no_instance(number: int) -> UsageError:
    return UsageError(f"there is no comms {number}; `services: {{comms: {{instances: {number}}}}}` starts it")


def monitored(url: str) -> dict[str, str]:
    """The environment that tells a part where NATS tells of itself."""
    return {"NATS_MONITOR_URL": url} if url else {}


@dataclass(frozen=True)
class Addresses:
    """Where a part finds the services."""

    nats: Access
    """As the user of the part."""
    postgres: str
    monitor: str = ""
    """Where NATS tells of itself over HTTP."""


class Comms:
    """Agent comms of the target: its instances and the links to and from them.

    A link stands between two parts only where the scenario cuts it; all others talk directly.
    """

    def __init__(
        self, part: Part, wanted: CommsService, folder: Path, *, cuts: Collection[str] = (), keep: bool = False,
        token: str | None = None,
    ) -> None:  # fmt: skip
        self.part = part
        self.links: dict[str, links.Link] = {}
        self.instances: list[Component] = []
        self._cuts = frozenset(cuts)
        self._keep = keep
        if isinstance(part, PartElsewhere):
            refused = sorted(self._cuts - {links.READER_COMMS})
            if refused or wanted.instances > 1:
                what = f"the link {refused[0]} cannot be cut" if refused else "there is one instance"
                raise UsageError(f"comms at {part.url} is external: {what}; give a target that starts it (`process:`)")
            return
        for number in range(1, wanted.instances + 1):
            name = "comms" if wanted.instances == 1 else f"comms-{number}"
            component = Component(name, part, folder / f"{name}.log", outlive=keep)
            component.values = {"workers": str(wanted.workers), "instance": str(number)}
            component.further = {**wanted.env, **doors.environment(token if wanted.token else None)}
            self.instances.append(component)

    def url(self, instance: int = 1) -> str:
        """Where readers find an instance, counted from 1: through the link between them when it is cut in this play.

        Raises:
            UsageError: there is no such instance.
        """
        own = self._own_urls()
        if not 1 <= instance <= len(own):
            raise _no_instance(instance)
        link = self.links.get(links.READER_COMMS)
        return own[instance - 1] if link is None else link.in_url(own[instance - 1])

    @property
    def left_up(self) -> list[LeftUp]:
        """The instances that stay."""
        return [LeftUp(one.name, one.url, one.pid) for one in self.instances if one.alive]

    def warm(self) -> None:
        """Begin to load what the instances need, while the services start."""
        if self.instances and self.instances[0].part.preload and not self._keep:
            from pytest_agog.stage.machine.forkserver import FORK_SERVER, POSSIBLE

            if POSSIBLE:
                FORK_SERVER.warm(self.instances[0].part.preload)

    async def start(self, addresses: Addresses) -> None:
        """Start links and instances, all at once.

        Raises:
            CommandNotFound, ServiceDidNotStart: one of them did not come up.
        """
        nats, postgres = addresses.nats, addresses.postgres
        if links.COMMS_NATS in self._cuts:
            link = await self._open(links.COMMS_NATS, links.nats_services(nats.addresses))
            nats = nats.at(link.in_nats(nats.addresses))
        if links.COMMS_POSTGRES in self._cuts:
            link = await self._open(links.COMMS_POSTGRES, [links.postgres_service(postgres)])
            postgres = link.in_dsn(postgres)
        self._point_at(Addresses(nats, postgres, addresses.monitor))
        await self._all(Component.start)
        if links.READER_COMMS in self._cuts:
            await self._open(links.READER_COMMS, [links.http_service(url) for url in self._own_urls()])

    async def kill(self, signal: str, server: int | None) -> None:
        """Send a signal to one instance, counted from 1, or to all.

        Raises:
            UsageError: it is external, or there is no such instance.
        """
        await self._all(lambda one: one.kill(signal), self._chosen(server, "killed"))

    async def restart(self, server: int | None, *, without: bool = False) -> None:
        """Start one instance or all again, each at its address; what still runs is stopped first.

        Each is awaited until it is ready, or only until it listens when it has to start `without` a service.

        Raises:
            UsageError: it is external, or there is no such instance.
            ServiceDidNotStart: it did not come up.
        """
        without |= any(link.is_cut for name, link in self.links.items() if name != links.READER_COMMS)
        await self._all(lambda one: one.restart(listens=without), self._chosen(server, "restarted"))

    async def stop(self) -> None:
        """End instances and links; idempotent."""
        try:
            await self._all(Component.stop)
        finally:
            for link in self.links.values():
                await link.close()

    async def leave(self, addresses: Addresses) -> None:
        """The harness goes and the instances stay: links end with the harness, so they are given the real addresses."""
        if self._cuts & {links.COMMS_NATS, links.COMMS_POSTGRES}:
            self._point_at(addresses)
            await self._all(Component.restart, [one for one in self.instances if one.alive])
        for link in self.links.values():
            await link.close()

    def _own_urls(self) -> list[str]:
        return [self.part.url] if isinstance(self.part, PartElsewhere) else [one.url for one in self.instances]

    def _point_at(self, addresses: Addresses) -> None:
        for one in self.instances:
            one.values |= {**addresses.nats.variables(), "postgres": addresses.postgres}
            one.credentials = {**addresses.nats.environment(), **monitored(addresses.monitor)}

    async def _open(self, name: str, services: list[links.Service]) -> links.Link:
        link = self.links[name] = links.Link(name, services)
        await link.open()
        return link

    def _chosen(self, server: int | None, done: str) -> list[Component]:
        if isinstance(self.part, PartElsewhere):
            raise UsageError(f"comms at {self.part.url} is external and cannot be {done}")
        if server is None:
            return self.instances
        if server > len(self.instances):
            raise _no_instance(server)
        return [self.instances[server - 1]]

    async def _all(self, do: Callable[[Component], None], chosen: Collection[Component] | None = None) -> None:
        await at_once(do, self.instances if chosen is None else chosen)
