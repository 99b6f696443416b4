"""One attempt at one stage: what its agent is told, in the environment and on standard input. [O10]"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import to_json

from pytest_agog.errors import BadInput
from pytest_agog.wire import subjects
from pytest_agog.wire.orchestration import StageStarted
from pytest_agog.wire.streams import AGENT_TYPES

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
_INHERITED: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "TERM",
    "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "SYSTEMROOT", "VIRTUAL_ENV",
)  # fmt: skip
"""What programs need to run at all; whatever else the listener has, secrets among it, stays its own."""


@dataclass(frozen=True, slots=True)
class Key:
    """What names an attempt everywhere: in the bucket of claims, in message ids, on disk."""

    requirement: str
    stage: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.requirement}.{self.stage}.{self.attempt}"

    def message_id(self, what: str) -> str:
        """The `Nats-Msg-Id` of what is published about the attempt: result, error or ended."""
        return f"{self.requirement}:{self.stage}:{self.attempt}:{what}"


@dataclass(frozen=True, slots=True)
class Work:
    """What `stage.started` asks for."""

    key: Key
    agent: str
    timeout: float
    """Seconds."""
    context: Mapping[str, Any]
    """`contextData`, all of it."""

    @property
    def type(self) -> str:
        """The type of the agent's deliverable: the contract's, for further agents the stage."""
        return AGENT_TYPES.get(self.agent, self.key.stage)

    @property
    def subject(self) -> str:
        """Where its deliverable belongs."""
        return subjects.deliverable(self.agent, self.type, self.key.requirement)

    @property
    def inputs(self) -> list[dict[str, str]]:
        """Earlier deliverables, by URL."""
        found: Sequence[Mapping[str, Any]] = self.context.get("previousStages") or ()
        return [
            {"agent": str(one.get("agent")), "task": str(one.get("stage")), "url": str(one.get("deliverableUrl"))}
            for one in found
        ]

    @property
    def model(self) -> str | None:
        """The model that the orchestrator wants used, when it says so."""
        found = self.context.get("model")
        return found if isinstance(found, str) and found and "\0" not in found else None

    def environment(self, nats_url: str, output: Path) -> dict[str, str]:
        """What the agent's environment says of the work."""
        found = {
            "NATS_URL": nats_url,
            "AGENT_OUTPUT_DIR": str(output),
            "AGOG_AGENT": self.agent,
            "AGOG_TASK": self.type,
            "AGOG_STAGE": self.key.stage,
            "AGOG_FEATURE": self.key.requirement,
            "AGOG_REQUIREMENT": self.key.requirement,
            "AGOG_SUBJECT": self.subject,
            "AGOG_INPUTS": _text(to_json(self.inputs)),
            "AGOG_ATTEMPT": str(self.key.attempt),
        }
        if self.model is not None:
            found["AGOG_MODEL"] = self.model
        return found

    def prompt(self, nats_url: str, output: Path) -> bytes:
        """What stands on its standard input: one JSON object, the same once more and `contextData`."""
        return to_json(
            {
                "agent": self.agent,
                "task": self.type,
                "stage": self.key.stage,
                "feature": self.key.requirement,
                "requirement": self.key.requirement,
                "title": self.context.get("title"),
                "subject": self.subject,
                "inputs": self.inputs,
                "attempt": self.key.attempt,
                **({"model": self.model} if self.model is not None else {}),
                "nats_url": nats_url,
                "output_dir": str(output),
                "contextData": dict(self.context),
            }
        )


def _text(data: bytes) -> str:
    """JSON without NUL, which no environment can hold; JSON writes it as an escape anyway."""
    return data.decode("utf-8", "replace")


class Unspeakable(BadInput):
    """stage.started cannot be answered: {reason}. Publish it as the contract has it."""


def read(data: bytes) -> Work:
    """The work in a `stage.started`.

    Raises:
        Unspeakable: it names no requirement, stage, agent and attempt, so nothing can be said about it either.
    """
    try:
        said = StageStarted.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise Unspeakable(reason=f"{'.'.join(map(str, first['loc'])) or 'payload'}: {first['msg']}") from None
    for what, value in (("agentId", said.agent_id), ("stage", said.stage)):
        if not _SAFE.fullmatch(value):
            raise Unspeakable(reason=f"{what} is {value[:60]!r}; expected letters, digits, - and _")
    if said.context_data.req_number != said.req_number:
        raise Unspeakable(reason=f"it is about {said.req_number} and about {said.context_data.req_number}")
    context = said.context_data.model_dump(mode="json", by_alias=True)
    return Work(Key(said.req_number, said.stage, said.attempt), said.agent_id, said.timeout, context)


def inherited(further: Sequence[str] = ()) -> dict[str, str]:
    """What agents get of the listener's own environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("LC_") or name in further
    }
