"""One JSON example per subject of the contract, shared by tests and `docs/reference/wire.md`.

They lie as plain JSON in `examples/` beside this file, and ship with the package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from pydantic import BaseModel

from pytest_agog.wire import comms, deliverables, orchestration

FAMILIES: Final = ("deliverables", "events", "spawning", "requirements", "results", "integration", "strategic", "comms")
"""Files in `examples/`, in the order of the contract."""

_ALL_MODELS: Final[tuple[type[BaseModel], ...]] = (
    deliverables.Deliverable,
    *dict.fromkeys(orchestration.EVENTS.values()),
    orchestration.SpawnRequest,
    orchestration.SpawnReply,
    orchestration.Requirement,
    orchestration.Result,
    orchestration.Failure,
    orchestration.Integration,
    orchestration.Escalation,
    orchestration.Decision,
    orchestration.StateValue,
    comms.AgentMessage,
)
_MODELS: Final = {model.__name__: model for model in _ALL_MODELS}


@dataclass(frozen=True)
class Example:
    """One message as it crosses the wire."""

    family: str
    subject: str
    """Or, for `reply`, the subject of the request."""
    about: str
    headers: dict[str, str]
    payload: dict[str, Any]
    model: type[BaseModel]
    transport: Literal["stream", "core", "reply", "kv"]
    """A stream of the contract takes it; core request; reply to one; the KV bucket's stream takes it."""

    @property
    def data(self) -> bytes:
        """The payload's bytes."""
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def load() -> list[Example]:
    """All examples, in the order of the contract; a new list each time, free to change."""
    folder = resources.files("pytest_agog.wire").joinpath("examples")
    found: list[Example] = []
    for family in FAMILIES:
        for entry in json.loads(folder.joinpath(f"{family}.json").read_text(encoding="utf-8")):
            found.append(
                Example(
                    family=family,
                    subject=entry["subject"],
                    about=entry["about"],
                    headers=entry.get("headers", {}),
                    payload=entry["payload"],
                    model=_MODELS[entry["model"]],
                    transport=entry.get("transport", "stream"),
                )
            )
    return found
