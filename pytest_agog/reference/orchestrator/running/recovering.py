"""What a new leader finds: work that ended while nobody looked, and work whose judge is gone. [O16] [O21]

Results and errors that a killed instance had taken are delivered again only after the consumer's ack wait. Their
streams hold them, so a new leader looks there at once.
"""

from __future__ import annotations

import base64
import json
import logging
from typing import Any, Final

from pydantic import ValidationError

from pytest_agog.errors import AgogError, BadInput
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.orchestrator.messaging.unacked import unacked
from pytest_agog.reference.orchestrator.running.desk import Desk
from pytest_agog.reference.orchestrator.running.incoming import Incoming, cost_of
from pytest_agog.reference.orchestrator.running.requests import Requests, Said
from pytest_agog.reference.orchestrator.state.record import REVIEW, Record
from pytest_agog.wire import notices, streams
from pytest_agog.wire.orchestration import Failure, Result, error_subject, result_subject
from pytest_agog.wire.times import parse_time

LOG: Final = logging.getLogger(__name__)
ASKED: Final = next(one for one in streams.CONSUMERS if (one.stream, one.name) == ("INTEGRATION", "orchestrator"))
ADOPTED: Final = streams.ConsumerDefinition("REQUIREMENTS", "orchestrator", "requirements.>")
"""Reads what others publish for agents, so that it gets a record like all work."""


async def recover(desk: Desk, incoming: Incoming) -> None:
    """Look for the end of everything that runs."""
    for record in list(desk.books.records.values()):
        try:
            if record.outbox:
                await desk.books.flush(record.id)
            if record.state in ("ASSIGNED", "IN_PROGRESS"):
                await _look(desk, incoming, record, record.stage_agent or "", record.stage or "", record.attempt)
            elif record.state == "COMPLETE" and record.review == "running":
                await _look(desk, incoming, record, REVIEW, REVIEW, record.review_attempts)
        except (AgogError, ValidationError) as error:
            LOG.warning("%s: %s", record.id, error)


async def reread(desk: Desk, requests: Requests) -> None:
    """Requests that a killed instance had taken, or that its last pull took along. [F40]"""
    for consumer, deal in ((ASKED, requests.asked), (ADOPTED, requests.published)):
        try:
            for one in await unacked(desk.books.link, consumer):
                await deal(Said(one.subject, one.data, parse_time(one.time), one.sequence))
        except AgogError as error:
            LOG.warning("what was not acked cannot be read, and comes after the ack wait: %s", error)


def judge_left(desk: Desk) -> list[str]:
    """The ids of work that waits for a gate whose instance is gone."""
    return [
        record.id for record in desk.books.records.values()
        if record.state == "GATING" and (record.judge is None or not desk.leading.alive(record.judge))
    ]  # fmt: skip


async def _look(desk: Desk, incoming: Incoming, record: Record, agent: str, stage: str, attempt: int) -> None:
    result = await _last(desk, "RESULTS", result_subject(agent, record.id))
    if result is not None and "gate" not in result and (result.get("stage"), result.get("attempt")) == (stage, attempt):
        notice = notices.parse(result)
        await incoming.ended(record.id, agent, stage, attempt, notice, cost_of(Result.model_validate(result)))
        return
    error = await _last(desk, "ERRORS", error_subject(agent, record.id))
    if error is not None and (error.get("stage"), error.get("attempt")) == (stage, attempt):
        await incoming.broke(record.id, agent, stage, Failure.model_validate(error))


async def _last(desk: Desk, stream: str, subject: str) -> dict[str, Any] | None:
    try:
        answer = await jetstream.call(desk.books.link, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except jetstream.Refusal as refusal:
        if refusal.err_code in jetstream.NOT_FOUND:
            return None
        raise refusal.as_error(f"reading {subject}", url=desk.books.link.url) from None
    try:
        value = json.loads(base64.b64decode(answer["message"].get("data", "")))
    except ValueError:
        raise BadInput(f"{subject}: the last message is no JSON") from None
    return value if isinstance(value, dict) else None
