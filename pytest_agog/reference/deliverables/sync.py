"""The engine for code without an event loop: the same methods, served by one background thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from pytest_agog.reference.closing import Closing
from pytest_agog.reference.deliverables.connecting import REQUEST_TIMEOUT
from pytest_agog.reference.deliverables.engine import DeliverableEngine, StreamStatus
from pytest_agog.reference.deliverables.outline import Heading
from pytest_agog.reference.deliverables.stored import Report, Revision
from pytest_agog.reference.deliverables.streams import StreamOutcome
from pytest_agog.reference.deliverables.subscribing import Subscription
from pytest_agog.reference.deliverables.watching import Published, PublishWatcher

T = TypeVar("T")


class SyncSubscription(Closing):
    """A blocking iterator of reports; close it, or use it as a context manager."""

    def __init__(self, portal: BlockingPortal, subscription: Subscription) -> None:
        self._portal = portal
        self._subscription = subscription

    def __iter__(self) -> Iterator[Report]:
        return self

    def __next__(self) -> Report:
        try:
            return self._portal.call(self._subscription.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def close(self) -> None:
        """Stop reading and delete the consumers."""
        self._portal.call(self._subscription.close)


class SyncDeliverableEngine(Closing):
    """`DeliverableEngine` without `await`. See there for what each method does and raises."""

    def __init__(self, stack: ExitStack, portal: BlockingPortal, engine: DeliverableEngine) -> None:
        self._stack = stack
        self._portal = portal
        self._engine = engine

    @classmethod
    def connect(
        cls, url: str, *, creds: str | Path | None = None, watcher: PublishWatcher | None = None,
        object_threshold: int | None = None, object_store: bool = True, within: float = REQUEST_TIMEOUT,
    ) -> SyncDeliverableEngine:  # fmt: skip
        """An engine with a connection and a thread of its own. `watcher` is called in that thread."""
        make = partial(
            DeliverableEngine.connect, url, creds=creds, watcher=watcher, object_threshold=object_threshold,
            object_store=object_store, within=within,
        )  # fmt: skip
        stack = ExitStack()
        portal = stack.enter_context(start_blocking_portal(name="agog deliverables"))
        try:
            return cls(stack, portal, portal.call(make))
        except BaseException:
            stack.close()
            raise

    def _call(self, method: Callable[..., Awaitable[T]], *arguments: Any, **options: Any) -> T:
        return self._portal.call(partial(method, *arguments, **options))

    def publish(
        self, agent: str, task_type: str, feature: str, content: str, metadata: Mapping[str, Any] | None = None
    ) -> Published:
        """[D1]"""
        return self._call(self._engine.publish, agent, task_type, feature, content, metadata)

    def init_streams(
        self, *, update: bool = False, replicas: int | None = None, agents: Mapping[str, str] | None = None
    ) -> list[StreamOutcome]:
        """[D5]"""
        return self._call(self._engine.init_streams, update=update, replicas=replicas, agents=agents)

    def report(self, *address: str) -> Report | None:
        """[D2]"""
        return self._call(self._engine.report, *address)

    def fetch(self, *address: str) -> str | None:
        """[D2]"""
        return self._call(self._engine.fetch, *address)

    def require(self, *address: str) -> str:
        """[D2]"""
        return self._call(self._engine.require, *address)

    def revision(self, *address: str, sequence: int) -> Report:
        """[D8]"""
        return self._call(self._engine.revision, *address, sequence=sequence)

    def revisions(self, *address: str) -> list[Revision]:
        """[D8]"""
        return self._call(self._engine.revisions, *address)

    def outline(self, *address: str) -> list[Heading]:
        """[D12]"""
        return self._call(self._engine.outline, *address)

    def section(self, url: str, heading: str) -> str:
        """[D12]"""
        return self._call(self._engine.section, url, heading)

    def statuses(self) -> list[StreamStatus]:
        """[D6]"""
        return self._call(self._engine.statuses)

    def subscribe(
        self, agent: str = "*", task_type: str = "*", feature: str = "*", *,
        from_time: datetime | None = None, from_sequence: int | None = None,
    ) -> SyncSubscription:  # fmt: skip
        """[D7]"""
        subscription = self._call(
            self._engine.subscribe, agent, task_type, feature, from_time=from_time, from_sequence=from_sequence
        )
        return SyncSubscription(self._portal, subscription)

    def close(self) -> None:
        """Let go of connection and thread."""
        with self._stack:
            self._portal.call(self._engine.close)
