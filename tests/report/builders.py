"""Plays built by hand: what reports are tested with. Times are fixed, so that whole outputs can be compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agog.checks.base import Evidence, Outcome, Verdict
from pytest_agog.ledger.facts import (
    AgentHanded,
    AgentSpawned,
    Barrier,
    ComponentActed,
    Earlier,
    MessageStored,
    NoticeSeen,
    ProcessExited,
    ProcessStarted,
    PublishAcked,
    PublishAttempted,
    StepEnded,
    StepStarted,
)
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.payloads import Headers
from pytest_agog.play.result import Environment, Judgement, PlayFailure, PlayResult
from pytest_agog.report.view import ScenarioView, view
from pytest_agog.scenario.model import Chain, Services, TokenClaims
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Claim, Scenario, Step
from pytest_agog.values import Strict

START = 1_769_862_896.789
"""2026-01-31T12:34:56.789Z"""
ENVIRONMENT = Environment("3.11.9", "2.15.1", "18.4", "embedded", "reference")
YAML = """\
agog: 1
name: retry-stores-once
summary: A retry of the same report stores nothing twice.
steps:
  - chain: {feature: search, turns: [{agent: cynthia, task: research}]}
proof:
  - id: report-stored
    claim: Cynthia's full report is on the stream, byte for byte
    check: deliverable
    with: {agent: cynthia, type: research, feature: search}
  - id: stored-once
    claim: The retry stores nothing twice
    check: message
    with:
      subject: agog.deliverables.cynthia.research.search
      count: 1
    within: 5s
"""


class NoArguments(Strict):
    """Hand-built claims need none."""


def count_words(text: str) -> int:
    """A token counter that a reader can check by eye."""
    return len(text.split())


def claim(
    id_: str, text: str, file: Path, line: int = 7, column: int = 5, *, check: str = "message", within: float = 0.0
) -> Claim:
    return Claim(id_, text, check, NoArguments(), Position(file, line, column), within=within, raw={"subject": "a.b"})


def judged(
    one: Claim,
    outcome: Outcome = "passed",
    *,
    expected: str = "exactly 1 message",
    observed: str = "1 message",
    nearest: str = "",
    waited: float = 0.0,
    evidence: tuple[Evidence, ...] = (),
) -> Judgement:
    return Judgement(one, Verdict(outcome, expected, observed, evidence, nearest), waited)


def message_evidence(sequence: int = 4, excerpt: str = "") -> Evidence:
    return Evidence(
        "message",
        START + 0.412,
        "The same report, stored a second time",
        excerpt or '{"content": "# Research\\n\\nPatterns of search …",\n "metadata": {"agent": "cynthia"}}',
        {
            "subject": "agog.deliverables.cynthia.research.search",
            "stream": "agog_features_research",
            "sequence": sequence,
            "size": 40_213,
        },
    )


def scenario(
    name: str, file: Path, claims: tuple[Claim, ...], *, steps: tuple[Step, ...] = (), summary: str = ""
) -> Scenario:
    return Scenario(
        name=name,
        path=file,
        summary=summary,
        tags=(),
        services=Services(),
        agents={},
        steps=steps,
        claims=claims,
        tokens=TokenClaims(),
        position=Position(file, 1, 1),
    )


def step(file: Path, number: int = 1, line: int = 5) -> Step:
    arguments = Chain.model_validate({"feature": "search", "turns": [{"agent": "cynthia", "task": "research"}]})
    return Step(number, "chain", arguments, Position(file, line, 5))


def play(
    name: str,
    file: Path,
    judgements: tuple[Judgement, ...] = (),
    *,
    ledger: Ledger | None = None,
    outcome: Outcome = "passed",
    failure: PlayFailure | None = None,
    duration: float = 0.41,
    started_at: float = START,
    summary: str = "",
) -> PlayResult:
    return PlayResult(
        scenario=scenario(name, file, tuple(j.claim for j in judgements), steps=(step(file),), summary=summary),
        ledger=ledger if ledger is not None else Ledger(count_words),
        outcome=outcome,
        started_at=started_at,
        duration=duration,
        environment=ENVIRONMENT,
        judgements=judgements,
        failure=failure,
    )


@dataclass
class Story:
    """Writes the ledger of a chain, a tenth of a second between two facts."""

    ledger: Ledger
    now: float = START
    sequence: int = 0

    def tell(self, fact: Any, after: float = 0.1) -> int:
        self.now += after
        return self.ledger.append(fact, at=self.now)

    def publish(self, agent: str, task: str, content: str, headers: Headers | None = None) -> tuple[str, str]:
        """A report from attempt to stored message; returns its URL and the payload of its content."""
        subject = f"agog.deliverables.{agent}.{task}.search"
        body = json.dumps({"content": content, "metadata": {"agent": agent, "taskType": task, "feature": "search"}})
        payload = self.ledger.payloads.put(body.encode())
        attempt = self.tell(PublishAttempted(subject, payload, agent))
        self.sequence += 1
        stream = f"agog_features_{task}"
        self.tell(PublishAcked(attempt, stream, self.sequence), 0.01)
        stored = MessageStored(stream, self.sequence, self.now, subject, payload, len(body), headers or {})
        self.tell(stored, 0.01)
        return f"nats://{subject}", self.ledger.payloads.put(content.encode())


TURNS = (("cynthia", "research"), ("sylvia", "critique"), ("roy", "backend"), ("jen", "frontend"))


def chain_ledger(words: int = 4000) -> Ledger:
    """Four agents hand full reports on; roy fetches a part of cynthia's; NATS is restarted in between."""
    ledger = Ledger(count_words)
    story = Story(ledger)
    story.tell(StepStarted(1, "chain", "chain at line 5"), 0.02)
    earlier: tuple[Earlier, ...] = ()
    for number, (agent, task) in enumerate(TURNS):
        prompt = ledger.payloads.put(f"prompt of {agent} with {len(earlier)} notices".encode())
        story.tell(AgentSpawned(1, agent, task, "search", 1, prompt, earlier))
        story.tell(ProcessStarted(agent, ("python", f"agents/{agent}.py"), 100 + number), 0.01)
        if agent == "roy":
            part = ledger.payloads.put(b"a section " * 300)
            story.tell(AgentHanded(1, agent, earlier[0].url, "Recommendations", part), 0.15)
        url, report = story.publish(agent, task, f"{agent} " * words)
        notice = ledger.payloads.put(json.dumps({"agent": agent, "deliverable": url}).encode())
        story.tell(ProcessExited(agent, 0, 0.2))
        story.tell(NoticeSeen(agent, "search", 1, notice), 0.01)
        earlier = (*earlier, Earlier(agent, url, report, notice))
        if agent == "sylvia":
            story.tell(ComponentActed("nats", "restarted"), 0.05)
    story.tell(StepEnded(1, "chain", "passed"))
    story.tell(Barrier({"agog_features_research": 1}))
    return ledger


def rerun(result: PlayResult, item: str) -> str:
    """A command as the plugin makes them."""
    return f"pytest --agog-scenario=scenarios/{result.scenario.name}.yaml::{item}"


def varied_plays(file: Path) -> list[PlayResult]:
    """Six plays: two that pass, a close one, one with a failed claim, one that broke off, one that did not start."""
    stored = claim("report-stored", "Cynthia's full report is on the stream, byte for byte", file)
    once = claim("stored-once", "The retry stores nothing twice", file, 11, within=5)
    rows = claim("rows", "Every published message has exactly one row", file, 11, within=5)
    savings = claim(
        "tokens.spawn_savings",
        "Spawning by URL saves at least 95 % of what pasted reports would have cost, counted with o200k_base",
        file,
        11,
    )
    found = (message_evidence(4), message_evidence(9))
    nearest = "the second one has another Nats-Msg-Id: agog.deliverables.cynthia.research.search:SHA-256=k3JXb1…"
    log = "\n".join(f"line {number} of roy's output" for number in range(1, 51))
    did_not_start = judged(stored, "error", expected="services that start", observed="the play could not begin")
    return [
        play("six-agent-hand-over", file, (judged(stored),) * 12, ledger=chain_ledger(), duration=0.82),
        play("messy-output", file, (judged(stored),) * 5, duration=0.31),
        play(
            "retry-stores-once",
            file,
            (
                judged(stored, evidence=(message_evidence(4),)),
                judged(
                    once,
                    "failed",
                    observed="2 messages, stored 120 ms apart",
                    nearest=nearest,
                    waited=5.01,
                    evidence=found,
                ),
                judged(savings),
            ),
            ledger=chain_ledger(400),
            duration=6.2,
            summary="A retry of the same report stores nothing twice.",
        ),
        play(
            "partial-fetch[large]", file, (judged(stored), judged(rows, waited=4.6, nearest="the last row came late"))
        ),
        play(
            "nats-killed",
            file,
            (judged(stored), judged(savings, "skipped", observed="nothing was handed over")),
            outcome="failed",
            failure=PlayFailure(
                "roy exited with 1 in turn 3 (backend)", step(file), f"{log}\npassword=hunter2\n\x1b[31mred\x1b[0m"
            ),
            duration=2.4,
        ),
        play(
            "no-disk",
            file,
            (did_not_start, did_not_start),
            outcome="error",
            failure=PlayFailure(
                "nats-server did not start: no space left on device. Free disk space.",
                None,
                "[FTL] cannot create store",
            ),
            duration=0.1,
        ),
    ]


def views(file: Path, plays: list[PlayResult] | None = None) -> list[ScenarioView]:
    """Those plays as reports see them, with paths relative to the folder above the file's."""
    return [
        view(one, base=file.parent.parent, rerun=rerun, with_timeline=True)
        for one in (plays if plays is not None else varied_plays(file))
    ]
