"""The messages that tell how an attempt ended: one result or one error, and one event. [O10]"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from pytest_agog.errors import AgogError
from pytest_agog.masking import hide, mask
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.tailing import Start, Tail
from pytest_agog.reference.orchestrator.listener.claims import Note
from pytest_agog.reference.orchestrator.listener.judging import Trouble
from pytest_agog.reference.orchestrator.listener.work import Work
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.wire import orchestration as wire
from pytest_agog.wire import streams, subjects
from pytest_agog.wire.notices import Notice

_OUTPUT: Final = 8000
"""Characters of output in an error."""
_SUMMARY: Final = 2000
_EVENT_OF: Final = {"COMPLETE": "stage.completed", "BLOCKED": "stage.blocked", "FAILED": "stage.failed"}
_OURS: Final = ("attempt", "stage", "tokens", "gate")
"""Fields of a result that no agent may set: an agent's notice is not its own gate."""
_AS_IT_IS: Final = ("agent", "req_number", "status", "deliverable")
"""Fields that others go by."""


def hidden(value: Any, secrets: Collection[str]) -> Any:
    """`value` without what the agent was given as a secret, in all its texts."""
    if isinstance(value, str):
        return hide(value.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")
    if isinstance(value, dict):
        return {name: hidden(member, secrets) for name, member in value.items()}
    if isinstance(value, list):
        return [hidden(member, secrets) for member in value]
    return value


def _plain(message: wire.Message) -> dict[str, Any]:
    fields = type(message).model_fields
    silent = {name for name in fields if name not in message.model_fields_set and getattr(message, name) is None}
    return message.model_dump(mode="json", by_alias=True, exclude=silent)


def of_notice(
    work: Work, notice: Notice, tokens: dict[str, int], secrets: Collection[str] = ()
) -> tuple[Note, ...]:  # fmt: skip
    """What is told of an attempt that has a notice, without `secrets`."""
    key, now = work.key, datetime.now(UTC)
    raw = {
        name: value if name in _AS_IT_IS else hidden(value, secrets)
        for name, value in notice.raw.items()
        if name not in _OURS
    }
    summary = hidden(notice.summary, secrets)
    result = {**raw, "attempt": key.attempt, "stage": key.stage, "tokens": tokens}
    event = wire.StageEnded(
        req_number=key.requirement, stage=key.stage, agent_id=work.agent, attempt=key.attempt, status=notice.status,
        summary=summary[:_SUMMARY], deliverable=notice.deliverable, timestamp=now,
    )  # fmt: skip
    if notice.status != "COMPLETE":
        told = hidden("; ".join(notice.blockers), secrets)[:_SUMMARY] or summary[:_SUMMARY]
        event = event.model_copy(update={"error": told})
        event.model_fields_set.add("error")
    return (
        Note(wire.result_subject(work.agent, key.requirement), result, key.message_id("result")),
        Note(subjects.event(_EVENT_OF[notice.status]), _plain(event), key.message_id("ended")),
    )


def of_trouble(work: Work, trouble: Trouble, output: str, status: int | None, tokens: int) -> tuple[Note, ...]:
    """What is told of an attempt that has no result."""
    key, now = work.key, datetime.now(UTC)
    text = mask(trouble.text)
    failure = wire.Failure(
        req_id=key.requirement, agent=work.agent, attempt=key.attempt, error=text, transient=trouble.transient,
        output=mask(output[-2 * _OUTPUT :])[-_OUTPUT:], timestamp=now,
        stage=key.stage, exit=status, kind=trouble.kind, tokens={"estimated": tokens},
    )  # fmt: skip
    if trouble.kind == "timeout":
        name, event = "stage.timeout", _plain(
            wire.StageNotRun(
                req_number=key.requirement, stage=key.stage, agent_id=work.agent, attempt=key.attempt, reason=text,
                timestamp=now,
            )
        )  # fmt: skip
    else:
        name, event = "stage.failed", _plain(
            wire.StageEnded(
                req_number=key.requirement, stage=key.stage, agent_id=work.agent, attempt=key.attempt, status="FAILED",
                summary=text[:_SUMMARY], error=text, timestamp=now,
            )
        )  # fmt: skip
    return (
        Note(wire.error_subject(work.agent, key.requirement), _plain(failure), key.message_id("error")),
        Note(subjects.event(name), event, key.message_id("ended")),
    )


def outcome_of(notes: tuple[Note, ...]) -> str:
    """completed, blocked, failed or timeout."""
    return notes[-1].subject.rpartition(".")[2]


def data_of(note: Note) -> bytes:
    """The note as it is published."""
    return to_json(note.payload)


async def tell(link: Link, notes: tuple[Note, ...], *, since: int | None = None) -> None:
    """Publish, and return when JetStream holds all of it.

    With `since`, somebody may have done that already, and died: then the streams are looked at first, that of events
    from this sequence on, because message ids are forgotten after two minutes.

    Raises:
        NatsUnreachable, JetStreamRefused: not now; the same may be tried again.
    """
    for note in notes:
        if since is not None and await _is_there(link, note, since):
            continue
        await publish(link, note.subject, data_of(note), msg_id=note.msg_id)


async def _is_there(link: Link, note: Note, since: int) -> bool:
    stream = next(one for one in streams.STREAMS if any(subjects.matches(each, note.subject) for each in one.subjects))
    start = Start(since) if note.subject.startswith(subjects.EVENTS) else Start()
    tail = Tail(link, stream.name, note.subject, start, headers_only=True)
    try:
        await tail.open()
        while tail.waiting:
            if (await tail.next()).headers.get("Nats-Msg-Id") == note.msg_id:
                return True
    finally:
        await tail.close()
    return False


PASSING: Final = (AgogError, NoAnswer, jetstream.Refusal)
"""What may go wrong with NATS and be over a moment later."""
