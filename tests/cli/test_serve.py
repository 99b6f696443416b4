"""`agog serve` as a process: one ready line, messages stored, a clean stop, one line for what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import nats
import psycopg
import pytest

from pytest_agog.cli.serve import TIMES
from pytest_agog.reference.operations.logs import stamp
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from tests.cli.conftest import Agog

PATIENCE = 30


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("serve") / "postgres") as running:
        yield running


@pytest.fixture
def dsn(postgres: PostgresServer) -> Iterator[str]:
    name = f"serve_{uuid4().hex[:12]}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "pytest_agog", "serve", "--json", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("NATS_URL", "DATABASE_URL")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def first_line(process: subprocess.Popen[str]) -> dict[str, str | None]:
    assert process.stdout is not None
    ready: dict[str, str | None] = json.loads(process.stdout.readline())
    return ready


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_stores_until_it_is_told_to_stop(server: NatsServer, dsn: str, number: signal.Signals) -> None:
    with serving("--nats-url", server.url, "--postgres-dsn", dsn, "--workers", "2") as process:
        ready = first_line(process)
        assert ready["nats"] == server.url
        assert "****" in str(ready["postgres"])
        client = await nats.connect(server.url)
        for each in range(20):
            await client.jetstream().publish(
                "argo.workflow.general.status", b'{"id": "%d", "status": "running"}' % each
            )
        await client.close()
        with psycopg.connect(dsn, autocommit=True) as connection:
            async with asyncio.timeout(PATIENCE):
                while connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone() != (20,):  # noqa: ASYNC110 - nothing notifies
                    await asyncio.sleep(0.02)
        process.send_signal(number)
        out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, errors) == (0, "", "")


async def test_waits_for_servers_that_are_away_and_says_so_once(server: NatsServer, dsn: str) -> None:
    server.kill()
    with serving("--nats-url", server.url, "--postgres-dsn", dsn, "--no-http") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("agog: nats: NATS at nats://127.0.0.1")
        assert "agog up --only nats" in line
        server.restart()
        assert first_line(process)["nats"] == server.url
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, errors) == (0, "agog: nats: works again\n")


def test_lines_begin_with_their_time_when_logs_are_gathered(
    server: NatsServer, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TIMES, "1")
    server.kill()
    with serving("--nats-url", server.url, "--postgres-dsn", dsn) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert stamp(line) is not None
    assert "Z agog: nats: NATS at " in line


def test_told_to_stop_before_it_is_ready(server: NatsServer, dsn: str) -> None:
    server.kill()
    with serving("--nats-url", server.url, "--postgres-dsn", dsn) as process:
        assert process.stderr is not None
        assert process.stderr.readline()
        process.terminate()
        out, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "")


async def test_patience_ends(server: NatsServer, dsn: str) -> None:
    server.kill()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "pytest_agog", "serve", "--nats-url", server.url, "--postgres-dsn", dsn,
         "--patience", "300ms", "--no-http"],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("agog: not ready within 0.3 s: nats: NATS at nats://127.0.0.1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--no-ingest", "--no-http", "--postgres-dsn", "dbname=x"], "leave nothing to do"),
        ([], "--postgres-dsn or DATABASE_URL"),
        (["--postgres-dsn", "not a dsn"], "is no connection string of Postgres"),
        (["--postgres-dsn", "dbname=x", "--retention", "7d"], "30d to 90d"),
        (["--postgres-dsn", "dbname=x", "--retention", "soon"], "expected a duration"),
    ],
)
def test_wrong_usage(agog: Agog, arguments: list[str], words: str) -> None:
    done = agog("serve", *arguments)
    assert done.code == 2
    assert words in done.err


def test_an_altered_migration_is_told(server: NatsServer, dsn: str) -> None:
    from pytest_agog.reference.comms.migrating import migrate

    migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE workflow_comms.schema_migrations SET digest = 'other'")
    with serving("--nats-url", server.url, "--postgres-dsn", dsn) as process:
        assert process.stderr is not None
        assert "was applied to" in process.stderr.readline()
