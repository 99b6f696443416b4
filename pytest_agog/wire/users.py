"""The three NATS users of one account, and exactly what each may do. [C10]

Everything that is not listed is denied. Stream names are enumerated, since a NATS wildcard stands for whole tokens
(`agog_features_*` is none). Inboxes have a prefix per user, so that nobody reads another's replies. [J24]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pytest_agog.wire import streams

MAPPED: Final = "_R_."
"""What servers that `agog creds` configures put before the API's subjects when a client sends to them; their refusals
name the subjects so."""
_API: Final = "$JS.API"
_OBJECTS: Final = f"OBJ_{streams.OBJECT_BUCKET}"


@dataclass(frozen=True)
class User:
    """One user: subjects that it may publish to and subscribe to."""

    name: str
    purpose: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    @property
    def inbox_prefix(self) -> str:
        """What a client must be given as its inbox prefix."""
        return inbox_prefix(self.name)


def inbox_prefix(user: str) -> str:
    """The prefix of the inboxes of `user`: `_INBOX_{user}`."""
    return f"_INBOX_{user}"


def _fetch(stream: str) -> tuple[str, ...]:
    """Reading messages: directly, by sequence or last of a subject, and from the leader in a cluster, which of the two
    the stream's own description tells. [D2]"""
    return (
        f"{_API}.STREAM.INFO.{stream}",
        f"{_API}.DIRECT.GET.{stream}",
        f"{_API}.DIRECT.GET.{stream}.>",
        f"{_API}.STREAM.MSG.GET.{stream}",
    )


_LARGE_REPORTS: Final = (
    f"$O.{streams.OBJECT_BUCKET}.>",
    f"{_API}.STREAM.NAMES",  # how clients find the stream of an object's chunks
    *_fetch(_OBJECTS),
    # Chunks are read through a consumer that lives as long as that takes: pulled from and deleted by its reader. Nobody
    # keeps a place in this stream, so deleting another's makes its reader begin anew and no more.
    f"{_API}.CONSUMER.CREATE.{_OBJECTS}",
    f"{_API}.CONSUMER.CREATE.{_OBJECTS}.>",
    f"{_API}.CONSUMER.INFO.{_OBJECTS}.*",
    f"{_API}.CONSUMER.MSG.NEXT.{_OBJECTS}.*",
    f"{_API}.CONSUMER.DELETE.{_OBJECTS}.*",
    f"$JS.FC.{_OBJECTS}.>",
)  # fmt: skip
"""Reports above the message limit go through the object store. [D10]"""

SYSTEM: Final = User(
    "system",
    "Stream administration; orchestrator, host listener and harness run as this user.",
    publish=(">",),
    subscribe=(">",),
)

AGENTS: Final = User(
    "agents",
    "Agents and workflow steps: publish comms, deliverables, results and errors; fetch deliverables.",
    publish=(
        "argo.workflow.>",
        "agentrun.>",
        *(subject for stream in streams.DELIVERABLE_STREAMS for subject in stream.subjects),
        "results.>",
        "errors.>",
        *(subject for stream in streams.DELIVERABLE_STREAMS for subject in _fetch(stream.name)),
        *_LARGE_REPORTS,
    ),
    subscribe=(f"{inbox_prefix('agents')}.>",),
)

_STREAM: Final = "agent-comms"
_CONSUMER: Final = "jangar-agent-comms"

JANGAR: Final = User(
    "jangar",
    "The comms service: its one consumer, and nothing else.",
    publish=(
        f"{_API}.CONSUMER.CREATE.{_STREAM}.{_CONSUMER}",
        f"{_API}.CONSUMER.DURABLE.CREATE.{_STREAM}.{_CONSUMER}",
        f"{_API}.CONSUMER.INFO.{_STREAM}.{_CONSUMER}",
        f"{_API}.CONSUMER.MSG.NEXT.{_STREAM}.{_CONSUMER}",
        # Every token is counted: with `>` at the end, one form of an ack's subject could be read as the other, of
        # another's consumer. The newer form names domain and account first, and may end with a random token.
        f"$JS.ACK.{_STREAM}.{_CONSUMER}.*.*.*.*.*",
        f"$JS.ACK.*.*.{_STREAM}.{_CONSUMER}.*.*.*.*.*",
        f"$JS.ACK.*.*.{_STREAM}.{_CONSUMER}.*.*.*.*.*.*",
    ),
    subscribe=(f"{inbox_prefix('jangar')}.>",),
)

_LATER: Final = re.compile(r"-[1-9][0-9]{0,8}\Z", re.ASCII)

USERS: Final = (SYSTEM, AGENTS, JANGAR)


def by_name(name: str) -> User | None:
    """The user `name`, or None. `agents-2` is `agents` too: its login after a password was changed, since servers tell
    passwords apart by the name and both are valid for a while."""
    plain = _LATER.sub("", name)
    return next((user for user in USERS if user.name == plain), None)
