"""`agog backup` and `agog restore`: what they print, and their exit statuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.wire import streams as wire
from tests.cli.conftest import Agog

STREAMS = len(wire.STREAMS)
"""Those of the contract; the bucket of large reports comes with the first of them."""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("backup") / "postgres") as running:
        yield running


def test_there_and_back(here: Agog, postgres: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres.create_database("there_and_back")
    migrate(dsn)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO workflow_comms.agent_messages (content, timestamp, dedupe_key) VALUES ('a', now(), 'k')"
        )
    assert here("comms", "publish", "--channel", "general", "hello", "--agent-id", "roy").code == 0
    made = here("backup", tmp_path / "copy", "--postgres-dsn", dsn)
    assert (made.code, made.err) == (0, "")
    assert "workflow_comms.agent_messages: 1 row," in made.out
    assert made.out.rstrip().endswith("complete")

    again = here("backup", tmp_path / "copy", "--postgres-dsn", dsn)
    assert (again.code, again.err.count("\n")) == (2, 1)
    refused = here("restore", tmp_path / "copy", "--postgres-dsn", dsn)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "stream agent-comms (1 message), schema workflow_comms in Postgres" in refused.err
    assert "--force" in refused.err

    back = here("restore", tmp_path / "copy", "--postgres-dsn", dsn, "--force")
    assert back.code == 0
    assert f"restored {STREAMS} streams and 1 row " in back.out
    told = here("restore", tmp_path / "copy", "--postgres-dsn", dsn, "--force", "--json").json
    assert (told["rows"], len(told["streams"])) == (1, STREAMS)


def test_without_a_database_it_says_so(here: Agog, tmp_path: Path) -> None:
    done = here("backup", tmp_path / "copy", "--json")
    assert done.code == 0
    assert "Postgres is left out" in done.err
    assert (done.json["postgres"], done.json["tables"], len(done.json["streams"])) == (None, [], STREAMS)
    assert here("restore", tmp_path / "copy", "--only", "postgres", "--postgres-dsn", "host=127.0.0.1").code == 2


def test_a_backup_that_is_told_to_stop_leaves_nothing(here: Agog, tmp_path: Path) -> None:
    """It waits for a table that somebody has locked; then it is told to stop."""
    with PostgresServer(tmp_path / "postgres") as server:
        dsn = server.create_database("locked")
        migrate(dsn)
        with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as watcher:
            holder.execute("LOCK TABLE workflow_comms.agent_messages")
            command = [sys.executable, "-m", "pytest_agog", "backup", str(tmp_path / "copy"), "--postgres-dsn", dsn]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
                while not watcher.execute(
                    "SELECT FROM pg_stat_activity WHERE application_name = 'agog backup' AND wait_event_type = 'Lock'"
                ).fetchall():
                    assert process.poll() is None
                assert len([path for path in tmp_path.iterdir() if "partial" in path.name]) == 1
                process.terminate()
                holder.rollback()
                _, errors = process.communicate(timeout=30)
            assert (process.returncode, errors) == (130, "")
    assert not [path for path in tmp_path.iterdir() if "copy" in path.name]


@pytest.mark.parametrize(
    "arguments",
    [["backup"], ["backup", "copy", "--only", "disk"], ["backup", "copy", "--only", "postgres"],
     ["backup", "copy", "--postgres-dsn", "no dsn"], ["restore"], ["restore", "absent", "--only", "everything"]],
)  # fmt: skip
def test_wrong_usage_exits_2_in_one_line(
    agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = agog(*arguments)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_backup_exits_2(here: Agog, tmp_path: Path) -> None:
    done = here("restore", tmp_path / "absent")
    assert done.code == 2
    assert "there is no such folder" in done.err


def test_away_exits_3_and_leaves_nothing(agog: Agog, here: Agog, tmp_path: Path) -> None:
    done = here("backup", tmp_path / "copy", "--postgres-dsn", "postgresql://roy:hunter2@127.0.0.1:1/x")
    assert done.code == 3
    assert "hunter2" not in done.err
    assert agog("backup", tmp_path / "copy", "--nats-url", "nats://127.0.0.1:1").code == 3
    assert not [path for path in tmp_path.iterdir() if "copy" in path.name]
