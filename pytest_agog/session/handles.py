"""What the fixtures hand out: a deliverable engine, a ledger that records, a player of scenarios."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nats.js.client  # noqa: F401 - before another thread does: see stage._import_client

from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.connect import connect_nats

if TYPE_CHECKING:
    from nats.aio.client import Client

    from pytest_agog.play.result import PlayResult
    from pytest_agog.reference.deliverables.engine import DeliverableEngine
    from pytest_agog.reference.deliverables.sync import SyncDeliverableEngine
    from pytest_agog.session.addresses import Nats
    from pytest_agog.session.looping import BackgroundLoop
    from pytest_agog.session.run import AgogRun


class DeliverableFixture:
    """The deliverable engine on the test's NATS: `sync` for plain tests, `await connect()` for async ones."""

    def __init__(self, nats: Nats) -> None:
        self._nats = nats
        self._sync: SyncDeliverableEngine | None = None

    @property
    def sync(self) -> SyncDeliverableEngine:
        """The engine with blocking methods."""
        if self._sync is None:
            from pytest_agog.reference.deliverables.sync import SyncDeliverableEngine

            self._sync = SyncDeliverableEngine.connect(self._nats.url)
        return self._sync

    async def connect(self) -> DeliverableEngine:
        """A new engine on the running event loop; the caller closes it."""
        from pytest_agog.reference.deliverables.engine import DeliverableEngine

        return await DeliverableEngine.connect(self._nats.url)

    def close(self) -> None:
        """Let go of the sync engine."""
        if self._sync is not None:
            self._sync.close()


class LedgerFixture:
    """A ledger that records the test's NATS from the start of the test."""

    def __init__(self, nats: Nats, loop: BackgroundLoop) -> None:
        self._loop = loop
        self.ledger = Ledger()
        """Read it after `catch_up`: the recorder writes to it from another thread."""

        async def connect() -> Client:
            return await connect_nats(nats.url, name="agog-ledger")

        async def begin() -> Recorder:
            # On a server that others use, only what comes from now on counts.
            recorder = Recorder(self.ledger, connect, baseline=nats.server is None, monitor_url=nats.monitor_url)
            await recorder.start()
            return recorder

        self._recorder = loop.call(begin())

    def catch_up(self) -> Ledger:
        """Wait until everything that the server accepted before this call is in the ledger; returns it."""
        self._loop.call(self._recorder.catch_up())
        return self.ledger

    def messages(self, pattern: str) -> list[Message]:
        """Messages so far whose subject fits `pattern`."""
        return self.catch_up().messages(pattern)

    def close(self) -> None:
        """Stop recording."""
        self._loop.call(self._recorder.stop())


class Player:
    """Plays scenarios from a test: `agog_play(path)`, `await agog_play.playing(path)` beside a running event loop."""

    def __init__(self, run: AgogRun, folder: Callable[[], Path]) -> None:
        self._run = run
        self._folder = folder

    def __call__(self, what: Scenario | Path | str) -> PlayResult:
        """Play a scenario (one that was loaded, a file, or YAML text) and judge it. A file with a matrix is an error.

        Raises:
            ScenarioErrors: the file or text is wrong.
        """
        return self._run.play(self._one(what))

    async def playing(self, what: Scenario | Path | str) -> PlayResult:
        """The same, without blocking the event loop."""
        self._run.need_engine()
        result = await asyncio.wrap_future(self._run.loop.submit(self._run.playing(self._one(what))))
        self._run.played(result)
        return result

    def all(self, what: Path | str) -> list[PlayResult]:
        """Play every combination of a matrix, one after the other."""
        return [self(scenario) for scenario in self.load(what)]

    def load(self, what: Path | str) -> list[Scenario]:
        """The scenarios in a file or in YAML text, to be played one by one.

        Raises:
            ScenarioErrors: the file or text is wrong.
        """
        return self._run.load(self._path(what))

    def _one(self, what: Scenario | Path | str) -> Scenario:
        if isinstance(what, Scenario):
            return what
        found = self.load(what)
        if len(found) != 1:
            raise ValueError(f"the matrix makes {len(found)} scenarios; play them with agog_play.all(…)")
        return found[0]

    def _path(self, what: Path | str) -> Path:
        if isinstance(what, Path) or "\n" not in what:
            return Path(what)
        path = self._folder() / "scenario.yaml"
        path.write_text(what, encoding="utf-8")
        return path
