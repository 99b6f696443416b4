"""Requests to the leader, and its requests to the listeners; core NATS, request and reply. [O15] [O17]"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.orchestrator.running.cadence import Cadence
from pytest_agog.reference.orchestrator.state.record import Record

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG: Final = logging.getLogger(__name__)
ADVANCE: Final = "agog.control.orchestrator.advance"
"""`{"by": seconds}`; the answer `{"now", "turns"}` comes when the effects are published, or `{"error"}`."""
KILL: Final = "agog.spawn.kill"
"""`{"reqNumber", "stage", "attempt"}`; the listener that runs the attempt kills it and answers `{"killed": true}`."""
_KILLED_WITHIN: Final = 2.0


class Control:
    """Answers while this instance leads."""

    def __init__(self, link: Link, cadence: Cadence) -> None:
        self._link = link
        self._cadence = cadence
        self._subscription: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen."""
        self._subscription = await self._link.nc.subscribe(ADVANCE, cb=self._asked)
        # An answer of JetStream shows that the server knows the subscription; nats-py's own flush may overtake it.
        await jetstream.call(self._link, "INFO")

    async def close(self) -> None:
        """Listen no more; what was asked is answered first."""
        if self._subscription is not None and not self._link.nc.is_closed:
            await self._subscription.unsubscribe()
        self._subscription = None
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _asked(self, message: Msg) -> None:
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: Msg) -> None:
        try:
            answer = await self._cadence.advance(_seconds(message.data))
        except AgogError as error:
            answer = {"error": str(error)}
        if message.reply:
            await self._link.nc.publish(message.reply, json.dumps(answer).encode())


def _seconds(data: bytes) -> float:
    try:
        by = json.loads(data)["by"]
    except (ValueError, KeyError, TypeError):
        by = None
    if isinstance(by, bool) or not isinstance(by, (int, float)):
        raise BadInput('expected {"by": seconds}')
    return float(by)


async def kill(link: Link, record: Record) -> None:
    """Have the agent of a record's present attempt killed; nobody may be there any more who could do it."""
    asked = {"reqNumber": record.id, "stage": record.stage, "attempt": record.attempt}
    try:
        await link.request(KILL, json.dumps(asked).encode(), within=_KILLED_WITHIN)
    except (AgogError, NoAnswer) as error:
        LOG.info("%s: nobody killed the stuck agent: %s", record.id, error)
