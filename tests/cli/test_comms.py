"""`agog comms`: every option, and exit statuses that tell the truth."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from pytest_agog.stage.servers.nats import NatsOptions, NatsServer

AGOG = [sys.executable, "-c", "from pytest_agog.cli import main; main()", "comms"]
RUN = "agentrun.ci.build%2Ev1.u-1.agent.roy"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ARGO_TEMPLATE", "AGENT_ROLE", "WORKFLOW_STEP", "WORKFLOW_STAGE", "AGOG_SPOOL_MAX_BYTES"):
        monkeypatch.delenv(name, raising=False)
    named = {
        "WORKFLOW_NAME": "build.v1", "WORKFLOW_UID": "u-1", "WORKFLOW_NAMESPACE": "ci", "AGENT_ID": "roy",
        "RUN_ID": "r-1", "AGOG_SPOOL_DIR": str(tmp_path / "spool"),
    }  # fmt: skip
    for name, value in named.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("NATS_URL", url)
        yield url


def held(server: NatsServer) -> list[tuple[str, dict[str, Any]]]:
    """Subject and payload of all that the stream holds."""

    async def read() -> list[tuple[str, dict[str, Any]]]:
        client = Client()
        await client.connect(server.url)
        try:
            jetstream = client.jetstream()
            last = (await jetstream.stream_info("agent-comms")).state.last_seq
            messages = [await jetstream.get_msg("agent-comms", sequence) for sequence in range(1, last + 1)]
            return [(str(one.subject), json.loads(one.data or b"")) for one in messages]
        finally:
            await client.close()

    return asyncio.run(read())


def test_stored(here: Any, server: NatsServer) -> None:
    done = here("comms", "publish", "  hello\n  you\n")
    assert (done.code, done.err) == (0, "")
    [(subject, payload)] = held(server)
    assert subject == f"{RUN}.message"
    assert (payload["content"], payload["message_id"]) == ("  hello\n  you\n", done.out.strip())


def test_every_option_arrives(here: Any, server: NatsServer) -> None:
    done = here(
        "comms", "publish", "--content", "x", "--kind", "tool_result", "--channel", "side", "--publish-general",
        "--status", "auto", "--exit-code", "0", "--attrs-json", '{"a": 0, "b": null}', "--tool-json", '{"name": "ls"}',
        "--role", "tool", "--agent-id", "jen", "--run-id", "r-2", "--runtime", "argo", "--message-id", "m-1", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert done.json == {
        "message_id": "m-1", "stored": True, "copies": [
            {"subject": "argo.workflow.ci.build%2Ev1.u-1.agent.jen.tool_result", "stored": True,
             "stream": "agent-comms", "sequence": 1, "duplicate": False},
            {"subject": "argo.workflow.general.tool_result", "stored": True,
             "stream": "agent-comms", "sequence": 2, "duplicate": False},
        ],
        "counts": {"published": 1, "spooled": 0, "failed": 0},
    }  # fmt: skip
    first, second = (payload for _, payload in held(server))
    assert (first["channel"], second["channel"]) == ("side", "general")
    expected = {
        "message_id": "m-1", "kind": "tool_result", "status": "completed", "exit_code": 0, "role": "tool",
        "attrs": {"a": 0, "b": None}, "tool": {"name": "ls"}, "agent_id": "jen", "run_id": "r-2", "runtime": "argo",
    }  # fmt: skip
    assert {key: first[key] for key in expected} == expected


def test_where_the_content_comes_from(here: Any, server: NatsServer, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "c").write_bytes(b"```\r\n  file\r\n```\n")
    assert here("comms", "publish", "--content-file", tmp_path / "c").code == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b" stdin\n\n")))
    assert here("comms", "publish", "-").code == 0
    assert here("comms", "publish", "--kind", "status", "--status", "failed", "--exit-code", "9").code == 0
    assert here("comms", "publish", "--channel", "general", "all").code == 0
    assert [payload["content"] for _, payload in held(server)] == ["```\r\n  file\r\n```\n", " stdin\n\n", "", "all"]
    assert held(server)[3][0] == "agentrun.general.message"


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("a", "--content", "b"), ("a", "--log-file", "x"), ("a", "--until-pid", "1"), ("a", "--attrs-json", "[]"),
        ("a", "--tool-json", "{"), ("a", "--attrs-json", '{"a": NaN}'), ("a", "--role", "boss"),
        ("a", "--runtime", "docker"), ("a", "--kind", "a.b"), ("a", "--status", "auto"),
        ("a", "--status", "completed", "--exit-code", "1"), ("a", "--content-file", "absent"),
        ("--log-file", "x", "--message-id", "m"), ("a", "--agent-id", "a b"), ("--content-file", "absent"),
    ],
)  # fmt: skip
def test_wrong_usage(agog: Any, nowhere: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = agog("comms", "publish", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "spool").exists()


def test_nobody_says_who_speaks(agog: Any, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_ID")
    done = agog("comms", "publish", "x")
    assert (done.code, "AGENT_ID not set" in done.err) == (2, True)


def test_spooled_is_told_and_drained(agog: Any, here: Any, server: NatsServer, tmp_path: Path) -> None:
    server.kill()
    done = agog("comms", "publish", "one")
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert str(tmp_path / "spool") in done.err
    assert "agog comms drain" in done.err
    told = agog("comms", "publish", "two", "--spool-ok", "--json")
    assert (told.code, told.json["stored"], "connection refused" in told.json["copies"][0]["reason"]) == (
        0,
        False,
        True,
    )
    away = agog("comms", "drain")
    assert (away.code, "cannot be reached" in away.err) == (3, True)
    server.restart()
    assert agog("comms", "drain", "--json").json["delivered"] == 2
    assert agog("comms", "drain").out == "0 message(s) delivered\n"
    assert [payload["content"] for _, payload in held(server)] == ["one", "two"]


def test_the_spool_has_a_bound(agog: Any, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_SPOOL_MAX_BYTES", "50")
    done = agog("comms", "publish", "one", "--spool-ok")
    assert (done.code, "fit into 50" in done.err) == (1, True)


def test_refused_is_no_outage(agog: Any, server: NatsServer, tmp_path: Path) -> None:
    missing = agog("comms", "publish", "x", "--nats-url", server.url, "--patience", "0.2")
    assert (missing.code, "init-streams" in missing.err) == (1, True)
    creds = agog("comms", "publish", "x", "--nats-url", server.url, "--nats-creds", tmp_path / "none")
    assert (creds.code, "credentials file" in creds.err) == (2, True)


def test_too_large(agog: Any, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=3000)) as server:
        done = agog("comms", "publish", "x" * 4000, "--nats-url", server.url)
    assert done.code == 1
    assert "takes 3000" in done.err


def test_a_log_until_its_process_ends(here: Any, server: NatsServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen(["sh", "-c", f"read x; printf 'one\ntwo' > '{log}'"], stdin=subprocess.PIPE) as process:
        tail = subprocess.Popen(
            [*AGOG, "publish", "--log-file", str(log), "--until-pid", str(process.pid), "--json"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        process.communicate(b"go\n")
    out, _ = tail.communicate(timeout=60)
    assert tail.returncode == 0
    assert json.loads(out)["refused"] == 0
    found = held(server)
    assert "".join(payload["content"] for _, payload in found) == "one\ntwo"
    assert {subject for subject, _ in found} == {f"{RUN}.log"}


def test_a_log_until_its_marker_with_nats_away(agog: Any, nowhere: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\nDONE\n")
    done = agog("comms", "publish", "--log-file", tmp_path / "log", "--until-line", "DONE")
    assert (done.code, "1 message(s) wait" in done.err) == (3, True)


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*AGOG, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_step(here: Any, server: NatsServer) -> None:
    code = "import sys; sys.stdout.buffer.write(b'out\\xff\\n  in'); sys.stderr.write('err\\n'); sys.exit(7)"
    done = subprocess.run([*AGOG, "step", "--", sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\xff\n  in", b"err\n")
    found = held(server)
    assert [s for s, _ in found[:2]] == [f"{RUN}.run-started", "agentrun.general.run-started"]
    assert [s for s, _ in found[-2:]] == [f"{RUN}.status", "agentrun.general.status"]
    assert {(p["status"], p["exit_code"]) for _, p in found[-2:]} == {("failed", 7)}
    assert len({p["message_id"] for _, p in found[-2:]}) == 1
    logs = dict.fromkeys(("stdout", "stderr"), "")
    for subject, payload in found[2:-2]:
        assert subject == f"{RUN}.log"
        logs[payload["attrs"]["stream"]] += payload["content"]
    assert logs == {"stdout": "out\ufffd\n  in", "stderr": "err\n"}


def test_a_step_that_succeeds(here: Any, server: NatsServer) -> None:
    done = here("comms", "step", "--strict", "sh", "-c", "echo fine")
    assert (done.code, done.out, done.err) == (0, "fine\n", "")
    assert (held(server)[-1][1]["status"], held(server)[-1][1]["exit_code"]) == ("completed", 0)


def test_a_step_with_nats_away(agog: Any, nowhere: str) -> None:
    done = agog("comms", "step", "--", "sh", "-c", "echo out; exit 4")
    assert (done.code, done.out, done.err.count("\n")) == (4, "out\n", 1)
    assert "wait in" in done.err
    assert agog("comms", "step", "--", "true").code == 0
    assert agog("comms", "step", "--strict", "--", "true").code == 3


def test_a_step_without_an_identity_runs_all_the_same(agog: Any, nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_ID")
    done = agog("comms", "step", "--", "sh", "-c", "echo out; exit 4")
    assert (done.code, done.out, done.err.count("\n")) == (4, "out\n", 1)
    assert "AGENT_ID" in done.err
    assert agog("comms", "step", "--strict", "--", "sh", "-c", "echo out").out == ""


def test_a_step_that_cannot_start(here: Any, server: NatsServer) -> None:
    done = here("comms", "step", "--", "no-such-command-here")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert held(server)[-1][1]["status"] == "failed"


def test_a_step_hands_signals_on(here: Any, server: NatsServer) -> None:
    # Not a shell with a `sleep`: a signal between fork and exec of that child would leave it holding the pipe.
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(9)))\n"
        "print('up', flush=True)\n"
        "while True: signal.pause()"
    )
    with started("step", "--", sys.executable, "-c", program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (9, b"bye\n", b"")
    assert held(server)[-1][1]["exit_code"] == 9


def test_kill_9_in_mid_step_leaves_whole_messages(agog: Any, here: Any, server: NatsServer, tmp_path: Path) -> None:
    server.kill()
    program = "import os\nfor n in range(10**6): os.write(1, b'%d %s\\n' % (n, b'x' * 500))"
    with started("step", "--", sys.executable, "-c", program) as process:
        spool = tmp_path / "spool"
        assert process.stdout is not None
        while not any(path.stat().st_size > 10**6 for path in spool.glob("*.jsonl")):
            os.read(process.stdout.fileno(), 65_536)
        process.kill()
        process.stdout.close()
    server.restart()
    assert agog("comms", "drain").code == 0
    text = "".join(payload["content"] for subject, payload in held(server) if subject == f"{RUN}.log")
    lines = text.splitlines()
    assert [int(line.split()[0]) for line in lines[:-1]] == list(range(len(lines) - 1))
    assert len(lines) > 1000
