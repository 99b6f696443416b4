"""The publisher for code without an event loop, served by one background thread."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from anyio.from_thread import start_blocking_portal

from pytest_agog.reference.closing import Closing
from pytest_agog.reference.comms.publishing.delivering import Drained
from pytest_agog.reference.comms.publishing.publisher import CommsPublisher, Published


class SyncCommsPublisher(Closing):
    """`CommsPublisher` without `await`. See there for what each method does and raises."""

    def __init__(self, publisher: CommsPublisher) -> None:
        self._publisher = publisher
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal(name="agog comms"))
        try:
            self._portal.call(publisher.__aenter__)
        except BaseException:
            self._stack.close()
            raise

    @classmethod
    def from_environment(cls, **options: Any) -> SyncCommsPublisher:
        """See `CommsPublisher.from_environment`."""
        return cls(CommsPublisher.from_environment(**options))

    @property
    def waiting(self) -> int:
        """How many messages of this publisher are spooled and not delivered yet."""
        return self._publisher.waiting

    def publish(self, content: str, **fields: Any) -> Published:
        """[C1]"""
        return self._portal.call(partial(self._publisher.publish, content, **fields))

    def drain(self) -> Drained:
        """Deliver what waits in the spool."""
        return self._portal.call(self._publisher.drain)

    def close(self) -> None:
        """Deliver or spool what was submitted; let go of connection and thread."""
        with self._stack:
            self._portal.call(self._publisher.close)
