"""The checks: 200 mixed claims on a ledger of 100,000 observations, against a loop over all observations per claim."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.harness import Result, result
from pytest_agog.checks.base import Check
from pytest_agog.checks.registry import builtin_checks
from pytest_agog.ledger import answers, facts
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Strict
from pytest_agog.wire import deliverables, subjects

OBSERVATIONS = 100_000
CLAIMS = 200
AGENTS = ("cynthia", "sylvia", "roy", "jen", "billy", "priya")
NAIVE_SAMPLE = 10
"""The naive loop judges so many claims; its time is scaled up to all of them."""
Claim = tuple[Check[Any], Strict]


def run() -> list[Result]:
    """Judge all claims on a fresh ledger: indexes that checks make for themselves are part of the time."""
    ledger = _ledger()
    claims = _claims()
    started = time.perf_counter()
    for check, arguments in claims:
        check.judge(ledger, arguments)
    took = time.perf_counter() - started
    naive = _naive(ledger)
    size = f"{CLAIMS} mixed checks on {len(ledger):,} observations"
    inline = _inline()
    note = f"peer: one loop over all observations a check, {NAIVE_SAMPLE} checks timed and scaled up"
    return [
        result(size, took, "s", goal="< 2 s", ok=took < 2, peer=naive, note=note),
        result("no_inline_report, 12 reports of 60 kB and a prompt of 1 MB", inline, "s", goal="< 2 s", ok=inline < 2),
    ]


def _naive(ledger: Ledger) -> float:
    """Seconds for all claims, each of which reads the whole ledger and parses what fits."""
    started = time.perf_counter()
    for _ in range(NAIVE_SAMPLE):
        found = 0
        for observation in ledger:
            fact = observation.fact
            if isinstance(fact, facts.MessageStored) and subjects.matches("argo.workflow.>", fact.subject):
                found += json.loads(ledger.payloads[fact.payload]).get("status") == "ok"
    return (time.perf_counter() - started) * CLAIMS / NAIVE_SAMPLE


# --- the ledger -------------------------------------------------------------------------------------------------------
def _ledger() -> Ledger:
    ledger = Ledger(token_counter=lambda text: len(text) // 4)
    _chain(ledger)
    _surroundings(ledger)
    rows = []
    sequence = 0
    while len(ledger) < OBSERVATIONS - 2:
        sequence += 1
        subject = f"argo.workflow.ns.wf.u{sequence % 500}.agent.{AGENTS[sequence % 6]}.message"
        message = {
            "message_id": f"m{sequence}",
            "content": "x" * 300,
            "status": "ok" if sequence % 7 else "late",
            "n": sequence,
        }
        payload = ledger.payloads.put(json.dumps(message).encode())
        attempt = ledger.append(facts.PublishAttempted(subject, payload, "step 1"))
        seen = ledger.append(facts.MessageSeen(subject, payload, 400))
        ledger.append(facts.PublishAcked(attempt, "agent-comms", sequence))
        now = time.time()
        ledger.append(facts.MessageStored("agent-comms", sequence, now, subject, payload, 400, {}, seen))
        rows.append({"seq": sequence, "stream_seq": sequence, "content": message["content"], "kind": "message"})
    table = "workflow_comms.agent_messages"
    lines = "\n".join(map(json.dumps, rows)).encode()
    ledger.append(answers.RowsSeen(f"rows:{table}:", table, ledger.payloads.put(lines), len(rows)))
    ledger.append(facts.Barrier({"agent-comms": sequence}))
    return ledger


def _report(seed: int, size: int = 40_000) -> str:
    chance = random.Random(seed)
    words = [f"{chance.choice('abcdefghij')}{chance.randrange(10**6)}" for _ in range(size // 7)]
    return "# Report\n\n" + " ".join(words)


def _chain(ledger: Ledger) -> None:
    earlier: list[facts.Earlier] = []
    for number, agent in enumerate(AGENTS, start=1):
        subject = f"agog.deliverables.{agent}.work.search"
        content = _report(number)
        digest = deliverables.digest(content)
        metadata = {"agent": agent, "taskType": "work", "feature": "search", "timestamp": "2026-01-01T00:00:00Z"}
        data = deliverables.payload(content, metadata)
        prompt = ledger.payloads.put(json.dumps({"inputs": [item.url for item in earlier]}).encode())
        ledger.append(facts.AgentSpawned(1, agent, "work", "search", 1, prompt, tuple(earlier)))
        payload = ledger.payloads.put(data)
        headers = deliverables.headers(subject, digest)
        ledger.append(facts.MessageStored("features", number, time.time(), subject, payload, len(data), headers))
        url = subjects.to_url(subject)
        told = {"agent": agent, "req_number": "search", "status": "COMPLETE", "deliverable": url, "summary": "Done."}
        notice = ledger.payloads.put(json.dumps(told).encode())
        ledger.append(facts.NoticeSeen(agent, "search", 1, notice))
        earlier.append(facts.Earlier(agent, url, ledger.payloads.put(content.encode()), notice))


def _surroundings(ledger: Ledger) -> None:
    config = {"subjects": ["argo.workflow.>"], "storage": "file", "retention": "limits", "max_msgs": -1}
    ledger.append(
        answers.StreamSeen("stream:agent-comms", "agent-comms", exists=True, config=config, state={"messages": 9})
    )
    ledger.append(
        answers.ConsumerSeen("consumer:agent-comms:c", "agent-comms", "c", exists=True, state={"num_pending": 0})
    )
    ledger.append(answers.TableSeen("table:t", "t", exists=True, columns={"id": "uuid"}, indexes=(("id",),)))
    file = ledger.payloads.put(_report(1).encode())
    ledger.append(answers.FileSeen("file:report.md", "report.md", exists=True, payload=file))
    ledger.append(facts.ProcessStarted("demo", ("agog", "demo"), 1))
    ledger.append(facts.ProcessExited("demo", 0, 1.0))
    ledger.append(
        answers.HttpSeen(
            "http:GET:/healthz", "GET", "http://h/healthz", 200, payload=ledger.payloads.put(b'{"ok": true}')
        )
    )


# --- the claims -------------------------------------------------------------------------------------------------------
def _claims() -> list[Claim]:
    known = builtin_checks()
    made: list[Claim] = []
    kinds = _kinds()
    for number in range(CLAIMS):
        name, arguments = kinds[number % len(kinds)](number)
        made.append((known[name], known[name].arguments.model_validate(arguments)))
    return made


Kind = Callable[[int], tuple[str, dict[str, Any]]]


def _kinds() -> Sequence[Kind]:
    """One claim of each kind; messages stand more often than the rest, as in real checklists."""
    run = "argo.workflow.ns.wf.u{}.agent.*.message"
    return (
        lambda n: ("message", {"subject": run.format(n), "count": {"at_least": 1}}),
        lambda n: ("message", {"subject": "argo.workflow.>", "where": {"message_id": f"m{n}"}, "count": 1}),
        lambda n: ("message", {"subject": "argo.workflow.>", "where": {"n": {"at_least": 24_000 - n}}}),
        lambda n: ("message", {"subject": "argo.workflow.>", "where": {"status": "never", "n": n}}),
        lambda n: ("never", {"subject": f"errors.{n}.>"}),
        lambda n: ("never", {"subject": "argo.workflow.>", "where": {"status": f"lost {n}"}}),
        lambda n: ("order", {"sequence": [{"subject": f"agog.deliverables.{name}.>"} for name in AGENTS[:3]]}),
        lambda n: ("deliverable", {"agent": AGENTS[n % 6], "type": "work", "feature": "search", "digest": True}),
        lambda n: ("deliverable", {"url": "nats://agog.deliverables.cynthia.work.search", "equals": "report.md"}),
        lambda n: ("notice", {"agent": AGENTS[n % 6], "resolves": True, "consistent": True}),
        lambda n: ("no_inline_report", {}),
        lambda n: ("stream", {"name": "agent-comms", "storage": "file"}),
        lambda n: ("consumer", {"stream": "agent-comms", "name": "c", "pending": 0}),
        lambda n: ("table", {"name": "t", "columns": {"id": "uuid"}}),
        lambda n: ("rows", {"exactly_once": True}),
        lambda n: ("rows", {"where": {"stream_seq": n}, "count": 1}),
        lambda n: ("file", {"path": "report.md", "contains": "Report"}),
        lambda n: ("process", {"name": "demo", "exit": 0}),
        lambda n: ("http", {"path": "/healthz", "json": {"ok": True}}),
        lambda n: ("no_loss", {}),
        lambda n: ("no_loss", {"subjects": ["argo.workflow.>"]}),
        lambda n: ("tokens.spawn_savings", {"value": {"at_least": "90%"}}),
        lambda n: ("tokens.net_savings", {"value": {"at_least": "50%"}}),
        lambda n: ("tokens.notice", {"value": {"at_most": 200}}),
    )


def _inline() -> float:
    ledger = Ledger(token_counter=len)
    metadata = {"agent": "a", "taskType": "b", "feature": "c", "timestamp": "2026-01-01T00:00:00Z"}
    for number in range(12):
        payload = ledger.payloads.put(deliverables.payload(_report(number, 60_000), metadata))
        subject = f"agog.deliverables.a.b.c{number}"
        ledger.append(facts.MessageStored("s", number + 1, 0.0, subject, payload, 60_000))
    prompt = json.dumps({"prompt": _report(99, 950_000) + _report(3, 60_000)})
    ledger.append(facts.AgentSpawned(1, "roy", "work", "c", 1, ledger.payloads.put(prompt.encode())))
    check = builtin_checks()["no_inline_report"]
    started = time.perf_counter()
    found = check.judge(ledger, check.arguments())
    took = time.perf_counter() - started
    assert not found.passed
    return took
