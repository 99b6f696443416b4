"""Chains: retries, notices that are missing or strange, and what is handed on."""

from __future__ import annotations

import json

import pytest

from pytest_agog.checks.tokens import account
from pytest_agog.ledger.facts import AgentHanded, AgentSpawned, ProcessStarted
from tests.play.scenes import Scene, chain, claim, exits, notices, of, outcomes

REPORT = "# Report\n\n## Findings\n\nThe cache is stale.\n\n## Risks\n\nNone.\n"


async def test_reports_are_handed_on_by_url_and_never_inline(scene: Scene) -> None:
    scene.file("report.md", REPORT)
    result = await scene.play(
        agents={"cynthia": {"report": "report.md"}},
        steps=[chain(("cynthia", "research"), ("sylvia", "critique"), ("roy", "backend"))],
        proof=[
            claim("deliverable", agent="cynthia", type="research", feature="search", equals="report.md", digest=True),
            claim("no_inline_report", "inline"),
            claim("notice", "notices", resolves=True, consistent=True, tokens={"at_most": 200}),
            claim("process", "roy", name="roy", exit=0, output_contains="COMPLETE"),
            claim("no_loss", "loss"),
        ],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert outcomes(result)["it"] == outcomes(result)["notices"] == outcomes(result)["roy"] == "passed"
    spawns = [seen.fact for seen in result.ledger.of(AgentSpawned)]
    assert [len(spawn.earlier) for spawn in spawns] == [0, 1, 2]
    prompt = json.loads(result.ledger.payloads[spawns[2].prompt])
    assert prompt["inputs"] == [
        {"agent": "cynthia", "task": "research", "url": "nats://agog.deliverables.cynthia.research.search"},
        {"agent": "sylvia", "task": "critique", "url": "nats://agog.deliverables.sylvia.critique.search"},
    ]
    assert result.ledger.payloads[spawns[2].earlier[0].report or ""].decode() == REPORT


async def test_a_failing_agent_is_tried_again_as_often_as_the_chain_says(scene: Scene) -> None:
    result = await scene.play(
        agents={"roy": {"fails": 2}},
        steps=[chain(("roy", "backend"), retries=2), chain(("roy", "backend"), feature="other")],
        proof=[claim("deliverable", agent="roy", type="backend", feature="search", revisions=1)],
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed"})
    assert [exited.exit for exited in exits(result)] == [1, 1, 0, 0]
    assert [seen.fact.attempt for seen in result.ledger.of(AgentSpawned)] == [1, 2, 3, 1]
    assert [bool(notice.payload) for notice in notices(result)] == [False, False, True, True]


async def test_without_retries_a_failing_agent_ends_the_chain_and_claims_are_judged(scene: Scene) -> None:
    result = await scene.play(
        agents={"sylvia": {"fails": 1}},
        steps=[
            chain(("cynthia", "research"), ("sylvia", "critique"), ("roy", "backend")),
            {"publish": {"subject": "results.x.y", "text": "never"}},
        ],
        proof=[
            claim("deliverable", "there", agent="cynthia", type="research", feature="search"),
            claim("deliverable", "absent", agent="roy", type="backend", feature="search"),
            claim("process", "process", name="sylvia", exit=1, output_contains="exit status 1"),
        ],
    )
    assert result.outcome == "failed"
    assert result.failure is not None
    assert result.failure.step is not None
    assert result.failure.step.number == 1
    assert result.failure.message.startswith("turn 2 (sylvia critique) failed: exit status 1")
    assert "\n" not in result.failure.message
    assert outcomes(result) == {"there": "passed", "absent": "failed", "process": "passed"}
    assert not result.ledger.messages("results.>")


async def test_what_an_agent_prints_may_be_messy_and_the_report_is_published_all_the_same(scene: Scene) -> None:
    scene.file(
        "messy.txt",
        "Thinking … costs $5, $HOME, ${unknown}, $${feature}\n"
        '```json\r\n{"agent": "jen"}\r\n```\n${notice}\nBye ${who}\n',
    )
    result = await scene.play(
        vars={"who": "now"},
        agents={"jen": {"prints": "messy.txt"}},
        steps=[chain(("jen", "frontend"))],
        proof=[
            claim("deliverable", agent="jen", type="frontend", feature="search"),
            claim("process", "prints", name="jen", output_contains="$5, $HOME, $${unknown}, $${feature}"),
            claim("process", "ends", name="jen", output_contains="Bye now"),
        ],
    )
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("I am done.\n", "no complete JSON object"),
        ('{"agent": "roy", "status": "COMPLETE"', "cut off or broken"),
        ('{"agent":"roy","req_number":"search","status":"COMPLETE","deliverable":"nats://x","summary":"s"}', "'roy'"),
        ('{"agent":"jen","req_number":"other","status":"COMPLETE","deliverable":"nats://x","summary":"s"}', "'other'"),
        ("", "it is empty"),
    ],
)
async def test_output_without_a_notice_for_this_work_fails_with_the_reason(
    scene: Scene, printed: str, reason: str
) -> None:
    scene.file("out.txt", printed)
    result = await scene.play(
        agents={"jen": {"prints": "out.txt"}},
        steps=[chain(("jen", "frontend"), retries=1)],
        proof=[claim("deliverable", agent="jen", type="frontend", feature="search", revisions=1)],
    )
    assert result.outcome == "failed"
    assert result.failure is not None
    assert "failed after 2 tries" in result.failure.message
    assert reason in result.failure.message
    assert [reason in notice.reason for notice in notices(result)] == [True, True]
    assert outcomes(result) == {"it": "passed"}  # published by both tries, stored once


async def test_notices_that_are_large_blocked_or_lead_nowhere_do_not_end_the_chain(scene: Scene) -> None:
    result = await scene.play(
        agents={
            "cynthia": {"notice": {"summary": "long " * 400}},
            "sylvia": {"notice": {"status": "BLOCKED", "blockers": ["no database"]}},
            "roy": {"notice": {"deliverable": "nats://agog.deliverables.roy.backend.elsewhere"}},
            "jen": {"notice": {"deliverable": "https://example.org/report"}},
            "billy": {"notice": {"deliverable": "nats://a b.>"}},
            "priya": {"notice": {"status": "FAILED"}},
        },
        steps=[chain(
            ("cynthia", "research"), ("sylvia", "critique"), ("roy", "backend"), ("jen", "frontend"),
            ("billy", "qa"), ("priya", "statistics"), ("miki", "devops"),
        )],
        proof=[
            claim("notice", "small", tokens={"at_most": 200}),
            claim("notice", "blocked", agent="sylvia", status="BLOCKED", consistent=True),
            claim("notice", "resolves", agent="roy", resolves=True),
            claim("notice", "foreign", agent="jen", resolves=True),
            claim("notice", "odd", agent="billy", resolves=True),
        ],
    )  # fmt: skip
    assert result.outcome == "passed"
    assert outcomes(result) == {
        "small": "failed", "blocked": "passed", "resolves": "failed", "foreign": "failed", "odd": "failed",
    }  # fmt: skip
    last = result.ledger.of(AgentSpawned)[-1].fact
    assert [earlier.report is not None for earlier in last.earlier] == [True, True, False, False, False, True]
    told = json.loads(result.ledger.payloads[last.prompt])["inputs"]
    assert told[2]["url"] == "nats://agog.deliverables.roy.backend.elsewhere"


async def test_scripted_agents_are_handed_what_they_fetch(scene: Scene) -> None:
    scene.file("report.md", REPORT)
    result = await scene.play(
        agents={"cynthia": {"report": "report.md"}},
        steps=[chain(
            ("cynthia", "research"),
            {"agent": "sylvia", "task": "critique", "fetches": ["cynthia#Risks", "cynthia"]},
        )],
    )  # fmt: skip
    handed = [seen.fact for seen in result.ledger.of(AgentHanded)]
    assert [(fact.agent, fact.section) for fact in handed] == [("sylvia", "Risks"), ("sylvia", None)]
    assert [result.ledger.payloads[fact.payload].decode() for fact in handed] == ["## Risks\n\nNone.\n", REPORT]
    told = account(result.ledger)
    assert told.fetched == sum(result.ledger.tokens(fact.payload) for fact in handed)
    assert told.inline == result.ledger.count_tokens(REPORT)


async def test_a_section_that_does_not_exist_fails_the_turn(scene: Scene) -> None:
    scene.file("report.md", REPORT)
    result = await scene.play(
        agents={"cynthia": {"report": "report.md"}},
        steps=[chain(
            ("cynthia", "research"), {"agent": "sylvia", "task": "critique", "fetches": ["cynthia#Risk"]}
        )],
    )  # fmt: skip
    assert result.failure is not None
    assert "turn 2 (sylvia critique) failed" in result.failure.message
    assert "Risks" in result.failure.message  # the nearest


async def test_further_agents_have_streams_of_their_own(scene: Scene) -> None:
    result = await scene.play(
        agents={"nina": {"report": {"generate": {"tokens": 300}}}},
        steps=[chain(("nina", "translation"), ("nina", "review"))],
        proof=[
            claim("deliverable", agent="nina", type="review", feature="search", tokens={"between": [297, 303]}),
            claim("stream", "stream", name="agog_features_translation", messages=2),
        ],
    )
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})


async def test_a_report_that_is_no_text_fails_in_one_line(scene: Scene) -> None:
    scene.file("report.md", b"\xff\xfe\x00binary")
    result = await scene.play(agents={"roy": {"report": "report.md"}}, steps=[chain(("roy", "backend"))])
    assert result.failure is not None
    assert "report.md is no UTF-8 text" in result.failure.message


async def test_scripted_agents_stand_among_the_processes(scene: Scene) -> None:
    result = await scene.play(
        steps=[chain(("roy", "backend"))], proof=[claim("process", name="roy", exit=0, running=False)]
    )
    assert of(result).verdict.passed
    started = result.ledger.of(ProcessStarted)[0].fact
    assert (started.name, started.command, started.pid) == ("roy", ("scripted", "agent", "roy"), 0)


async def test_spawns_go_wrong_in_the_ways_that_are_declared(scene: Scene) -> None:
    """First those that fail, then those that hang, block and reject; a command comes after them."""
    roy = scene.agent("roy.py", "await js.publish(SUBJECT, report())\nnotice(summary='By the command.')")
    result = await scene.play(
        agents={"roy": {"run": roy, "fails": 1, "hangs": 1, "blocks": 1, "rejects": 1}},
        steps=[
            chain(("roy", "backend"), retries=2, feature="one"),
            chain(("roy", "backend"), feature="two"),
            chain(("roy", "backend"), feature="three"),
        ],
        proof=[claim("spawn", requirement="one", agent="roy", count=3, once=True)],
    )
    assert (result.outcome, outcomes(result)) == ("passed", {"it": "passed"})
    told = [result.ledger.payloads.json(seen.payload) for seen in notices(result) if seen.payload]
    assert [(notice["status"], notice.get("critique_verdict"), notice.get("blockers")) for notice in told] == [
        ("BLOCKED", None, ["Blocked, as the scenario says."]),
        ("COMPLETE", "REJECTED", ["Rejected, as the scenario says."]),
        ("COMPLETE", None, None),
    ]
    assert told[-1]["summary"] == "By the command."
    assert [seen.reason for seen in notices(result) if not seen.payload] == [
        "exit status 1 (declared: the first 1 spawns fail)",
        "it hangs (declared: 1 spawns do); a chain does not wait 120s for it",
    ]
