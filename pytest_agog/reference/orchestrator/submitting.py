"""Handing a requirement to the orchestrator: a message on INTEGRATION, where it waits for one that runs. [O1] [F40]"""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic_core import to_json

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.wire import orchestration as wire

SUBJECT: Final = wire.integration_subject("requirement", "orchestrator")


def as_message(stated: Stated) -> wire.Requirement:
    """The requirement as the contract writes it; what it does not say stays unsaid."""
    further = {"description": stated.text} if stated.text else {}
    if stated.effort:
        further["effort"] = stated.effort
    return wire.Requirement(
        id=stated.id, priority=stated.priority or "MEDIUM", title=stated.title, assigned_agent=stated.agent,
        status="COMPLETE" if stated.state == "COMPLETE" else "PENDING",
        estimated_tokens=stated.estimated_tokens, dependencies=list(stated.dependencies),
        acceptance_criteria=list(stated.acceptance), files=list(stated.files),
        metadata=wire.RequirementMetadata(
            phase=stated.phase, requested_by=stated.requested_by, deadline=stated.deadline
        ),
        **further,
    )  # fmt: skip


async def submit_one(link: Link, stated: Stated) -> bool:
    """Submit a requirement; returns whether it was new, as far as the stream can tell (two minutes).

    Raises:
        NatsUnreachable, JetStreamRefused: it is not on the stream.
    """
    message = as_message(stated)
    value = message.model_dump(mode="json", by_alias=True, exclude_none=True)
    if stated.priority is None:
        del value["priority"]  # not stated: the rules decide
    payload = to_json(value)
    ack = await publish(
        link, SUBJECT, payload, msg_id=f"{stated.id}:submitted:{hashlib.sha256(payload).hexdigest()[:16]}"
    )
    return not ack.duplicate
