"""The report behind the notice: it is there, whole, and a report. [F05] [F06] [F07] [F15]"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agog.errors import NatsUnreachable
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.orchestrator.gate import deliverable
from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.work import Verdict
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import notices
from pytest_agog.wire.notices import Notice
from tests.reference.orchestrator.gate.making import Code, gate_of, some_work

SUBJECT = "agog.deliverables.roy.backend.REQ-1"
REPORT = "# Stock transactions\n\nThe endpoint is there, and answers.\n"


def notice(subject: str = SUBJECT, status: str = "COMPLETE", requirement: str = "REQ-1") -> Notice:
    return notices.create("roy", requirement, status, subject, "Endpoint added")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        (" \n\ufeff\n", "is empty"),
        (notice().to_json(), "is a completion notice"),
        (f"```json\n{notice().to_json()}\n```", "is a completion notice"),
        ("Endpoint added", "only repeats the notice"),
        (f"nats://{SUBJECT}", "only repeats the notice"),
        ("[Full report goes here]", "is a placeholder"),
        ("TODO", "is a placeholder"),
        ("# Report\n\nTBD\n", "is a placeholder"),
        (REPORT + "\n[truncated]\n", "cut off"),
        (REPORT + "\n... (output truncated)\n", "cut off"),
        (REPORT + "\n```ts\nexport const a = 1\n", "breaks off inside a code block"),
        (REPORT, ""),
        (REPORT + "\n````md\n```\nx\n````\n", ""),
        (REPORT + "\nLong names are truncated in the list.\n", ""),
        ('{"openapi": "3.1.0"}', ""),
    ],
)
def test_what_is_no_report(content: str, says: str) -> None:
    found = deliverable.problem(notice(), content)
    assert says in found
    assert bool(found) == bool(says)


async def judge(link: Link, project: Path, said: Notice, *, report: str | None = None) -> Verdict:
    return await run_gate(gate_of(), some_work(notice=said, report=report), root=project, nats=DeliverableEngine(link))


async def test_without_commands_the_deliverable_decides(link: Link, project: Path) -> None:
    verdict = await judge(link, project, notice())
    assert not verdict.accepted
    assert "there is no deliverable at" in verdict.reason
    await DeliverableEngine(link).publish("roy", "backend", "REQ-1", REPORT + "All tests pass.\n")
    verdict = await judge(link, project, notice())
    assert verdict.accepted, verdict.feedback()
    assert verdict.commands == ()


@pytest.mark.parametrize("subject", ["agog.features.roy.backend.REQ-1", "agog.deliverables.nobody.x.y", "no subject"])
async def test_a_url_that_leads_nowhere(link: Link, project: Path, subject: str) -> None:
    verdict = await judge(link, project, notice(subject))
    assert not verdict.accepted
    assert "deliverable" in verdict.reason


async def test_a_notice_in_the_reports_place(link: Link, project: Path) -> None:
    await link.nc.jetstream().publish(SUBJECT, notice().to_json().encode())
    verdict = await judge(link, project, notice())
    assert not verdict.accepted
    assert "is no report" in verdict.reason


async def test_content_that_does_not_fit_its_digest(link: Link, project: Path) -> None:
    payload = json.dumps({"content": REPORT, "metadata": {}}).encode()
    await link.nc.jetstream().publish(SUBJECT, payload, headers={"Agog-Digest": "SHA-256=" + "A" * 43 + "="})
    verdict = await judge(link, project, notice())
    assert not verdict.accepted
    assert "digest" in verdict.reason


async def test_the_notice_has_to_be_complete_and_of_this_requirement(link: Link, project: Path) -> None:
    await DeliverableEngine(link).publish("roy", "backend", "REQ-1", REPORT)
    assert "says BLOCKED" in (await judge(link, project, notice(status="BLOCKED"))).reason
    assert "speaks of REQ-2" in (await judge(link, project, notice(requirement="REQ-2"))).reason


async def test_the_report_is_read_for_evidence_and_claims(link: Link, project: Path, code: Code) -> None:
    await DeliverableEngine(link).publish("roy", "backend", "REQ-1", REPORT + "All 7 tests pass.\n")
    config = gate_of(code("print('3 passed in 0.1s')", proves=["tests"]))
    verdict = await run_gate(config, some_work(notice=notice()), root=project, nats=DeliverableEngine(link))
    assert not verdict.accepted
    assert "All 7 tests pass" in verdict.reason


async def test_nats_away_is_no_verdict(nats_server: NatsServer, link: Link, project: Path) -> None:
    link.timeout = 0.5
    nats_server.stop()
    with pytest.raises(NatsUnreachable):
        await judge(link, project, notice())


async def test_nothing_to_judge_is_nothing_accepted(project: Path) -> None:
    verdict = await run_gate(gate_of(), some_work(), root=project)
    assert not verdict.accepted
    assert "nothing to judge" in verdict.reason
    blind = await run_gate(gate_of(), some_work(notice=notice()), root=project)
    assert not blind.accepted
    assert "no report to look at" in blind.reason
