from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import pytest

from pytest_agog.cli import diagnosis
from pytest_agog.reference.comms.migrating import migrate
from pytest_agog.reference.orchestrator.memory.database import SERIES
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer

NOWHERE = "nats://127.0.0.1:1"


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("doctor") / "postgres") as server:
        yield server


def checks(done: Any) -> dict[str, dict[str, Any]]:
    return {check["check"]: check for check in done.json["checks"]}


def test_all_is_well(here: Any, postgres: PostgresServer) -> None:
    dsn = postgres.create_database(f"doctor_{uuid4().hex[:12]}")
    migrate(dsn)
    done = here("doctor", "--postgres-dsn", dsn, "--json")
    assert done.code == 0
    found = checks(done)
    assert done.json["ok"] is True
    for name in ("nats", "max_payload", "jetstream", "streams", "postgres", "migrations"):
        assert found[name]["outcome"] == "ok", found[name]
    assert (found["state"]["outcome"], found["memory"]["outcome"]) == ("note", "note")
    plain = here("doctor", "--postgres-dsn", dsn)
    assert "[ok] streams: all 15" in plain.out
    assert dsn not in plain.out  # it holds a password


def test_it_looks_at_what_the_orchestrator_keeps(here: Any, server: NatsServer, postgres: PostgresServer) -> None:
    dsn = postgres.create_database(f"doctor_{uuid4().hex[:12]}")
    migrate(dsn, SERIES)

    async def store() -> None:
        client = await nats.connect(server.url)
        bucket = await client.jetstream().create_key_value(bucket="agog_state")
        await bucket.put("requirement.REQ-1", b"{}")
        await client.close()

    asyncio.run(store())
    found = checks(here("doctor", "--postgres-dsn", dsn, "--json"))
    assert found["memory"] == {
        "check": "memory", "outcome": "ok", "found": "the schema agog_memory is up to date", "remedy": None,
    }  # fmt: skip
    assert found["state"]["found"] == "the bucket agog_state holds 1 key"


def test_nobody_there(agog: Any) -> None:
    done = agog("doctor", "--nats-url", NOWHERE, "--postgres-dsn", "postgresql://me:secret@127.0.0.1:1/x", "--json")
    assert done.code == 3
    found = checks(done)
    assert found["nats"]["outcome"] == found["postgres"]["outcome"] == "unreachable"
    assert "NATS_URL" in found["nats"]["found"]
    assert "secret" not in done.out


def test_streams_that_are_absent_or_differ(server: NatsServer, agog: Any) -> None:
    absent = agog("doctor", "--nats-url", server.url)
    assert absent.code == 1
    assert "Create it with `agog init-streams`." in absent.out
    agog("init-streams", "--nats-url", server.url, "--agent", "rob=backend")
    done = agog("doctor", "--nats-url", server.url, "--json")
    assert done.code == 1
    wrong = checks(done)["stream agog_features_backend"]
    assert "subjects is" in wrong["found"]
    assert "--update" in wrong["remedy"]


def test_a_small_max_payload(tmp_path: Path, agog: Any) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=1_000_000)) as server:
        agog("init-streams", "--nats-url", server.url)
        done = agog("doctor", "--nats-url", server.url, "--json")
    assert done.code == 1
    found = checks(done)["max_payload"]
    assert found["outcome"] == "failed"
    assert "1000000" in found["found"]
    assert "max_payload: 12000000" in found["remedy"]


def test_a_database_that_is_not_migrated(here: Any, postgres: PostgresServer) -> None:
    dsn = postgres.create_database(f"doctor_{uuid4().hex[:12]}")
    done = here("doctor", "--postgres-dsn", dsn, "--json")
    assert done.code == 1
    assert "0001_agent_messages.sql" in checks(done)["migrations"]["found"]


def test_a_port_in_use_is_a_note(agog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(diagnosis, "PORTS", {port: "something"})
        ports = checks(agog("doctor", "--nats-url", NOWHERE, "--json"))["ports"]
        assert ports["outcome"] == "note"
        assert f"{port} (something)" in ports["found"]


def test_container_engines(agog: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert checks(agog("doctor", "--nats-url", NOWHERE, "--json"))["containers"]["outcome"] == "note"
    for code, outcome in ((0, "ok"), (1, "note")):
        (tmp_path / "docker").write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / "docker").chmod(0o755)
        assert checks(agog("doctor", "--nats-url", NOWHERE, "--json"))["containers"]["outcome"] == outcome
