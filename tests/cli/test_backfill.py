"""`agog backfill` on a real Postgres; no NATS is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from pytest_agog.stage.servers.postgres import PostgresServer
from tests.cli.conftest import Agog

SAMPLES = Path(__file__).parents[2] / "fixtures" / "codex"
NAMES = ("RUN_ID", "WORKFLOW_UID", "WORKFLOW_NAME", "WORKFLOW_NAMESPACE", "WORKFLOW_STEP", "WORKFLOW_STAGE", "AGENT_ID")


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("backfill") / "postgres") as server:
        yield server


@pytest.fixture
def dsn(postgres: PostgresServer) -> str:
    return postgres.create_database(f"backfill_{uuid4().hex[:12]}")


def test_a_run_is_there_though_nothing_arrived(agog: Agog, dsn: str) -> None:
    told = agog("backfill", "--dir", SAMPLES / "good", "--run-id", "run-1", "--postgres-dsn", dsn, "--json")
    assert (told.code, told.err) == (0, "")
    assert (told.json["found"], told.json["present"], told.json["stored"], told.json["rejected"]) == (35, 0, 35, 0)
    assert (told.json["run_id"], told.json["agent_id"]) == ("run-1", "codex")
    again = agog("backfill", "--dir", SAMPLES / "good", "--run-id", "run-1", "--postgres-dsn", dsn)
    assert again.out == (
        "run run-1, agent codex: 35 messages found in .codex-implementation-events.jsonl, 35 already there, 0 stored, "
        "0 rejected\n"
    )
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone() == (35,)


def test_the_environment_says_who(agog: Agog, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"RUN_ID": "r", "WORKFLOW_UID": "u", "WORKFLOW_NAME": "w.x", "WORKFLOW_NAMESPACE": "n", "AGENT_ID": "roy"}
    for name, value in {**said, "DATABASE_URL": dsn}.items():
        monkeypatch.setenv(name, value)
    told = agog("backfill", "--dir", SAMPLES / "failed", "--json").json
    keys = ("run_id", "workflow_uid", "workflow_name", "workflow_namespace", "agent_id")
    assert [told[key] for key in keys] == list(said.values())


def test_bad_lines_are_listed(agog: Agog, dsn: str) -> None:
    told = agog("backfill", "--dir", SAMPLES / "torn", "--postgres-dsn", dsn)
    assert told.code == 0
    assert [line.split()[1] for line in told.out.splitlines()[1:]] == ["5", "7", "8", "9", "10", "12", "15"]


def test_what_cannot_be_stored_is_told(agog: Agog, dsn: str) -> None:
    told = agog("backfill", "--dir", SAMPLES / "hostile", "--postgres-dsn", dsn)
    assert told.code == 1
    assert "\nrejected: line 9: not-json" in told.out


def test_a_dry_run_changes_nothing(agog: Agog, dsn: str) -> None:
    command = ("backfill", "--dir", SAMPLES / "good", "--postgres-dsn", dsn, "--dry-run")
    assert agog(*command).code == 2  # no tables, and a dry run makes none
    assert agog("backfill", "--dir", SAMPLES / "plain", "--postgres-dsn", dsn).code == 0
    told = agog(*command, "--json").json
    assert (told["found"], told["stored"], told["dry_run"]) == (35, 35, True)
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM workflow_comms.agent_messages WHERE run_id = 'good'").fetchone()
    assert row == (0,)


def test_bad_input(agog: Agog, dsn: str, tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds neither"), (tmp_path / "missing", "no folder")):
        told = agog("backfill", "--dir", folder, "--postgres-dsn", dsn)
        assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
        assert words in told.err
    assert agog("backfill", "--dir", SAMPLES / "good", "--agent-id", "a.b", "--postgres-dsn", dsn).code == 2
    assert agog("backfill", "--dir", SAMPLES / "good").code == 2
    assert agog("backfill", "--postgres-dsn", dsn).code == 2


def test_nobody_there(agog: Agog) -> None:
    told = agog("backfill", "--dir", SAMPLES / "good", "--postgres-dsn", "postgresql://me:hush@127.0.0.1:1/agog")
    assert (told.code, told.err.count("\n")) == (3, 1)
    assert "hush" not in told.err


def test_not_a_dsn(agog: Agog) -> None:
    told = agog("backfill", "--dir", SAMPLES / "good", "--postgres-dsn", "what=ever")
    assert (told.code, told.err.count("\n")) == (2, 1)
