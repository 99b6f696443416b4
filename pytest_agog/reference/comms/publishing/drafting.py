"""From what is to be said to the messages that go over the wire: one id, a copy for the run and one for everybody."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from pytest_agog.errors import BadInput
from pytest_agog.reference.comms.publishing.speaker import Speaker
from pytest_agog.wire import comms
from pytest_agog.wire.comms import GENERAL, AgentMessage
from pytest_agog.wire.deliverables import MSG_ID_HEADER, encoded_size

AUTO: Final = "auto"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
_SUCCESSES: Final = frozenset({"completed", "complete", "succeeded", "success", "ok", "passed"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it is sent."""

    subject: str
    message_id: str
    payload: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Its id for JetStream; that keeps a repetition from being stored twice."""
        return {MSG_ID_HEADER: comms.message_header_id(self.message_id, self.subject)}

    @property
    def size(self) -> int:
        """Bytes that count towards the server's max_payload."""
        return encoded_size(self.payload, self.headers)


def told_status(status: str | None, exit_code: int | None) -> str | None:
    """The status to send; `auto` is `completed` for exit code 0, else `failed`. [J23]

    Raises:
        BadInput: `auto` without an exit code, or a success with one that is not 0.
    """
    if status == AUTO:
        if exit_code is None:
            raise BadInput("status auto needs the exit code; give --exit-code.")
        return COMPLETED if exit_code == 0 else FAILED
    if status is not None and exit_code and status.casefold() in _SUCCESSES:
        raise BadInput(f"status {status!r} contradicts exit code {exit_code}. Give --status auto, or failed.")
    return status


def draft(
    speaker: Speaker,
    content: str,
    *,
    kind: str = "message",
    channel: str | None = None,
    general: bool = False,
    status: str | None = None,
    exit_code: int | None = None,
    attrs: Mapping[str, Any] | None = None,
    tool: Mapping[str, Any] | None = None,
    message_id: str | None = None,
    timestamp: datetime | None = None,
) -> list[Outgoing]:
    """The copies of one message: on the run's subject, and with `general` on the global channel too.

    With `channel` general only the global channel gets it. The content is sent exactly as it is. [J06, J19]

    Raises:
        BadInput: something cannot be sent: NUL, lone surrogates, a number that is none, a contradicting status, a
            misspelled `general`.
        IdentityMissing, InvalidToken: the subject cannot be built.
    """
    identity = message_id or str(uuid.uuid4())
    if any(character in identity for character in "\r\n"):
        raise BadInput("a message id cannot hold a line end.")
    if channel and channel != GENERAL and get_close_matches(channel.casefold(), [GENERAL], cutoff=0.8):
        raise BadInput(f"channel {channel!r} is nearly {GENERAL!r}, the one that everybody sees. Did you mean that?")
    status = told_status(status, exit_code)
    moment = timestamp or datetime.now(UTC)
    subjects: list[tuple[str, str | None]] = []
    if channel != GENERAL:
        own = comms.run_subject(*speaker.address(), kind, prefix=speaker.prefix)
        subjects.append((own, channel))
    if general or channel == GENERAL:
        subjects.append((comms.general_subject(kind, prefix=speaker.prefix), GENERAL))
    return [
        Outgoing(subject, identity, _payload(
            speaker, content, kind=kind, channel=shown, status=status, exit_code=exit_code,
            attrs=_object(attrs, "attrs"), tool=_object(tool, "tool"),
            message_id=identity, timestamp=moment,
        ))
        for subject, shown in subjects
    ]  # fmt: skip


def _object(value: Mapping[str, Any] | None, name: str) -> dict[str, Any] | None:
    """As JSON has it. The model would make null of a number that is none, and nobody would know."""
    if value is None:
        return None
    try:
        found: dict[str, Any] = from_json(to_json(dict(value), inf_nan_mode="constants"), allow_inf_nan=False)
    except (PydanticSerializationError, ValueError) as error:
        raise BadInput(f"{name} cannot be written as JSON: {error}") from None
    return found


def _message(speaker: Speaker, content: str, **fields: Any) -> AgentMessage:
    return AgentMessage(
        content=content, role=speaker.role, runtime=speaker.runtime, agent_id=speaker.agent_id,
        workflow_uid=speaker.workflow_uid, workflow_name=speaker.workflow_name,
        workflow_namespace=speaker.workflow_namespace, run_id=speaker.run_id, step_id=speaker.step_id,
        stage=speaker.stage, repository=speaker.repository, issue_number=speaker.issue_number, branch=speaker.branch,
        **fields,
    )  # fmt: skip


def _payload(speaker: Speaker, content: str, **fields: Any) -> bytes:
    try:
        data = _message(speaker, content, **fields).payload()
        # What no reader can take is refused here, where somebody can still do something about it.
        from_json(data, allow_inf_nan=False)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadInput(f"the message cannot be sent: {wrong}.") from None
    except (PydanticSerializationError, ValueError) as error:
        raise BadInput(f"the message cannot be written as JSON: {error}") from None
    if b"\\u0000" in data and _holds_nul(from_json(data)):
        raise BadInput("the message holds a NUL character, which Postgres cannot store. Remove it.")
    return data


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
