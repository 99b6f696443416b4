"""What a run shows of orchestration: spawns, states of requirements, and what the gate said. Read once for all checks.

Nothing here trusts what it reads: a message that lacks what the contract asks for is kept with what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog.checks.base import Evidence
from pytest_agog.checks.evidence.telling import clock, excerpt, of_message, short
from pytest_agog.ledger.facts import AgentSpawned
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.ledger.payloads import PayloadId
from pytest_agog.values import ABSENT
from pytest_agog.wire import subjects
from pytest_agog.wire.orchestration import STATE_KEY

STARTED: Final = subjects.event("stage.started")
BUCKET: Final = "agog_state"
STATES: Final = f"$KV.{BUCKET}.{STATE_KEY}."
"""What the subjects of requirements' states begin with."""
_OPERATION: Final = "kv-operation"


# --- spawns -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Spawn:
    """One order to start an agent: a `stage.started`, or a turn of a chain. What it does not say is None."""

    requirement: str | None
    agent: str | None
    stage: str | None
    attempt: int | None
    at: float
    index: int
    prompt: PayloadId
    """What the agent is told: the event's payload, or the JSON on its standard input."""
    message: Message | None = None
    """None in a chain."""

    @property
    def key(self) -> tuple[str | None, str | None, int | None]:
        """What names the attempt: two spawns with one key are one too many."""
        return self.requirement, self.stage, self.attempt

    def __str__(self) -> str:
        named = f"{short(self.agent or 'nobody')} for {short(self.requirement or 'no requirement')}"
        return f"{named} ({short(self.stage or 'no stage')}, attempt {self.attempt if self.attempt else '?'})"


def spawns_of(ledger: Ledger) -> Sequence[Spawn]:
    """Every spawn of the run, in the order of time. Events that are no JSON objects are left out: see `unreadable`."""
    return ledger.derived("spawns", lambda: _spawns(ledger))


def _spawns(ledger: Ledger) -> list[Spawn]:
    found = [
        Spawn(fact.feature, fact.agent, fact.task, fact.attempt, item.at, item.index, fact.prompt)
        for item in ledger.of(AgentSpawned)
        for fact in (item.fact,)
    ]
    for message in ledger.messages(STARTED):
        document = ledger.payloads.json(message.payload)
        if isinstance(document, dict):
            found.append(
                Spawn(
                    text(document, "reqNumber"), text(document, "agentId"), text(document, "stage"),
                    number(document, "attempt"), message.at, message.index, message.payload, message,
                )
            )  # fmt: skip
    return sorted(found, key=lambda spawn: (spawn.at, spawn.index))


def unreadable(ledger: Ledger) -> Sequence[Message]:
    """Messages on `stage.started` that are no JSON objects."""
    return [m for m in ledger.messages(STARTED) if not isinstance(ledger.payloads.json(m.payload), dict)]


def of_spawn(ledger: Ledger, spawn: Spawn, note: str = "") -> Evidence:
    """A spawn as evidence."""
    told = str(spawn) + (f" · {note}" if note else "")
    if spawn.message is not None:
        return of_message(ledger, spawn.message, told)
    details = {"agent": spawn.agent, "requirement": spawn.requirement, "attempt": spawn.attempt}
    body = excerpt(ledger.payloads.text(spawn.prompt)[:20_000], lines=4)
    return Evidence("process", spawn.at, f"{told} · in a chain · {clock(spawn.at)}", body, details)


# --- states -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Revision:
    """One value that stood under a requirement's key."""

    message: Message
    value: dict[str, Any] | None
    """None when it is no JSON object, or was deleted."""
    reason: str = ""
    """Why there is no value."""

    @property
    def state(self) -> str | None:
        """The state it names."""
        return None if self.value is None else text(self.value, "state")


def revisions_of(ledger: Ledger, requirement: str) -> Sequence[Revision]:
    """The values of a requirement's key that were seen, the oldest first."""
    key = ("states", requirement)
    return ledger.derived(key, lambda: [_revision(ledger, m) for m in ledger.stored(STATES + requirement)])


def known_requirements(ledger: Ledger) -> list[str]:
    """The requirements that have a state."""
    return sorted({message.subject.removeprefix(STATES) for message in ledger.stored(f"{STATES}*")})


def _revision(ledger: Ledger, message: Message) -> Revision:
    operation = next((value for name, value in message.headers.items() if name.casefold() == _OPERATION), "")
    if operation:
        return Revision(message, None, f"its key was deleted ({short(operation)})")
    document = ledger.payloads.json(message.payload)
    if not isinstance(document, dict):
        return Revision(message, None, "its value is no JSON object")
    return Revision(message, document)


# --- what the gate said -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Judged:
    """One gated result."""

    message: Message
    stage: str | None
    attempt: int | None
    agent: str
    verdict: str | None
    commands: tuple[dict[str, Any], ...]
    output: str
    """What its commands printed, and what it found missing."""


@dataclass(frozen=True)
class Built:
    """One `build.passed` or `build.failed`."""

    message: Message
    passed: bool
    stage: str | None
    attempt: int | None
    agent: str | None
    output: str

    def is_about(self, judged: Judged) -> bool:
        """Whether it tells of the same attempt."""
        if self.attempt != judged.attempt:
            return False
        if judged.stage is not None and self.stage is not None:
            return self.stage == judged.stage
        return self.agent is None or self.agent == judged.agent


def judged_of(ledger: Ledger, requirement: str) -> Sequence[Judged]:
    """The gated results of a requirement, in the order of time."""

    def collect() -> list[Judged]:
        found = []
        for message in ledger.messages(f"results.*.{requirement}"):
            document = ledger.payloads.json(message.payload)
            gate = document.get("gate") if isinstance(document, dict) else None
            if isinstance(document, dict) and gate is not None:
                found.append(_judged(message, document, gate))
        return found

    return ledger.derived(("gated", requirement), collect)


def _judged(message: Message, document: dict[str, Any], gate: Any) -> Judged:
    told = gate if isinstance(gate, dict) else {}
    commands = commands_in(told)
    missing = told.get("missing")
    lines = [str(one) for one in missing] if isinstance(missing, list) else []
    return Judged(
        message, text(document, "stage"), number(document, "attempt"), message.subject.split(".")[1],
        text(told, "verdict"), commands, "\n".join([*map(_printed, commands), *lines]),
    )  # fmt: skip


def builds_of(ledger: Ledger, requirement: str) -> Sequence[Built]:
    """The build events of a requirement, in the order of time."""

    def collect() -> list[Built]:
        found = []
        for message in ledger.messages(subjects.event("build.*")):
            document = ledger.payloads.json(message.payload)
            if isinstance(document, dict) and document.get("reqNumber") == requirement:
                printed = "\n".join(map(_printed, commands_in(document)))
                found.append(
                    Built(
                        message, message.subject.endswith(".passed"), text(document, "stage"),
                        number(document, "attempt"), text(document, "agentId"), printed,
                    )
                )  # fmt: skip
        return found

    return ledger.derived(("builds", requirement), collect)


def commands_in(document: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The `commands` of a gate or of a build event."""
    commands = document.get("commands")
    return tuple(one for one in commands if isinstance(one, dict)) if isinstance(commands, list) else ()


def _printed(command: dict[str, Any]) -> str:
    return str(command.get("output_tail") or "")


# --- odd values -------------------------------------------------------------------------------------------------------
def text(document: dict[str, Any], key: str) -> str | None:
    """The text under `key`; None when something else stands there."""
    value = document.get(key, ABSENT)
    return value if isinstance(value, str) and value else None


def number(document: dict[str, Any], key: str) -> int | None:
    """The whole number under `key`; None when something else stands there."""
    value = document.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
