"""The fixtures that users meet. They give addresses and clients of the caller's own event loop, in sync and async tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from pytest_agog import factories
from pytest_agog.factories import Nats
from pytest_agog.run import AgogRun, run_of

if TYPE_CHECKING:
    from pytest_agog.ledger.ledger import Ledger, Message
    from pytest_agog.ledger.recorder import Recorder
    from pytest_agog.play.result import PlayResult
    from pytest_agog.reference.deliverables.engine import DeliverableEngine
    from pytest_agog.reference.deliverables.sync import SyncDeliverableEngine
    from pytest_agog.scenario.scenario import Scenario

T = TypeVar("T")

agog_nats = factories.agog_nats_proc()
agog_postgres = factories.agog_postgres_proc()


class _Loop:
    """An event loop in a thread of its own, so that its work goes on while a test does something else."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agog-fixtures", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` there and wait for it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


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


@pytest.fixture
def agog_deliverables(agog_nats: Nats) -> Generator[DeliverableFixture]:
    """The reference system's deliverable engine."""
    fixture = DeliverableFixture(agog_nats)
    yield fixture
    fixture.close()


class LedgerFixture:
    """A ledger that records the test's NATS from the start of the test."""

    def __init__(self, nats: Nats, loop: _Loop) -> None:
        from pytest_agog.ledger.ledger import Ledger
        from pytest_agog.ledger.recorder import Recorder
        from pytest_agog.stage.connect import connect_nats

        self._loop = loop
        self.ledger: Ledger = Ledger()
        """Read it after `catch_up`: the recorder writes to it from another thread."""

        async def connect() -> Any:
            return await connect_nats(nats.url, name="agog-ledger")

        async def begin() -> Recorder:
            recorder = Recorder(self.ledger, connect, baseline=False, monitor_url=nats.monitor_url)
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


@pytest.fixture
def agog_ledger(agog_nats: Nats) -> Generator[LedgerFixture]:
    """Everything that crosses the test's NATS, recorded."""
    loop = _Loop()
    try:
        fixture = LedgerFixture(agog_nats, loop)
        yield fixture
        fixture.close()
    finally:
        loop.close()


class Player:
    """Plays scenarios from a test: `agog_play(path)`, `await agog_play.playing(path)` beside a running event loop."""

    def __init__(self, run: AgogRun, folder: Path) -> None:
        self._run = run
        self._folder = folder

    def __call__(self, what: Scenario | Path | str) -> PlayResult:
        """Play a scenario (one that was loaded, a file, or YAML text) and judge it. A file with a matrix is an error.

        Raises:
            ScenarioErrors: the file or text is wrong.
        """
        scenario = self._one(what)
        with ThreadPoolExecutor(1, thread_name_prefix="agog-play") as thread:
            return thread.submit(self._run.play, scenario).result()

    async def playing(self, what: Scenario | Path | str) -> PlayResult:
        """The same, without blocking the event loop."""
        scenario = self._one(what)
        with ThreadPoolExecutor(1, thread_name_prefix="agog-play") as thread:
            return await asyncio.wrap_future(thread.submit(self._run.play, scenario))

    def all(self, path: Path | str) -> list[PlayResult]:
        """Play every combination of a file's matrix."""
        return [self(scenario) for scenario in self._run.load(self._path(path))]

    def _one(self, what: Scenario | Path | str) -> Scenario:
        from pytest_agog.scenario.scenario import Scenario

        if isinstance(what, Scenario):
            return what
        found = self._run.load(self._path(what))
        if len(found) != 1:
            raise ValueError(f"{what} makes {len(found)} scenarios; play them with agog_play.all(path)")
        return found[0]

    def _path(self, what: Path | str) -> Path:
        if isinstance(what, Path) or "\n" not in what:
            return Path(what)
        path = self._folder / "scenario.yaml"
        path.write_text(what, encoding="utf-8")
        return path


@pytest.fixture
def agog_play(request: pytest.FixtureRequest, tmp_path: Path) -> Player:
    """Plays a scenario from a test and returns its result, ledger and verdicts included."""
    return Player(run_of(request.config), tmp_path)
