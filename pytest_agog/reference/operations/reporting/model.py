"""What the report tells of, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MountSeen:
    """One mount of a container, and whether its source is there."""

    container: str
    kind: str
    source: str
    target: str
    writable: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    """A container, running or not."""

    name: str
    image: str
    state: str
    """`running`, `exited`, …"""
    health: str
    """`healthy`, `unhealthy`, `starting`; empty without a healthcheck, and when it does not run."""
    exit_code: int
    restarts: int
    networks: tuple[str, ...] = ()
    listens: tuple[int, ...] = ()
    """TCP ports that it says it listens on."""
    published: tuple[tuple[str, int, int], ...] = ()
    """TCP: address and port on the host, port in the container."""
    mounts: tuple[MountSeen, ...] = ()
    cpu: str = ""
    memory: str = ""
    serves: bool = False
    """Whether it is to run on: a service with a healthcheck, or one that is started again whenever it ends."""

    @property
    def told(self) -> str:
        """What there is to say beside its state."""
        ended = f"exit code {self.exit_code}"
        return self.health or (f"{ended}, and it is to run on" if self.serves and not self.exit_code else ended)

    @property
    def is_well(self) -> bool:
        """Whether it runs and is not unhealthy, or had something to do once and has ended with 0."""
        if self.state == "running":
            return self.health in ("", "healthy")
        return self.state in ("exited", "created") and self.exit_code == 0 and not self.serves


@dataclass(frozen=True, slots=True)
class Reached:
    """One attempt to connect. `well` is None when it could not be tried."""

    origin: str
    target: str
    well: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ConsumerSeen:
    """A durable consumer, and how far it is behind."""

    name: str
    pending: int
    ack_pending: int
    redelivered: int

    @property
    def lag(self) -> int:
        """What it has still to deal with: delivered and not acknowledged counts too. [J25]"""
        return self.pending + self.ack_pending


@dataclass(frozen=True, slots=True)
class StreamSeen:
    """A stream, with its consumers."""

    name: str
    messages: int
    bytes: int
    first: int
    last: int
    consumers: tuple[ConsumerSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Containers:
    """What the engine says; `reason` when it says nothing."""

    found: tuple[ContainerSeen, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """What JetStream says; `reason` when it says nothing."""

    found: tuple[StreamSeen, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Name and value pairs of the server's own measures; `reason` when there are none."""

    values: tuple[tuple[str, str], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, at one time."""

    at: str
    """UTC, ISO 8601."""
    containers: Containers
    reached: tuple[Reached, ...]
    streams: Streams
    measured: Measured
    checks: tuple[tuple[str, str, str, str], ...] = ()
    """What `agog doctor` found: check, outcome, found, remedy."""
    compose: tuple[str, ...] | None = None
    """One line for each finding in compose files; None when none were given."""

    @property
    def unwell(self) -> list[str]:
        """What needs somebody, a line each."""
        lines = [
            f"container {one.name}: {one.state}, {one.told}"
            for one in self.containers.found if not one.is_well
        ]  # fmt: skip
        lines += [
            f"mount {mount.target} of {mount.container}: {mount.problem}"
            for one in self.containers.found for mount in one.mounts if mount.problem
        ]  # fmt: skip
        lines += [
            f"{one.origin} does not reach {one.target}: {one.detail}" for one in self.reached if one.well is False
        ]
        lines += [
            f"{check}: {found}" for check, outcome, found, _ in self.checks if outcome in ("failed", "unreachable")
        ]
        return [*lines, *(self.compose or ())]
