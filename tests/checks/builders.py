"""Ledgers by hand, in few words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_agog.checks.base import Verdict
from pytest_agog.checks.registry import builtin_checks
from pytest_agog.ledger.answers import FileSeen, RowsSeen, StreamSeen
from pytest_agog.ledger.facts import (
    AgentHanded,
    AgentSpawned,
    Earlier,
    Fact,
    MessageStored,
    NoticeSeen,
    PublishAcked,
    PublishAttempted,
)
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.wire import deliverables

CHECKS = builtin_checks()
START = 1_700_000_000.0
STREAMS = {
    "agog.deliverables.cynthia": "agog_features_research",
    "agog.deliverables": "agog_features_backend",
    "requirements": "REQUIREMENTS",
    "results": "RESULTS",
    "agog.orchestration": "agog_orchestration_events",
    "argo": "agent-comms",
}


class Book:
    """A ledger that is written by hand. Time goes on by one second with each fact."""

    def __init__(self) -> None:
        self.ledger = Ledger(token_counter=lambda text: len(text.split()))
        self.sequences: dict[str, int] = {}

    def fact(self, fact: Fact) -> int:
        """Any fact."""
        return self.ledger.append(fact, START + len(self.ledger))

    def put(self, data: bytes | str | Mapping[str, Any]) -> str:
        """A payload's id."""
        if isinstance(data, Mapping):
            data = json.dumps(data)
        return self.ledger.payloads.put(data if isinstance(data, bytes) else data.encode())

    def stored(
        self,
        subject: str,
        data: bytes | str | Mapping[str, Any] = "{}",
        *,
        headers: dict[str, str] | None = None,
        stream: str | None = None,
        sequence: int | None = None,
        time: float | None = None,
    ) -> int:
        """A message in its stream; returns its sequence there."""
        name = stream or next((held for head, held in STREAMS.items() if subject.startswith(head)), "OTHER")
        place = sequence if sequence is not None else self.sequences.get(name, 0) + 1
        self.sequences[name] = max(place, self.sequences.get(name, 0))
        payload = self.put(data)
        size = len(self.ledger.payloads[payload])
        at = START + len(self.ledger) if time is None else time
        self.fact(MessageStored(name, place, at, subject, payload, size, headers or {}))
        return place

    def report(self, subject: str, content: str, **metadata: Any) -> int:
        """A deliverable as the contract has it."""
        parts = subject.split(".")
        told = {"agent": parts[2], "taskType": parts[3], "feature": parts[4], "timestamp": "2026-01-01T00:00:00Z"}
        data = json.dumps({"content": content, "metadata": {**told, **metadata}}, ensure_ascii=False)
        return self.stored(subject, data, headers=deliverables.headers(subject, deliverables.digest(content)))

    def notice(self, agent: str, requirement: str = "search", attempt: int = 1, **fields: Any) -> str:
        """A notice that an agent returned; returns its payload id."""
        value = {
            "agent": agent,
            "req_number": requirement,
            "status": "COMPLETE",
            "deliverable": f"nats://agog.deliverables.{agent}.work.{requirement}",
            "summary": "Done as asked.",
            **fields,
        }
        payload = self.put({key: item for key, item in value.items() if item is not None})
        self.fact(NoticeSeen(agent, requirement, attempt, payload))
        return payload

    def spawn(
        self, agent: str, prompt: str, earlier: Sequence[tuple[str, str | None, str]] = (), attempt: int = 1
    ) -> None:
        """An agent's start: its prompt, and (agent, report, notice) of the turns before."""
        handed = tuple(
            Earlier(name, f"nats://{name}", None if report is None else self.put(report), self.put(notice))
            for name, report, notice in earlier
        )
        self.fact(AgentSpawned(1, agent, "work", "search", attempt, self.put(prompt), handed))

    def handed(self, agent: str, text: str) -> None:
        """Text that an agent fetched."""
        self.fact(AgentHanded(1, agent, "nats://x", None, self.put(text)))

    def publish(
        self, subject: str, data: str, *, headers: dict[str, str] | None = None, core: bool = False, store: bool = True,
        ack: bool = True, duplicate_of: int | None = None,
    ) -> int:  # fmt: skip
        """A publish that is attempted, stored and acknowledged, or only some of that; returns its sequence."""
        attempt = self.fact(PublishAttempted(subject, self.put(data), "step 1", headers or {}, core))
        name = next((held for head, held in STREAMS.items() if subject.startswith(head)), "OTHER")
        sequence = self.sequences.get(name, 0) + 1 if duplicate_of is None else duplicate_of
        self.sequences[name] = max(sequence, self.sequences.get(name, 0))
        if store and duplicate_of is None:
            self.stored(subject, data, headers=headers, stream=name, sequence=sequence)
        if ack and not core:
            self.fact(PublishAcked(attempt, name, sequence, duplicate_of is not None))
        return sequence

    def file(self, path: str, data: bytes | str | None) -> None:
        """A file that was looked up; None is not there."""
        payload = None if data is None else self.put(data)
        self.fact(FileSeen(f"file:{path}", path, data is not None, payload))

    def rows(self, rows: Sequence[Mapping[str, Any]], table: str = "workflow_comms.agent_messages") -> None:
        """A table's rows."""
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        self.fact(RowsSeen(f"rows:{table}:", table, self.put(lines), len(rows)))

    def stream(self, name: str, *, config: dict[str, Any] | None = None, state: dict[str, Any] | None = None) -> None:
        """A stream that was looked at."""
        self.fact(StreamSeen(f"stream:{name}", name, exists=True, config=config or {}, state=state or {}))

    def judge(self, check: str, **arguments: Any) -> Verdict:
        """The verdict of a check; arguments as in YAML."""
        found = CHECKS[check]
        return found.judge(self.ledger, found.arguments.model_validate(arguments))


def told(verdict: Verdict) -> str:
    """Everything that a verdict says, as one text."""
    parts = [verdict.expected, verdict.observed, verdict.nearest]
    parts += [f"{item.text}\n{item.excerpt}" for item in verdict.evidence]
    return "\n".join(parts)


_WORDS = (
    "agent stream report notice search index column query cache ranking shard replica cluster latency budget token "
    "consumer ledger proof claim evidence verdict subject sequence digest header payload retry backoff window schema "
    "migration cursor page filter sort customer invoice product catalogue price supplier warehouse delivery country "
    "language accent fuzzy match exact prefix suffix stemmer synonym weight score threshold baseline"
)
WORDS = _WORDS.split()


def prose(seed: int, words: int = 600) -> str:
    """A report of so many words, always the same for the same seed, with headings, lists and paragraphs."""
    import random

    chance = random.Random(seed)
    lines, left = [f"# Report {seed}"], words
    while left > 0:
        size = min(left, chance.randint(8, 30))
        text = " ".join(chance.choice(WORDS) for _ in range(size))
        lines.append(chance.choice(("## {}", "- **{}**", "{}.", "{}.", "`{}`", "| {} |")).format(text))
        left -= size
    return "\n\n".join(lines) + "\n"
