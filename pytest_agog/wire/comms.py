"""Agent comms: the subjects, and the payload with every name under which a field may come."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from pytest_agog.errors import BadInput, InvalidToken
from pytest_agog.wire import subjects
from pytest_agog.wire.times import UtcTime

ARGO: Final = "argo.workflow"
NATIVE: Final = "agentrun"
PREFIXES: Final = (ARGO, NATIVE)
GENERAL: Final = "general"
"""The channel that everybody sees."""

Role = Literal["system", "user", "assistant", "tool"]
KINDS: Final = (
    "message", "tool_call", "tool_result", "status", "error", "log",
    "run-started", "run-summary", "run-gaps", "run-next-prompt", "run-outcome",
)  # fmt: skip
"""The kinds of the contract; unknown ones are stored all the same."""

_ESCAPED_DOT: Final = re.compile("%2E", re.IGNORECASE)


def _names(*snake: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for name in snake for form in (name, to_camel(name))))


ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "message_id": (*_names("message_id"), "id"),
    "workflow_uid": _names("workflow_uid", "agent_run_uid"),
    "workflow_name": _names("workflow_name", "agent_run_name"),
    "workflow_namespace": _names("workflow_namespace", "agent_run_namespace"),
    "run_id": _names("run_id"),
    "step_id": _names("step_id", "workflow_step"),
    "agent_id": _names("agent_id"),
    "role": ("role",),
    "kind": ("kind",),
    "timestamp": _names("timestamp", "sent_at", "created_at"),
    "channel": ("channel",),
    "stage": ("stage",),
    "content": ("content", "text", "message", "status", "error"),
    "attrs": ("attrs",),
}
"""Each field with a column (and `message_id`) and the keys that may carry it; an earlier key wins over a later one."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a subject says: who speaks, and of what kind the message is. All None but `kind` on the global channel."""

    kind: str
    workflow_namespace: str | None = None
    workflow_name: str | None = None
    workflow_uid: str | None = None
    agent_id: str | None = None

    @property
    def general(self) -> bool:
        """Whether this is the global channel."""
        return self.workflow_uid is None


def run_subject(
    namespace: str, name: str, uid: str, agent_id: str, kind: str, *, prefix: str = ARGO
) -> str:  # fmt: skip
    """`{prefix}.{namespace}.{name}.{uid}.agent.{agent_id}.{kind}`; dots in the workflow's name become `%2E`.

    Raises:
        InvalidToken: a part cannot stand in a subject.
    """
    if _ESCAPED_DOT.search(name):
        raise InvalidToken(what="workflow name", value=name, reason="it contains '%2E', which stands for a dot")
    if not name.strip("."):
        raise InvalidToken(what="workflow name", value=name, reason="it is empty")
    return ".".join((
        prefix,
        subjects.token(namespace, "workflow namespace"),
        subjects.token(name.replace(".", "%2E"), "workflow name"),
        subjects.token(uid, "workflow uid"),
        "agent",
        subjects.token(agent_id, "agent"),
        subjects.token(kind, "kind"),
    ))  # fmt: skip


def uid_of_run(run_id: str) -> str:
    """The workflow's uid of a run that is known by its id alone: the id, or a name made of it where it cannot stand in
    a subject (dots, blanks). Empty for none."""
    if not run_id or subjects.is_token(run_id):
        return run_id
    return "run-" + hashlib.sha256(run_id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def general_subject(kind: str, *, prefix: str = ARGO) -> str:
    """`{prefix}.general.{kind}`."""
    return f"{prefix}.{GENERAL}.{subjects.token(kind, 'kind')}"


def message_header_id(message_id: str, subject: str) -> str:
    """`Nats-Msg-Id`: `{message_id}:{subject}`, since run and general copies share the id."""
    return f"{message_id}:{subject}"


def parse_subject(subject: str, *, prefixes: tuple[str, ...] = PREFIXES) -> Address:
    """What `subject` says, read from both ends: extra dots in a workflow's name cannot shift the other fields. [J08]

    An agent id with dots is read too, where only one reading is possible.

    Raises:
        BadInput: the subject is not one of agent comms.
    """
    prefix = next((prefix for prefix in prefixes if subject.startswith(prefix + ".")), None)
    if prefix is not None:
        parts = subject[len(prefix) + 1 :].split(".")
        if all(parts):
            if (marker := _marker(parts)) is not None:
                return Address(
                    kind=parts[-1],
                    workflow_namespace=parts[0],
                    workflow_name=_ESCAPED_DOT.sub(".", ".".join(parts[1 : marker - 1])),
                    workflow_uid=parts[marker - 1],
                    agent_id=".".join(parts[marker + 1 : -1]),
                )
            if parts[0] == GENERAL and len(parts) == 2:
                return Address(kind=parts[1])
    raise BadInput(
        f"{subject[:200]!r} is no subject of agent comms; expected PREFIX.NAMESPACE.NAME.UID.agent.AGENT.KIND "
        "or PREFIX.general.KIND"
    )


def _marker(parts: list[str]) -> int | None:
    """Where the token `agent` stands that separates the workflow from the agent."""
    if len(parts) < 6:
        return None
    if parts[-3] == "agent":
        return len(parts) - 3
    candidates = [index for index in range(3, len(parts) - 3) if parts[index] == "agent"]
    return candidates[0] if len(candidates) == 1 else None


def _aliased(name: str) -> Any:
    return AliasChoices(*ALIASES[name])


class AgentMessage(BaseModel):
    """The payload of a message, as publishers write it. Unknown fields are kept; every alias is read."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, defer_build=True)

    message_id: str | None = Field(default=None, validation_alias=_aliased("message_id"))
    """Shared by the copies of one event on the run's subject and on the global channel."""
    workflow_uid: str | None = Field(default=None, validation_alias=_aliased("workflow_uid"))
    workflow_name: str | None = Field(default=None, validation_alias=_aliased("workflow_name"))
    """Whole, with its dots."""
    workflow_namespace: str | None = Field(default=None, validation_alias=_aliased("workflow_namespace"))
    run_id: str | None = Field(default=None, validation_alias=_aliased("run_id"))
    step_id: str | None = Field(default=None, validation_alias=_aliased("step_id"))
    agent_id: str | None = Field(default=None, validation_alias=_aliased("agent_id"))
    role: str = "assistant"
    """system, user, assistant or tool."""
    kind: str | None = None
    """One of `KINDS`, or an unknown one."""
    timestamp: UtcTime | None = Field(default=None, validation_alias=_aliased("timestamp"))
    channel: str | None = None
    """`general` for the global channel."""
    stage: str | None = None
    runtime: Literal["native", "argo"] | None = None
    content: str = Field(default="", validation_alias=_aliased("content"))
    """Never trimmed."""
    tool: dict[str, Any] | None = None
    attrs: dict[str, Any] | None = None
    status: str | None = None
    exit_code: int | None = Field(default=None, validation_alias=AliasChoices("exit_code", "exitCode"))
    repository: str | None = None
    issue_number: int | str | None = Field(
        default=None, validation_alias=AliasChoices("issueNumber", "issue_number"), serialization_alias="issueNumber"
    )
    branch: str | None = None

    def payload(self) -> bytes:
        """The message as it goes over the wire; fields without a value are left out, falsy ones are not."""
        return to_json(self.model_dump(mode="json", by_alias=True, exclude_none=True))
