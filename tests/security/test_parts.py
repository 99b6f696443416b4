"""The parts of the reference, each its own process and its own user, do their whole work over TLS."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.security.conftest import PATIENCE, Guarded

AGENT = """\
import json, os, pathlib, subprocess, sys
prompt = json.load(sys.stdin)
folder = pathlib.Path(os.environ["AGENT_OUTPUT_DIR"])
shown = {name: value for name, value in os.environ.items() if name.startswith("NATS")}
(pathlib.Path(sys.argv[1]) / "shown.json").write_text(json.dumps({"environment": shown, "prompt": prompt}))
report = folder / "report.md"
report.write_text("# Lots\\n\\n## What was built\\n\\nAn endpoint, tried by hand.\\n")
words = ["agog", "publish", os.environ["AGOG_AGENT"], os.environ["AGOG_TASK"], os.environ["AGOG_FEATURE"], str(report)]
subprocess.run(words, check=True, stdout=sys.stderr)
print(json.dumps({"agent": os.environ["AGOG_AGENT"], "req_number": os.environ["AGOG_REQUIREMENT"],
                  "status": "COMPLETE", "deliverable": "nats://" + os.environ["AGOG_SUBJECT"], "summary": "Built it"}))
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("secured") / "postgres") as running:
        yield running


def agog(environment: Mapping[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "pytest_agog", *arguments], capture_output=True, text=True, env=environment,
        input=stdin, timeout=PATIENCE, check=False,
    )  # fmt: skip


@contextmanager
def running(environment: Mapping[str, str], *arguments: str, cwd: Path) -> Iterator[dict[str, Any]]:
    """A command that runs until it is told to stop; its ready line. It must have nothing to complain of."""
    words = [sys.executable, "-m", "pytest_agog", *arguments, "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)
        finally:
            process.terminate()
            try:
                _, errors = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert (process.returncode, errors) == (0, "")


async def test_comms_are_stored_by_jangar_and_published_by_agents(
    guarded: Guarded, postgres: PostgresServer, tmp_path: Path
) -> None:
    async with guarded.linked("system") as system:
        await init_streams(system)
    dsn = postgres.create_database(f"secured_{uuid4().hex[:12]}")
    jangar = guarded.whole_environment("jangar") | {"DATABASE_URL": dsn}
    agents = guarded.whole_environment("agents") | {
        "WORKFLOW_NAME": "flow", "WORKFLOW_NAMESPACE": "ns", "WORKFLOW_UID": "uid-1", "AGENT_ID": "roy",
        "AGOG_SPOOL_DIR": str(tmp_path / "spool"),
    }  # fmt: skip
    with running(jangar, "serve", "--port", "0", cwd=tmp_path):
        done = await asyncio.to_thread(agog, agents, "comms", "publish", "Hello there")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        with psycopg.connect(dsn, autocommit=True) as connection:
            async with asyncio.timeout(PATIENCE):
                query = "SELECT agent_id, content FROM workflow_comms.agent_messages"
                while connection.execute(query).fetchall() != [("roy", "Hello there")]:  # noqa: ASYNC110 - nothing notifies
                    await asyncio.sleep(0.02)
        async with guarded.linked("system") as system:  # and acknowledged
            async with asyncio.timeout(PATIENCE):
                while True:
                    subject = "$JS.API.CONSUMER.INFO.agent-comms.jangar-agent-comms"
                    info = json.loads((await system.request(subject)).data)
                    if (info["num_ack_pending"], info["num_pending"]) == (0, 0):
                        break
                    await asyncio.sleep(0.02)
    postgres.drop_database(dsn.rpartition("/")[2].partition("?")[0])


@pytest.mark.parametrize("size", [1_000, 13_000_000])
async def test_agents_publish_and_read_reports_of_any_size(guarded: Guarded, tmp_path: Path, size: int) -> None:
    async with guarded.linked("system") as system:
        await init_streams(system)
    agents = guarded.whole_environment("agents")
    report = "# Lots\n\n## Part\n\n" + "word " * (size // 5)
    (tmp_path / "report.md").write_text(report)
    done = agog(agents, "publish", "roy", "backend", "REQ-1", str(tmp_path / "report.md"))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    fetched = agog(agents, "fetch", "roy", "backend", "REQ-1")
    assert (fetched.returncode, fetched.stderr) == (0, "")
    assert fetched.stdout == report
    # What it may not do ends in one line.
    refused = agog(agents, "init-streams", "--update")
    assert refused.returncode in (1, 3)
    assert "Permissions Violation" in refused.stderr or "refused" in refused.stderr
    assert refused.stderr.count("\n") == 1


async def test_work_is_done_by_system_and_agents_get_their_own_credentials(guarded: Guarded, tmp_path: Path) -> None:
    async with guarded.linked("system") as system:
        await init_streams(system)
    (tmp_path / "agent.py").write_text(AGENT)
    command = json.dumps(["python", str(tmp_path / "agent.py"), str(tmp_path)])
    (tmp_path / "agog.toml").write_text(f"[agents.roy]\nrun = {command}\n[agents.review]\nrun = {command}\n")
    (tmp_path / "roadmap.md").write_text("### REQ-1: Lots\n\n- Status: Pending\n- Agent: roy\n")
    own = guarded.whole_environment("system")
    theirs = guarded.environment("agents")
    told = {
        "AGOG_AGENT_NATS_URL": theirs["NATS_URL"], "AGOG_AGENT_NATS_CREDS": theirs.get("NATS_CREDS", ""),
        "AGOG_AGENT_NATS_NKEY": theirs.get("NATS_NKEY", ""),
    }  # fmt: skip
    listener = own | {name: value for name, value in told.items() if value}
    with ExitStack() as stack:
        gate = {"AGOG_GATE_DIR": str(tmp_path / "gate")}
        stack.enter_context(running(own | gate, "orchestrate", "--roadmap", "roadmap.md", cwd=tmp_path))
        stack.enter_context(running(listener, "listen", cwd=tmp_path))
        async with asyncio.timeout(PATIENCE):
            while "- Status: Complete" not in (tmp_path / "roadmap.md").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    shown = json.loads((tmp_path / "shown.json").read_text())
    expected = {name: theirs[name] for name in ("NATS_URL", "NATS_CREDS", "NATS_NKEY", "NATS_CA") if name in theirs}
    assert shown["environment"] == expected
    assert shown["prompt"]["nats_url"] == guarded.server.url
    secret = guarded.issued.identities["system"].password
    assert secret is None or secret not in (tmp_path / "shown.json").read_text()


async def test_agents_of_a_listener_without_credentials_for_them_get_none(guarded: Guarded, tmp_path: Path) -> None:
    async with guarded.linked("system") as system:
        await init_streams(system)
        shown = tmp_path / "shown.json"
        script = (
            "import json, os, sys; print(json.dumps({n: v for n, v in os.environ.items() if 'NATS' in n}), "
            "file=open(sys.argv[1], 'w'))"
        )
        command = json.dumps(["python", "-c", script, str(shown)])
        settings = f'[agents.roy]\nrun = {command}\n[listener]\npass_env = ["NATS_URL", "NATS_CREDS", "NATS_NKEY"]\n'
        (tmp_path / "agog.toml").write_text(settings)
        (tmp_path / "roadmap.md").write_text("### REQ-1: Lots\n\n- Status: Pending\n- Agent: roy\n")
        own = guarded.whole_environment("system") | {"AGOG_GATE_DIR": str(tmp_path / "gate")}
        with ExitStack() as stack:
            stack.enter_context(running(own, "orchestrate", "--roadmap", "roadmap.md", cwd=tmp_path))
            stack.enter_context(running(own, "listen", cwd=tmp_path))
            async with asyncio.timeout(PATIENCE):
                while not (shown.exists() and shown.read_text()):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
    assert json.loads(shown.read_text()) == {
        "NATS_URL": guarded.server.url, "NATS_CA": str(guarded.certificates.ca),
    }  # fmt: skip
