"""Which parts of a system come from where: all from the reference system, unless a target file says otherwise.

This is the one place of the harness that knows the reference system; it hands it out behind `stage.ports`. A target
that is read from a YAML file becomes another `Target` with the same entries.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from pytest_agog.ledger.access import Access, given
from pytest_agog.stage.target.parts import CrewParts, Part, PartProcess
from pytest_agog.stage.target.ports import Deliverables, Outgoing, Published, PublishWatcher
from pytest_agog.wire.naming import CONTRACT, WireNames

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link
    from pytest_agog.reference.deliverables.engine import DeliverableEngine
    from pytest_agog.reference.deliverables.watching import Outgoing as ReferenceOutgoing

_REPLICAS_IN_A_CLUSTER: Final = 3


class PrepareStreams(Protocol):
    """Creates streams and durable consumers."""

    def __call__(
        self, nats: Access | str, servers: int = 1, agents: Mapping[str, str] | None = None
    ) -> Awaitable[None]:
        """In the NATS system of so many `servers`, as the user of `nats` (or by an address alone); `agents` beside the
        seven, with the types of their deliverables."""
        ...


REFERENCE_COMMS: Final = PartProcess(
    command=("agog", "serve", "--host", "${host}", "--port", "${port}", "--workers", "${workers}", "--json"),
    ready="${url}/readyz",
    env={"NATS_URL": "${nats}", "DATABASE_URL": "${postgres}"},
    preload=(
        "nats.js.client", "psycopg", "psycopg_pool", "uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.auto",
        "uvicorn.protocols.http.auto", "pytest_agog.cli:build", "pytest_agog.reference.comms.service",
        "pytest_agog.reference.comms.web", "pytest_agog.reference.comms.pages.routes",
    ),
)  # fmt: skip
"""Agent comms of the reference system."""


_ORCHESTRATOR: Final = PartProcess(
    command=(
        "agog", "orchestrate", "--config", "${config}", "--host", "${host}", "--port", "${port}", "--json",
    ),
    ready="${url}/readyz",
    env={"NATS_URL": "${nats}", "DATABASE_URL": "${postgres}", "AGOG_GATE_DIR": "${config}.gate"},
    preload=(
        "nats.js.client", "uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto",
        "pytest_agog.cli:build", "pytest_agog.reference.orchestrator.service",
        "pytest_agog.reference.orchestrator.running.passing", "pytest_agog.reference.orchestrator.running.gating",
    ),
)  # fmt: skip
_LISTENER: Final = PartProcess(
    command=("agog", "listen", "--config", "${config}", "--json"),
    prints='{"nats"',
    env={"NATS_URL": "${nats}"},
    preload=("nats.js.client", "pytest_agog.cli:build", "pytest_agog.reference.orchestrator.listener.listener"),
)
REFERENCE_CREW: Final = CrewParts(_ORCHESTRATOR, _LISTENER)
"""Orchestrator and host listener of the reference system."""


@dataclass(frozen=True)
class Target:
    """A system under test, as far as a play needs its parts brought up."""

    name: str
    prepare_streams: PrepareStreams
    template_migrations: Callable[[], tuple[str, Callable[[str], None]]]
    """A key that names the schema, and what brings it about in the database with a given DSN."""
    deliverables: Callable[[Access | str, PublishWatcher | None], Awaitable[Deliverables]]
    """How NATS is reached, and watcher: the deliverable engine."""
    comms: Part = REFERENCE_COMMS
    """How its agent comms runs."""
    crew: CrewParts = REFERENCE_CREW
    """How its orchestrator and host listener run."""
    names: WireNames = field(default=CONTRACT)
    """What it calls the parts of agent comms."""

    @property
    def events_path(self) -> str:
        """Path of its events API."""
        return self.names.events_path


async def prepare_streams(
    nats: Access | str, servers: int = 1, agents: Mapping[str, str] | None = None, names: WireNames = CONTRACT
) -> None:
    """Create all streams and consumers of the contract, replicated in a cluster of three or more `servers`.

    Further `agents` (name to type of deliverable) get their streams as the seven have theirs.

    Raises:
        StreamDiffers: one that is there already is not as defined.
    """
    from pytest_agog.reference.deliverables.streams import init_streams

    link = await _connected(nats)
    try:
        replicas = _REPLICAS_IN_A_CLUSTER if servers >= _REPLICAS_IN_A_CLUSTER else 1
        for outcome in await init_streams(link, replicas=replicas, agents=agents, names=names):
            outcome.raise_if_wrong()
    finally:
        await link.close()


def template_migrations() -> tuple[str, Callable[[str], None]]:
    """The key of the current schema, and a function that migrates the database with a DSN (blocking)."""
    from pytest_agog.reference.comms import migrating

    def apply(dsn: str) -> None:
        migrating.migrate(dsn)

    return migrating.key(), apply


async def _connected(nats: Access | str) -> Link:
    from pytest_agog.reference.deliverables.connecting import connect
    from pytest_agog.reference.deliverables.credentials import Credentials

    access = given(nats) if isinstance(nats, str) else nats
    # Never what the harness's own environment says.
    shown = Credentials(creds=access.creds, nkey=access.nkey, ca=access.ca, user=access.user)
    return await connect(access.url, credentials=shown)


async def reference_deliverables(nats: Access | str, watcher: PublishWatcher | None) -> Deliverables:
    """The reference system's deliverable engine, with a connection of its own."""
    from pytest_agog.reference.deliverables.engine import DeliverableEngine

    link = await _connected(nats)
    return _Engine(DeliverableEngine(link, watcher=None if watcher is None else _Watcher(watcher)))


class _Watcher:
    """Speaks of publishes in the harness's words."""

    def __init__(self, watcher: PublishWatcher) -> None:
        self._watcher = watcher

    def attempted(self, message: ReferenceOutgoing) -> int:
        return self._watcher.attempted(Outgoing(message.subject, message.payload, message.headers))

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:  # noqa: FBT001
        self._watcher.acked(attempt, stream, sequence, duplicate)

    def refused(self, attempt: int, reason: str) -> None:
        self._watcher.refused(attempt, reason)


class _Engine:
    """The reference engine behind the harness's port."""

    def __init__(self, engine: DeliverableEngine) -> None:
        self._engine = engine

    async def publish(
        self, agent: str, task_type: str, feature: str, content: str, metadata: dict[str, Any] | None = None
    ) -> Published:
        done = await self._engine.publish(agent, task_type, feature, content, metadata)
        return Published(done.subject, done.url, done.stream, done.sequence, done.duplicate)

    async def require(self, url: str) -> str:
        return await self._engine.require(url)

    async def section(self, url: str, heading: str) -> str:
        return await self._engine.section(url, heading)

    async def close(self) -> None:
        await self._engine.close()


REFERENCE: Final = Target("reference", prepare_streams, template_migrations, reference_deliverables)
