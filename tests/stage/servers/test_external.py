"""External services: taken in turns, never purged, a database of one's own, and clear words when they are away."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_agog.errors import (
    JetStreamDisabled,
    NatsUnreachable,
    PostgresUnreachable,
    ServiceBusy,
    TurnLost,
    UsageError,
)
from pytest_agog.stage.connect import connect_nats
from pytest_agog.stage.machine.reservation import ReservedPort
from pytest_agog.stage.servers.external import ExternalNats, ExternalPostgres, last_sequences
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.pgcache import Template
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.stage.servers.turns import BUCKET, KEY, Turn


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def used(nats: NatsServer) -> str:
    """The address of a server that somebody already used."""
    client = await connect_nats(nats.url)
    await client.jetstream().add_stream(name="old", subjects=["old.>"])
    for number in range(3):
        await client.jetstream().publish(f"old.{number}", b"x")
    await client.close()
    return nats.url


async def test_what_was_there_is_the_baseline_and_stays(used: str) -> None:
    async with ExternalNats(used) as external:
        assert external.baseline["old"] == 3
        assert external.version.startswith("2.")
        assert external.max_payload > 0
        with pytest.raises(UsageError, match="cannot be killed"):
            external.kill()
        with pytest.raises(UsageError, match="cannot be restarted"):
            external.restart()
        external.stop()
    client = await connect_nats(used)
    assert (await last_sequences(client))["old"] == 3
    await client.close()


async def test_more_streams_than_one_page_holds(nats: NatsServer) -> None:
    client = await connect_nats(nats.url)
    stream = client.jetstream()
    for number in range(260):
        await stream.add_stream(name=f"s{number}", subjects=[f"s{number}"], storage="memory")
    assert len(await last_sequences(client)) == 260
    await client.close()


async def test_two_runs_take_turns(used: str) -> None:
    order: list[str] = []
    inside = asyncio.Event()

    async def first() -> None:
        async with ExternalNats(used):
            order.append("first in")
            inside.set()
            await asyncio.sleep(0)
            order.append("first out")

    async def second() -> None:
        await inside.wait()
        async with ExternalNats(used):
            order.append("second in")

    await asyncio.gather(first(), second())
    assert order == ["first in", "first out", "second in"]


async def test_a_busy_service_names_who_has_it(used: str) -> None:
    async with ExternalNats(used):
        with pytest.raises(ServiceBusy, match=r"process \d+ on .*; waited 0 s"):
            async with ExternalNats(used, patience=0):
                pass


async def test_a_run_that_died_lets_go_by_itself(
    nats: NatsServer, harness: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = harness(f"""
        import asyncio
        from pytest_agog.stage.connect import connect_nats
        from pytest_agog.stage.servers.turns import Turn
        async def main():
            async with Turn(await connect_nats({nats.url!r}), "x", expiry=1.0):
                print("has it", flush=True)
                await asyncio.sleep(600)
        asyncio.run(main())
    """)
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    process.kill()
    client = await connect_nats(nats.url)
    started = time.monotonic()
    async with Turn(client, nats.url, expiry=1.0, patience=20):
        pass
    assert time.monotonic() - started < 10
    await client.close()


async def test_a_held_turn_is_renewed(nats: NatsServer) -> None:
    client = await connect_nats(nats.url)
    async with Turn(client, nats.url, expiry=0.6) as turn:
        revision = turn._revision
        with pytest.raises(ServiceBusy):
            async with Turn(client, nats.url, expiry=0.6, patience=1.2):
                pass
        assert turn._revision > revision
        assert turn.lost is None
    await client.close()


async def test_a_turn_that_was_taken_away_is_reported(nats: NatsServer) -> None:
    client = await connect_nats(nats.url)

    async def hold() -> None:
        async with Turn(client, nats.url, expiry=0.3) as turn:
            bucket = await client.jetstream().key_value(BUCKET)
            await bucket.put(KEY, b'{"host": "elsewhere"}')
            assert turn._beat is not None
            await asyncio.wait_for(asyncio.shield(turn._beat), 5)

    with pytest.raises(TurnLost, match="expired"):
        await hold()
    await client.close()


async def test_nobody_there() -> None:
    port = ReservedPort()
    with pytest.raises(NatsUnreachable, match="connection refused"):
        async with ExternalNats(f"nats://{port}"):
            pass
    with pytest.raises(PostgresUnreachable, match=r"user:\*\*\*\*@.*refused"):
        ExternalPostgres(f"postgresql://user:secret@{port}/x").create("one")
    port.release()


async def test_without_jetstream(tmp_path: Path) -> None:
    from pytest_agog.stage.machine.binaries import nats_server
    from pytest_agog.stage.machine.processes import ManagedProcess

    port = ReservedPort()
    command = [str(nats_server()), "-a", "127.0.0.1", "-p", str(port.number)]
    with ManagedProcess(command, log=tmp_path / "log"):
        async with asyncio.timeout(10):
            while True:
                try:
                    client = await connect_nats(f"nats://{port}", patience=0.2)
                    break
                except NatsUnreachable:
                    continue
        await client.close()
        with pytest.raises(JetStreamDisabled):
            async with ExternalNats(f"nats://{port}"):
                pass
    port.release()


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path_factory.mktemp("pg") / "server") as server:
        yield server


def names(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.dsn()) as connection:
        return {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database").fetchall()}


@pytest.mark.parametrize("form", ["url", "words"])
def test_a_database_of_our_own(form: str, postgres: PostgresServer) -> None:
    def migrate(dsn: str) -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE one (id int)")

    given = postgres.dsn() if form == "url" else psycopg.conninfo.make_conninfo(postgres.dsn())
    external = ExternalPostgres(given, Template("x", migrate))
    dsn = external.create("scenario " + "long" * 20)
    assert external.version == postgres.version
    made = external._made[dsn]
    assert made in names(postgres)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT current_database(), (SELECT count(*) FROM one)").fetchone() == (made, 0)
        connection.commit()
        external.drop(dsn)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert made not in names(postgres)
    external.drop(dsn)


def test_the_given_database_where_no_other_may_be_made(postgres: PostgresServer) -> None:
    given_name = "given_and_untouched"
    admin = postgres.create_database(given_name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest LOGIN PASSWORD 'p'")
    given = admin.replace(admin[admin.index("//") + 2 : admin.index("@")], "modest:p")
    external = ExternalPostgres(given, Template("x", lambda dsn: pytest.fail("migrated")))
    assert external.create("one") == given
    external.drop(given)
    assert given_name in names(postgres)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP ROLE modest")
    postgres.drop_database(given_name)
