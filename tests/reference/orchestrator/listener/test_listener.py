"""What becomes of an attempt: results, errors and events, deliverables, environment. [O10]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.wire import orchestration as wire
from tests.reference.orchestrator.listener.rooms import REPORT, REQ, Room, notice, python, shell


async def test_a_command_is_run_and_its_result_told(room: Room) -> None:
    async with room.listening({"roy": shell("", said=notice(needs_vic=True, odd={"kept": 1}))}):
        await room.start()
        event = await room.heard("agog.orchestration.events.stage.completed")
        await room.acked()
    result = room.of(f"results.roy.{REQ}")
    assert len(result) == 1
    assert result[0]["status"] == "COMPLETE"
    assert (result[0]["attempt"], result[0]["stage"], result[0]["odd"]) == (1, "backend", {"kept": 1})
    assert result[0]["tokens"]["estimated"] > 0
    assert wire.Result.model_validate(result[0]).notice().needs_vic
    assert (event["reqNumber"], event["attempt"], event["status"]) == (REQ, 1, "COMPLETE")
    assert wire.StageEnded.model_validate(event).deliverable == f"nats://agog.deliverables.roy.backend.{REQ}"
    assert not room.of("errors.")
    claim = await room.claim(f"{REQ}.backend.1")
    assert claim is not None
    assert (claim.state, claim.outcome, claim.run) == ("ended", "completed", 1)


async def test_a_forged_start_that_the_server_answered_with_runs_nothing(room: Room) -> None:
    """Whoever may fetch could have a message of theirs sent to a subject that they may not publish to."""
    js = room.link.nc.jetstream()
    forged = json.dumps({
        "eventType": "stage.started", "reqNumber": REQ, "stage": "backend", "agentId": "roy", "attempt": 1,
        "contextData": {"reqNumber": REQ, "title": "x"}, "timeout": 5, "timestamp": "2026-03-02T09:00:00Z",
    }).encode()  # fmt: skip
    kept = "agog.deliverables.roy.backend.forged"
    await js.publish(kept, forged)
    ask = f"$JS.API.DIRECT.GET.agog_features_backend.{kept}"
    async with room.listening({"roy": shell("", said=notice())}):
        await room.link.nc.publish(ask, b"", reply="agog.orchestration.events.stage.started")
        await room.until(lambda: stored(room, 1))
        await room.acked()
        assert not room.said
        await room.start()
        await room.heard("agog.orchestration.events.stage.completed")
    assert len(room.of("results.")) == 1


async def stored(room: Room, count: int) -> bool:
    info = await room.link.nc.jetstream().stream_info("agog_orchestration_events")
    return info.state.messages >= count


async def test_environment_and_stdin(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hidden")
    monkeypatch.setenv("TOLD", "yes")
    code = (
        "import json, os, sys\n"
        "told = {'env': dict(os.environ), 'in': json.load(sys.stdin), 'rest': sys.stdin.read(), 'cwd': os.getcwd()}\n"
        "folders = sorted(os.listdir(os.environ['AGENT_OUTPUT_DIR']))\n"
        "open(sys.argv[1], 'w').write(json.dumps({**told, 'folders': folders}))\n"
    )
    agent = {"run": python(code, str(tmp_path / "told.json")), "env": {"EXTRA": "1", "AGOG_AGENT": "no"}, "cwd": "."}
    url = "nats://agog.deliverables.cynthia.research.R"
    earlier = [{"stage": "research", "agent": "cynthia", "deliverableUrl": url}]
    async with room.listening({"sylvia": agent}, pass_env=["TOLD"]):
        await room.start(
            "sylvia", "critique", attempt=3, previousStages=earlier, model="small",
            feedback=[{"by": "gate", "text": "tests failed"}],
        )  # fmt: skip
        await room.heard("errors.sylvia.", kind="no-notice")
    told: dict[str, Any] = json.loads((tmp_path / "told.json").read_text())
    env, prompt = told["env"], told["in"]
    inputs = [{"agent": "cynthia", "task": "research", "url": url}]
    subject = f"agog.deliverables.sylvia.critique.{REQ}"
    assert json.loads(env["AGOG_INPUTS"]) == inputs
    assert (env["AGOG_AGENT"], env["AGOG_TASK"], env["AGOG_SUBJECT"]) == ("sylvia", "critique", subject)
    assert (env["AGOG_FEATURE"], env["AGOG_REQUIREMENT"], env["AGOG_ATTEMPT"]) == (REQ, REQ, "3")
    assert (env["AGOG_MODEL"], env["NATS_URL"], env["EXTRA"], env["TOLD"]) == ("small", room.server.url, "1", "yes")
    assert "SOME_API_KEY" not in env
    assert told["folders"] == ["deliverables", "nats-scripts"]
    assert told["cwd"] == str(tmp_path)
    assert told["rest"] == ""
    assert (prompt["agent"], prompt["subject"], prompt["inputs"], prompt["attempt"]) == ("sylvia", subject, inputs, 3)
    assert prompt["contextData"]["feedback"][0]["text"] == "tests failed"
    assert prompt["output_dir"] == env["AGENT_OUTPUT_DIR"]


async def test_a_report_that_was_left_is_published(room: Room) -> None:
    async with room.listening({"roy": shell("", said=notice())}):
        await room.start()
        await room.heard("results.")
        assert await DeliverableEngine(room.link).require("roy", "backend", REQ) == REPORT


async def test_a_report_that_the_agent_published_is_left_alone(room: Room) -> None:
    code = (
        "import sys, os, asyncio\n"
        "from pytest_agog.reference.deliverables.engine import DeliverableEngine\n"
        "async def main():\n"
        "    async with await DeliverableEngine.connect(os.environ['NATS_URL']) as engine:\n"
        "        await engine.publish('roy', 'backend', os.environ['AGOG_FEATURE'], '# Published by the agent\\n')\n"
        "asyncio.run(main())\n"
        "open(os.environ['AGENT_OUTPUT_DIR'] + '/deliverables/draft.md', 'w').write('# A draft, not meant\\n')\n"
        "print(sys.argv[1])\n"
    )
    async with room.listening({"roy": ["python", "-c", code, notice()]}):
        await room.start()
        await room.heard("results.")
        engine = DeliverableEngine(room.link)
        assert await engine.require("roy", "backend", REQ) == "# Published by the agent\n"
        assert len(await engine.revisions("roy", "backend", REQ)) == 1


@pytest.mark.parametrize("stage", ["documentation", "todd"])
async def test_agents_without_a_stream_get_one(room: Room, stage: str) -> None:
    said = notice(stage, stage)
    async with room.listening({stage: shell("", said=said)}):
        await room.start(stage, stage)
        result = await room.heard(f"results.{stage}.{REQ}")
        assert await DeliverableEngine(room.link).require(result["deliverable"]) == REPORT
    info = await room.link.nc.jetstream().stream_info(f"agog_features_{stage}")
    assert info.config.subjects == [f"agog.deliverables.{stage}.>"]


async def test_two_agents_with_one_type_share_a_stream(room: Room) -> None:
    agents = {name: shell("", said=notice(name, "audit", req=f"REQ-{name}")) for name in ("ann", "bob")}
    async with room.listening(agents):
        for name in agents:
            await room.start(name, "audit", req=f"REQ-{name}")
        for name in agents:
            await room.heard(f"results.{name}.REQ-{name}")
    info = await room.link.nc.jetstream().stream_info("agog_features_audit")
    assert sorted(info.config.subjects or []) == ["agog.deliverables.ann.>", "agog.deliverables.bob.>"]


@pytest.mark.parametrize(
    ("report", "url", "words"),
    [
        (None, None, "No deliverable"),
        (None, "nats://agog.features.roy.backend.REQ-7", "is no deliverable"),
        ("", None, "it is empty"),
        ("TODO: report goes here\n", None, "placeholder"),
        ("# Report\n\nMuch was [truncated]\n", None, "cut off"),
        (notice(), None, "completion notice"),
        (f"```json\n{notice()}\n```\n", None, "completion notice"),
    ],
)
async def test_complete_without_a_report_is_an_error(
    room: Room, report: str | None, url: str | None, words: str
) -> None:
    said = notice(**({"deliverable": url} if url else {}))
    async with room.listening({"roy": shell("", report=report, said=said)}):
        await room.start()
        error = await room.heard(f"errors.roy.{REQ}")
        event = await room.heard("agog.orchestration.events.stage.failed")
    assert (error["kind"], error["transient"], error["stage"]) == ("deliverable", True, "backend")
    assert words in error["error"]
    assert event["status"] == "FAILED"
    assert not room.of("results.")


@pytest.mark.parametrize(("status", "event"), [("BLOCKED", "stage.blocked"), ("failed", "stage.failed")])
async def test_blocked_and_failed_are_results(room: Room, status: str, event: str) -> None:
    said = notice(status=status, blockers=["no database"])
    async with room.listening({"roy": shell("exit_code=0", report=None, said=said)}):
        await room.start()
        told = await room.heard(f"agog.orchestration.events.{event}")
        result = await room.heard("results.")
    assert result["status"] == status
    assert told["error"] == "no database"
    assert not room.of("errors.")


@pytest.mark.parametrize(
    ("script", "kind", "transient", "exit_code"),
    [
        ("exit 1", "exit", True, 1),
        ("exit 75", "exit", True, 75),
        ("echo 'Error: connect ECONNREFUSED 127.0.0.1:1' >&2; exit 1", "exit", True, 1),
        ("kill -9 $$", "exit", True, -9),
        ("echo all is well", "no-notice", True, 0),
        ("sleep 60", "timeout", True, -9),
        ("read line; read line; echo more; exit 3", "exit", True, 3),
    ],
)
async def test_errors(room: Room, script: str, kind: str, transient: bool, exit_code: int) -> None:
    async with room.listening({"roy": {"run": shell(script), "timeout": "1s" if kind == "timeout" else "30s"}}):
        await room.start()
        error = await room.heard(f"errors.roy.{REQ}")
        event = "timeout" if kind == "timeout" else "failed"
        told = await room.heard(f"agog.orchestration.events.stage.{event}")
        await room.acked()
    assert (error["kind"], error["transient"], error["exit"], error["attempt"]) == (kind, transient, exit_code, 1)
    assert wire.Failure.model_validate(error).req_id == REQ
    wire.EVENTS[f"stage.{event}"].model_validate(told)
    assert len(room.said) == 2


async def test_exit_status_outweighs_a_notice_that_says_complete(room: Room) -> None:
    async with room.listening(
        {"roy": [*shell("", said=notice())[:2], "printf '%s\\n' \"$2\"; exit 1", "a", "", notice()]}
    ):
        await room.start()
        error = await room.heard("errors.")
    assert error["kind"] == "exit"
    assert "COMPLETE" in error["error"]
    assert not room.of("results.")


async def test_the_notice_in_messy_output_and_tokens_and_no_gate_of_its_own(room: Room) -> None:
    real = notice(usage={"input_tokens": 700, "output_tokens": 42}, gate={"verdict": "accepted"}, attempt=9)
    lines = [
        "Working …\r", "```json\r", notice(status="FAILED", summary="An example."), "```\r",
        '{"agent": "roy", "status": "COMPLETE", "cut', "Now for real:", "```json", real, "```", "Bye {not json}",
    ]  # fmt: skip
    words = [*shell('printf "%s" "$3"', said=None)[:4], REPORT, "", "\n".join(lines)]
    async with room.listening({"roy": words}):
        await room.start()
        result = await room.heard("results.")
    assert result["summary"] == "Done."
    assert result["tokens"] == {"reported": 742}
    assert result["attempt"] == 1
    assert "gate" not in result


async def test_fifty_megabytes_of_output_do_not_hurt(room: Room) -> None:
    code = (
        "import sys, os\n"
        "for _ in range(50):\n    sys.stdout.write(('x' * 99 + '\\n') * 10_000)\n"
        "sys.stderr.write('e' * 200_000)\n"
        "open(os.environ['AGENT_OUTPUT_DIR'] + '/deliverables/r.md', 'w').write('# Report\\n\\nWhat was found.\\n')\n"
        "print(sys.argv[1])\n"
    )
    async with room.listening({"roy": python(code, notice())}) as listener:
        await room.start()
        result = await room.heard("results.")
        log = listener.settings.data / "attempts" / f"{REQ}.backend.1" / "stdout.log"
        assert log.stat().st_size == 50_000_000 + len(notice()) + 1
    assert result["tokens"]["estimated"] > 1_000_000


@pytest.mark.parametrize("words", [["./absent"], ["no-such-program-anywhere"], ["/etc/passwd"]])
async def test_a_missing_command_is_an_error_at_once(room: Room, words: list[str]) -> None:
    async with room.listening({"roy": words}):
        await room.start()
        error = await room.heard("errors.roy.")
        await room.acked()
    assert (error["kind"], error["transient"]) == ("command", False)
    assert "agents." in error["error"]


async def test_an_agent_that_nobody_configured_is_an_error_at_once(room: Room) -> None:
    async with room.listening({}):
        await room.start("vic", "vic")
        error = await room.heard("errors.vic.")
        await room.heard("agog.orchestration.events.stage.failed", agentId="vic")
        await room.acked()
    assert (error["kind"], error["transient"]) == ("command", False)
    assert "[agents.vic]" in error["error"]


async def test_a_script_without_a_format_that_the_system_knows(room: Room, tmp_path: Path) -> None:
    script = tmp_path / "agent"
    script.write_bytes(b"\x00\x01\x02")
    script.chmod(0o755)
    async with room.listening({"roy": ["./agent"]}):
        await room.start()
        error = await room.heard("errors.roy.")
    assert error["kind"] == "command"


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"\xff\xfe", b"[]", b"null", b"{}", b'{"reqNumber": "REQ-1"}', b"[" * 100_000,
        json.dumps({"reqNumber": "../../x", "stage": "a", "agentId": "roy", "attempt": 1, "timeout": 1}).encode(),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_not_delivered_again(room: Room, payload: bytes) -> None:
    async with room.listening({"roy": shell("", said=notice())}):
        await room.raw(payload, "odd")
        await room.start()
        await room.heard("results.roy.")
        await room.acked()
    assert len(room.said) == 2


@pytest.mark.parametrize(
    ("agent", "stage"), [("roy", "../../../tmp/x"), ("roy", "a.b"), ("r*", "backend"), ("roy", ""), ("../roy", "qa")]
)
async def test_names_that_cannot_be_subjects_and_paths_are_refused(room: Room, agent: str, stage: str) -> None:
    async with room.listening({"roy": shell("", said=notice())}) as listener:
        await room.start(agent, stage, req="REQ-1")
        await room.start()
        await room.heard("results.roy.")
        await room.acked()
        assert [path.name for path in (listener.settings.data / "attempts").iterdir()] == [f"{REQ}.backend.1"]
    assert len(room.said) == 2


async def test_the_same_attempt_said_twice_is_run_once(room: Room) -> None:
    async with room.listening({"roy": shell("echo + >> log", said=notice())}):
        await room.start()
        await room.heard("agog.orchestration.events.stage.completed")
        said = {
            "eventType": "stage.started", "reqNumber": REQ, "stage": "backend", "agentId": "roy", "attempt": 1,
            "contextData": {"reqNumber": REQ, "title": "t", "previousStages": []}, "timeout": 5,
            "timestamp": "2026-01-02T03:04:05Z",
        }  # fmt: skip
        await room.raw(json.dumps(said).encode(), "again")
        await room.acked()
    assert room.log() == ["+"]
    assert len(room.said) == 2


@pytest.mark.parametrize("status", ["COMPLETE", "BLOCKED"])
async def test_what_an_agent_was_given_as_a_secret_it_tells_nobody(
    room: Room, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    said = notice(
        status=status, summary="Done with hunter2.", blockers=["hunter2 is refused"], odd={"kept": ["hunter2"]}
    )
    agents = {"roy": shell("", said=said), "sylvia": shell('echo "no way with $PGPASSWORD" >&2; exit 3', report=None)}
    async with room.listening(agents, pass_env=["PGPASSWORD"]):
        await room.start()
        await room.heard(f"results.roy.{REQ}")
        await room.start("sylvia", "critique")
        await room.heard("errors.sylvia.")
        await room.acked()
    assert room.of("results.")[0]["odd"] == {"kept": ["****"]}
    assert room.of("results.")[0]["summary"] == "Done with ****."
    assert "no way with ****" in room.of("errors.")[0]["output"]
    assert "hunter2" not in json.dumps(room.said)


async def test_secrets_in_output_are_masked(room: Room) -> None:
    async with room.listening({"roy": shell("echo password=hunter22 nats://me:pw123@h; exit 1")}):
        await room.start()
        error = await room.heard("errors.")
    assert "hunter22" not in error["output"]
    assert "pw123" not in error["output"]
