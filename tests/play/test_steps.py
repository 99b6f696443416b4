"""`wait`, `kill` and `restart`: of NATS, of one server of a cluster, of Postgres."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pytest_agog.ledger.facts import ComponentActed, MessageSeen, ServerSeen
from tests.play.scenes import Scene, chain, claim, of, outcomes

EVENT = {"publish": {"subject": "results.roy.REQ-1", "json": {"n": 1}, "times": 20}}
KILL = {"kill": {"component": "nats"}}
RESTART = {"restart": {"component": "nats"}}


# --- wait -------------------------------------------------------------------------------------------------------------
async def test_wait_goes_on_as_soon_as_the_check_holds(scene: Scene) -> None:
    result = await scene.play(
        steps=[EVENT, {"wait": {"until": {"message": {"subject": "results.>", "count": 20}}, "within": "30s"}}]
    )
    assert result.outcome == "passed"
    assert result.duration < 25


async def test_wait_gives_up_and_says_what_it_saw(scene: Scene) -> None:
    result = await scene.play(
        steps=[EVENT, {"wait": {"until": {"message": {"subject": "errors.>"}}, "within": "150ms"}}, EVENT],
        proof=[claim("message", subject="results.>", count=20)],
    )
    assert result.failure is not None
    assert result.failure.message.startswith("waited 0.1")
    assert "for `message`: expected" in result.failure.message
    assert outcomes(result) == {"it": "passed"}


async def test_wait_asks_its_probes_again(scene: Scene) -> None:
    """A file that nobody announces."""
    code = """
        import os, subprocess, sys
        late = "import time, sys; time.sleep(0.3); open(sys.argv[1], 'w').write('late')"
        path = os.environ["AGENT_OUTPUT_DIR"] + "/late.txt"
        subprocess.Popen([sys.executable, "-c", late, path], start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    """
    result = await scene.play(
        steps=[
            {"run": {"command": scene.script("s.py", code)}},
            {"wait": {"until": {"file": {"path": "$AGENT_OUTPUT_DIR/late.txt", "contains": "late"}}, "within": "30s"}},
        ]
    )
    assert result.outcome == "passed"


async def test_wait_for_what_is_never_true_of_a_bare_check(scene: Scene) -> None:
    result = await scene.play(steps=[{"wait": {"until": {"no_loss": {}}, "within": "100ms"}}])
    assert result.failure is not None
    assert "nothing to judge" in result.failure.message


# --- kill and restart of NATS -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("signal", ["KILL", "TERM", "INT", "STOP"])
async def test_what_was_stored_is_there_after_a_restart(scene: Scene, signal: str) -> None:
    result = await scene.play(
        steps=[chain(("roy", "backend")), EVENT, {"kill": {"component": "nats", "signal": signal}}, RESTART, EVENT,
               chain(("jen", "frontend")),
               {"publish": {"subject": "agog.spawn.request", "text": "seen", "core": True}}],
        proof=[
            claim("no_loss"),
            claim("no_loss", "crash", grade="process-crash"),
            claim("stream", "stream", name="RESULTS", messages=40),
            claim("deliverable", "before", agent="roy", type="backend", feature="search", revisions=1),
            claim("deliverable", "after", agent="jen", type="frontend", feature="search"),
            claim("message", "core", subject="agog.spawn.request", count=1),
        ],
    )  # fmt: skip
    assert (result.outcome, result.failure) == ("passed", None)
    # A graceful end, or a pause, is no crash, and the grade says so.
    crash = "passed" if signal == "KILL" else "failed"
    assert outcomes(result) == {
        "it": "passed", "crash": crash, "stream": "passed", "before": "passed", "after": "passed", "core": "passed",
    }  # fmt: skip
    acted = [(seen.fact.component, seen.fact.action) for seen in result.ledger.of(ComponentActed)]
    assert acted == [("nats", "stopped" if signal == "STOP" else "killed"), ("nats", "restarted")]


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_killed_for_good_claims_are_judged_on_what_was_seen(scene: Scene, signal: str) -> None:
    started = time.monotonic()
    result = await scene.play(
        steps=[chain(("roy", "backend")), EVENT, {"kill": {"component": "nats", "signal": signal}}],
        proof=[
            claim("message", subject="results.>", count=20),
            claim("deliverable", "report", agent="roy", type="backend", feature="search"),
            claim("stream", "stream", name="RESULTS", messages=21),
            claim("order", "order", sequence=[{"subject": "agog.>"}, {"subject": "results.>"}]),
        ],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert outcomes(result) == {"it": "passed", "report": "passed", "stream": "failed", "order": "passed"}
    assert time.monotonic() - started < 25


async def test_agents_fail_while_nats_is_away(scene: Scene) -> None:
    result = await scene.play(
        steps=[EVENT, KILL, chain(("roy", "backend"))], proof=[claim("message", subject="results.>", count=20)]
    )
    assert result.failure is not None
    assert "turn 1 (roy backend) failed" in result.failure.message
    assert "onnect" in result.failure.message
    assert outcomes(result) == {"it": "passed"}


async def test_what_the_server_says_of_itself_is_recorded_and_makes_the_grade(scene: Scene) -> None:
    result = await scene.play(
        services={"nats": {"sync_interval": "always"}},
        steps=[EVENT, KILL, RESTART],
        proof=[claim("no_loss", grade="process-crash"), claim("no_loss", "power", grade="power-loss")],
    )
    assert outcomes(result) == {"it": "passed", "power": "failed"}
    assert "no power loss was simulated" in of(result, "power").verdict.observed
    assert "sync" not in of(result, "power").verdict.observed
    (server,) = [seen.fact for seen in result.ledger.of(ServerSeen)]
    assert (server.sync_always, server.max_payload, server.servers) == (True, 12_000_000, 1)


# --- a cluster --------------------------------------------------------------------------------------------------------
async def test_one_server_of_a_cluster_is_lost_and_comes_back(scene: Scene) -> None:
    result = await scene.play(
        services={"nats": {"servers": 3}},
        steps=[
            EVENT,
            {"kill": {"component": "nats", "server": 1}},
            {"wait": {"until": {"stream": {"name": "RESULTS", "messages": 20, "replicas": 3}}, "within": "30s"}},
            {"restart": {"component": "nats", "server": 1}},
            chain(("roy", "backend"), retries=5),
        ],
        proof=[
            claim("no_loss", grade="replica-loss"),
            claim("message", "all", subject="results.>", count=20),
            claim("deliverable", "report", agent="roy", type="backend", feature="search", revisions=1),
        ],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert set(outcomes(result).values()) == {"passed"}
    acted = [(seen.fact.component, seen.fact.action) for seen in result.ledger.of(ComponentActed)]
    assert acted == [("nats-1", "killed"), ("nats-1", "restarted")]


async def test_a_cluster_without_majority_is_judged_on_what_was_seen(scene: Scene) -> None:
    started = time.monotonic()
    result = await scene.play(
        services={"nats": {"servers": 3}},
        steps=[EVENT, *({"kill": {"component": "nats", "server": number}} for number in (1, 2))],
        proof=[claim("message", subject="results.>", count=20)],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert outcomes(result) == {"it": "passed"}
    assert time.monotonic() - started < 40


# --- Postgres ---------------------------------------------------------------------------------------------------------
INSERT = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute(
        "INSERT INTO workflow_comms.agent_messages (id, agent_id, role, kind, content, timestamp, dedupe_key) "
        "VALUES (gen_random_uuid(), 'roy', 'assistant', 'message', 'hello', now(), %s)", (sys.argv[1],))
"""


async def test_postgres_is_killed_and_restarted_and_its_rows_are_there(scene: Scene) -> None:
    command = scene.script("insert.py", INSERT)
    rows = {"rows": {"table": "workflow_comms.agent_messages", "count": 1}}
    result = await scene.play(
        services={"postgres": {}},
        steps=[
            {"run": {"command": [*command, "one"]}},
            {"wait": {"until": rows, "within": "20s"}},
            {"kill": {"component": "postgres"}},
            {"run": {"command": [*command, "lost"], "as": "away", "expect_exit": 1}},
            {"restart": {"component": "postgres"}},
            {"run": {"command": [*command, "two"]}},
        ],
        proof=[
            claim("rows", within="20s", table="workflow_comms.agent_messages", count=2),
            claim("table", "table", name="workflow_comms.agent_messages", columns={"content": "text"}),
            claim("process", "away", name="away", exit=1),
        ],
    )
    assert (result.outcome, result.failure) == ("passed", None)
    assert set(outcomes(result).values()) == {"passed"}


async def test_postgres_killed_for_good_says_so_and_the_next_play_has_it_again(scene: Scene) -> None:
    proof = [claim("table", name="workflow_comms.agent_messages")]
    parts: dict[str, Any] = {"services": {"postgres": {}}, "proof": proof}
    gone = await scene.play(**parts, steps=[{"kill": {"component": "postgres"}}])
    assert (gone.outcome, outcomes(gone)) == ("passed", {"it": "failed"})
    assert "Postgres" in of(gone).verdict.observed
    again = await scene.play(**parts)
    assert (again.outcome, outcomes(again)) == ("passed", {"it": "passed"})


async def test_services_that_are_not_there_cannot_be_killed(scene: Scene) -> None:
    result = await scene.play(
        services={"nats": {"streams": "none"}},
        steps=[{"publish": {"subject": "a.b", "text": "x", "core": True}}],
        proof=[claim("message", subject="a.b")],
    )
    assert result.outcome == "passed"
    assert len(result.ledger.of(MessageSeen)) == 1
