"""What a listener is asked for, by core request and reply: to spawn, to kill, whether it is alive. [O10] [O15]"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import nats.errors
from pydantic import ValidationError

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.orchestrator.listener.attempts import ALIVE, Attempts
from pytest_agog.reference.orchestrator.listener.claims import Claim, Claims, Moved
from pytest_agog.reference.orchestrator.listener.identity import Identity
from pytest_agog.reference.orchestrator.listener.work import Key, read
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.wire import orchestration as wire
from pytest_agog.wire import subjects
from pytest_agog.wire.streams import AGENT_TYPES

if TYPE_CHECKING:
    from nats.aio.msg import Msg

LOG: Final = logging.getLogger(__name__)
KILL: Final = "agog.spawn.kill"
"""`{"reqNumber", "stage", "attempt"}`; the answer is `{"killed"}`, or `{"error"}`."""
_GROUP: Final = "host-listener"
_TIMEOUT: Final = 7200.0
"""Seconds that an agent may take when nobody says anything else."""
_KILLED_WITHIN: Final = 15.0


class Requests:
    """Answers from `open` to `close`."""

    def __init__(self, link: Link, attempts: Attempts, claims: Claims, me: Identity) -> None:
        self._link = link
        self._attempts = attempts
        self._claims = claims
        self._me = me
        self._subscriptions: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen; what is asked after this returns is heard."""
        subscribe = self._link.nc.subscribe
        self._subscriptions = [
            await subscribe(subjects.SPAWN_REQUEST, _GROUP, cb=self._later(self._spawn)),
            await subscribe(KILL, cb=self._later(self._kill)),
            await subscribe(f"{ALIVE}.{self._me.name}", cb=self._later(self._alive)),
        ]
        # nats-py's flush may overtake what it should flush; a request of our own comes after the subscriptions.
        await self._claims.read("none")

    async def close(self) -> None:
        """Listen no more; what was asked is answered first."""
        for one in self._subscriptions:
            with contextlib.suppress(nats.errors.Error):
                await one.unsubscribe()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, answer: Callable[[bytes], Awaitable[dict[str, Any] | None]]) -> Callable[[Msg], Awaitable[None]]:
        """In a task of its own, so that one answer need not wait for another."""

        async def asked(message: Msg) -> None:
            task = asyncio.ensure_future(self._answer(message, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return asked

    async def _answer(self, message: Msg, answer: Callable[[bytes], Awaitable[dict[str, Any] | None]]) -> None:
        try:
            said = await answer(message.data)
        except (AgogError, NoAnswer) as error:
            said = {"error": str(error) or "NATS does not answer"}
        if said is not None and message.reply:
            with contextlib.suppress(nats.errors.Error):
                await self._link.nc.publish(message.reply, json.dumps(said).encode())

    # --- spawn --------------------------------------------------------------------------------------------------------
    async def _spawn(self, data: bytes) -> dict[str, Any]:
        started = _started(data)
        payload = started.payload()
        work = read(payload)
        subject = subjects.event("stage.started")
        ack = await publish(self._link, subject, payload, msg_id=work.key.message_id("started"))
        return {"sequence": ack.sequence}

    # --- kill ---------------------------------------------------------------------------------------------------------
    async def _kill(self, data: bytes) -> dict[str, Any] | None:
        key = _key(data)
        while True:
            hand = self._attempts.hands.get(key)
            if hand is not None:
                hand.end("kill")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_KILLED_WITHIN):
                        await hand.over.wait()
                return {"killed": hand.killed}
            claim = await self._claims.read(key)
            if claim is not None and claim.state not in ("running", "free"):
                return {"killed": claim.state == "killed"}
            if claim is not None and claim.state == "running" and await self._attempts.asked(claim.listener, key):
                return None  # whoever runs it hears the request too, and answers
            # Nobody runs it: it must not begin any more. Whoever gets its message tells of its end.
            with contextlib.suppress(Moved):
                await self._claims.write(key, replace(claim or Claim("free"), state="killed"), claim)
                return {"killed": True}

    async def _alive(self, data: bytes) -> dict[str, Any]:
        text = data.decode("utf-8", "replace")
        return {"alive": any(str(key) == text for key in self._attempts.hands)}


def _started(data: bytes) -> wire.StageStarted:
    """The `stage.started` that a request stands for.

    Raises:
        BadInput: it cannot stand for one; the message names the field.
    """
    try:
        asked = wire.SpawnRequest.model_validate_json(data)
        context = asked.context_data
        told = {
            "description": asked.description,
            "priority": asked.priority,
            **context,
            "reqNumber": asked.req_number,
            "title": context.get("title") or asked.description,
            "previousStages": context.get("previousStages") or [],
        }
        return wire.StageStarted.model_validate(
            {
                "reqNumber": asked.req_number,
                "stage": context.get("stage") or AGENT_TYPES.get(asked.agent_id, asked.agent_id),
                "agentId": asked.agent_id,
                "attempt": context.get("attempt") or 1,
                "contextData": told,
                "timeout": context.get("timeout") or _TIMEOUT,
                "timestamp": datetime.now(UTC),
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"{'.'.join(map(str, first['loc'])) or 'payload'}: {first['msg']}") from None


def _key(data: bytes) -> Key:
    try:
        value = json.loads(data)
        stage, attempt = value["stage"], value["attempt"]
        key = Key(wire.requirement_id(value["reqNumber"]), subjects.token(stage, "stage"), attempt)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadInput('expected {"reqNumber", "stage", "attempt"}') from None
    if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
        raise BadInput("attempt: expected a number from 1")
    return key
