"""What a step may use while it is played, and how it says that it failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_agog.checks.base import Verdict
from pytest_agog.checks.registry import Checks
from pytest_agog.errors import AgogError
from pytest_agog.ledger.access import AGENTS, ANYBODY, Access
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.play.watching import LedgerWatcher
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.stage import Stage
from pytest_agog.stage.target.ports import Deliverables
from pytest_agog.stage.target.targets import Target

if TYPE_CHECKING:
    from nats.aio.client import Client

    from pytest_agog.ledger.probing.events import EventReader
    from pytest_agog.ledger.probing.pages import Pages
    from pytest_agog.ledger.probing.prober import Prober
    from pytest_agog.ledger.recording.recorder import Recorder
    from pytest_agog.play.acks import AckedPublisher


class StepFailed(AgogError):
    """A step failed."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail
        """More lines for people: an agent's output, the end of a log."""


class WaitedInVain(StepFailed):
    """What a `wait` step waited for did not come true."""

    def __init__(self, check: str, seconds: float, verdict: Verdict) -> None:
        super().__init__(
            f"waited {seconds:.3g}s for `{check}`: expected {verdict.expected}, observed {verdict.observed}",
            verdict.nearest,
        )
        self.verdict = verdict


@dataclass
class PlayContext:
    """One play while it runs."""

    scenario: Scenario
    ledger: Ledger
    stage: Stage
    client: Client
    """The harness's own connection."""
    recorder: Recorder
    prober: Prober
    pages: Pages
    """The pages that steps opened."""
    target: Target
    checks: Checks
    progress: Callable[[str], None]
    spawns: dict[str, int] = field(default_factory=dict)
    """How often each agent was spawned so far in this play."""
    down: set[int] = field(default_factory=set)
    """The nats-servers, counted from 1, that a step killed or stopped and none started again."""
    led: set[str] | None = None
    """Subjects whose stream was seen with a leader since a server of a cluster went or came; None before any did."""
    publisher: AckedPublisher | None = None
    """Made by the first step that publishes."""
    readers: dict[str, EventReader] = field(default_factory=dict)
    """Readers of events that steps opened, by name."""
    _engines: dict[str, Deliverables] = field(default_factory=dict)

    def file(self, written: str) -> Path:
        """Where the data file is that the scenario writes as `written`."""
        return self.scenario.files.get(written, self.scenario.folder / written)

    async def engine(self, agent: str) -> Deliverables:
        """The deliverable engine through which `agent` publishes and reads, with a connection of its own."""
        if agent not in self._engines:
            self._engines[agent] = await self.target.deliverables(
                self.stage.given_access(AGENTS), LedgerWatcher(self.ledger, agent)
            )
        return self._engines[agent]

    async def reader(self) -> Deliverables:
        """An engine with which the harness itself reads: nobody writes down what is read with it."""
        return next(iter(self._engines.values()), None) or await self.engine("harness")

    @property
    def engines(self) -> tuple[Deliverables, ...]:
        """All that were made so far; whoever made the context closes them."""
        return tuple(self._engines.values())

    @property
    def nats_url(self) -> str:
        """Where commands connect: the first server that steps have left running, for many clients take one address.

        Without credentials, which are in the commands' environment alone.
        """
        addresses = self.stage.nats.url.split(",")
        up = [address for number, address in enumerate(addresses, 1) if number not in self.down]
        return (up or addresses)[0].strip()

    def environment(self, user: str = AGENTS) -> Mapping[str, str]:
        """What commands find in their environment, on top of the harness's own: as `user` of NATS."""
        access = self._access(user)
        found = {"NATS_URL": access.url, **access.environment(), "AGENT_OUTPUT_DIR": str(self.stage.output_folder)}
        if self.stage.postgres_dsn is not None:
            found["DATABASE_URL"] = self.stage.postgres_dsn
        if self.stage.has_comms:
            found["AGOG_COMMS_URL"] = self.stage.comms_url()
        if self.stage.orchestrator_url is not None:
            found["AGOG_ORCHESTRATOR_URL"] = self.stage.orchestrator_url
        if self.stage.http_token is not None:
            found["AGOG_HTTP_TOKEN"] = self.stage.http_token
        return found

    def _access(self, user: str) -> Access:
        if user == ANYBODY:
            return Access(self.nats_url, ca=self.stage.given_access(AGENTS).ca)
        return self.stage.given_access(user).at(self.nats_url)

    @property
    def servers(self) -> int:
        """How many nats-servers there are."""
        return max(1, self.stage.nats.replicas)

    @property
    def nats_is_gone(self) -> bool:
        """Whether steps have taken so many nats-servers away that JetStream cannot answer."""
        return 2 * (self.servers - len(self.down)) <= self.servers
