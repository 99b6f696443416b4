"""What an orchestrator, or whoever follows one, sees of the whole system: for the board, `/readyz` and metrics. [X5]

Listeners and orchestrators give signs of life. Comms is seen by its consumer, which somebody waits at, or moves on: the
service itself may be anywhere, and what matters is that messages are fetched.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.observing.beats import Member, Roster, hearing
from pytest_agog.reference.observing.health import Health, Part, Taken
from pytest_agog.reference.observing.nats_monitor import NatsMonitor
from pytest_agog.reference.observing.watching import Look, Own, Watch

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

COMMS: Final = ("agent-comms", "jangar-agent-comms")
"""Stream and consumer of comms."""
_PONG_WITHIN: Final = 2.0
"""Seconds for the answer to a PING."""
_CHANCES: Final = 2
"""Looks at comms that may find nobody in a row: between two of its requests there is a moment without any."""


class Surroundings:
    """Looks by `watch`; the rest was heard. `own` are the parts that this process itself is."""

    def __init__(
        self, link: Link, monitor: NatsMonitor | None = None, postgres_dsn: str | None = None,
        own: Mapping[str, Own] | None = None,
    ) -> None:  # fmt: skip
        self.monitor = monitor if monitor is not None else NatsMonitor(None)
        self.roster = Roster()
        self._link = link
        self._dsn = postgres_dsn
        self._account: Mapping[str, Any] = {}
        self._comms: Mapping[str, Any] = {}
        self._missed = 0
        self._answers = True
        looks: dict[str, Look] = {"jetstream": self._jetstream}
        if postgres_dsn:
            looks["postgres"] = self._postgres
        looks["comms"] = self._ingest
        self.watch = Watch(looks, {"nats": lambda: self.connected, **(own or {}), "listener": self._listener})

    @contextlib.asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Listens for signs of life while the block runs."""
        async with hearing(self._link, self.roster):
            yield

    @property
    def connected(self) -> bool:
        """Whether NATS is there, and answered the last look: one that hangs keeps its connections for minutes."""
        return bool(self._link.nc.is_connected) and self._answers

    @property
    def members(self) -> list[Member]:
        """Listeners and orchestrators."""
        return [*self.roster.members("listener"), *self.roster.members("orchestrator")]

    def health(self) -> Health:
        """What is known now, nobody is asked."""
        about: dict[str, Callable[[], str]] = {
            "listener": self._about_listeners, "comms": self._about_comms, "jetstream": self._about_jetstream,
        }  # fmt: skip
        order = ("nats", "jetstream", "postgres", "comms", "orchestrator", "listener")
        found = {one.name: one for one in self.watch.parts}
        parts = [replace(found[name], about=about.get(name, str)()) for name in order if name in found]
        lost = (
            Part(one.beat.name, "down", one.since, "fell silent; nobody has started in its place")
            for one in self.members if not one.alive
        )  # fmt: skip
        return Health(datetime.now(UTC), (*parts, *lost), (*self._processes(), *self._servers()))

    # --- looking ------------------------------------------------------------------------------------------------------
    async def _answered(self) -> bool:
        self._answers = await self._link.answers(_PONG_WITHIN)
        return self.connected

    async def _jetstream(self) -> bool:
        if not await self._answered():
            return False
        await self.monitor.look()
        self._account = await jetstream.call(self._link, "INFO")
        return True

    async def _postgres(self) -> bool:
        import psycopg

        connection = await psycopg.AsyncConnection.connect(self._dsn or "", connect_timeout=2, autocommit=True)
        async with connection:
            await connection.execute("SELECT 1")
        return True

    async def _ingest(self) -> bool | None:
        """None: nobody has ever set it up here, or NATS is away."""
        if not await self._answered():
            return None
        try:
            info = await jetstream.call(self._link, f"CONSUMER.INFO.{COMMS[0]}.{COMMS[1]}")
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                self._comms = {}
                return None
            raise
        if not self._comms and not int(info["num_waiting"]) and not _place(info)[0]:
            return None  # the consumer is part of the contract, and there before anybody fetches
        moves = bool(self._comms) and _place(info) != _place(self._comms)
        self._missed = 0 if moves or int(info["num_waiting"]) > 0 else self._missed + 1
        self._comms = info
        return self._missed < _CHANCES

    def _listener(self) -> bool | None:
        """Whether one lives. None: it is too early to tell, or nothing can be heard."""
        if not self.connected:
            self.roster.deaf()
            return None
        members = self.roster.members("listener")
        if any(one.alive for one in members):
            return True
        return None if not members and self.roster.young else False

    # --- telling ------------------------------------------------------------------------------------------------------
    def _about_listeners(self) -> str:
        alive = [one.beat for one in self.roster.members("listener") if one.alive]
        if not alive:
            return "agog listen runs nowhere" if self._listener() is False else ""
        running = sum(one.running for one in alive)
        return f"{len(alive)} {'is' if len(alive) == 1 else 'are'} there, {running} agent{'s' * (running != 1)} at work"

    def _about_comms(self) -> str:
        if not self._comms:
            return "no comms service has ever fetched here"
        waiting = int(self._comms["num_pending"]) + int(self._comms["num_ack_pending"])
        return f"{waiting:,} message{'s' * (waiting != 1)} behind"

    def _about_jetstream(self) -> str:
        streams = self._account.get("streams")
        return f"{streams} streams" if isinstance(streams, int) else ""

    def _processes(self) -> list[Taken]:
        return [
            Taken(
                one.beat.name, one.alive, one.beat.memory if one.alive else None,
                one.beat.cpu_percent if one.alive else None,
                about=f"{one.beat.host}, process {one.beat.pid}",
            )
            for one in self.members
        ]  # fmt: skip

    def _servers(self) -> list[Taken]:
        if not self.monitor.urls:
            storage = self._account.get("storage")
            return [Taken("JetStream", self.connected, storage=int(storage))] if isinstance(storage, int) else []
        return [
            Taken(
                one.name or "nats-server", one.up, int(one.number("mem")), one.number("cpu"),
                int(one.number("connections")), int(one.stored), "nats-server",
            )
            for one in self.monitor.servers.values()
        ]  # fmt: skip


def _place(info: Mapping[str, Any]) -> tuple[Any, Any]:
    """How far the consumer is."""
    return info["delivered"]["consumer_seq"], info["ack_floor"]["consumer_seq"]
