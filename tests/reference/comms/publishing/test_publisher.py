from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from nats.aio.client import Client

from pytest_agog.errors import (
    CredentialsRefused,
    CredentialsUnreadable,
    NatsUnreachable,
    PayloadTooLarge,
    SpoolFull,
    StreamMissing,
    UsageError,
)
from pytest_agog.reference.comms.publishing.delivering import Spooled, Stored
from pytest_agog.reference.comms.publishing.publisher import CommsPublisher, Counts
from pytest_agog.reference.comms.publishing.spool import Spool
from pytest_agog.reference.comms.publishing.sync import SyncCommsPublisher
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.wire import users
from pytest_agog.wire.users import User
from tests.reference.comms.publishing.conftest import ROY, RUN, STREAM, Reads
from tests.reference.deliverables.test_connecting import plain_server


async def test_stored_with_its_ack(publisher: CommsPublisher, held: Reads) -> None:
    async with publisher:
        done = await publisher.publish("line\n  line\n", kind="log", general=True)
        again = await publisher.publish("line\n  line\n", kind="log", message_id=done.message_id)
    assert done.stored
    assert [(copy.subject, copy.fate) for copy in done.copies] == [
        (f"{RUN}.log", Stored(STREAM, 1)), ("agentrun.general.log", Stored(STREAM, 2)),
    ]  # fmt: skip
    assert again.copies[0].fate == Stored(STREAM, 1, duplicate=True)
    assert publisher.counts == Counts(published=2)
    found = await held()
    assert [one.headers["Nats-Msg-Id"] for one in found] == [f"{done.message_id}:{c.subject}" for c in done.copies]
    assert {one.payload["content"] for one in found} == {"line\n  line\n"}


async def test_many_at_once_keep_their_order(publisher: CommsPublisher, held: Reads) -> None:
    async with publisher:
        done = await asyncio.gather(*(publisher.publish(str(number)) for number in range(700)))
    assert all(one.stored for one in done)
    assert [one.payload["content"] for one in await held()] == [str(number) for number in range(700)]


async def test_away_at_the_start_then_there(stream: NatsServer, publisher: CommsPublisher, held: Reads) -> None:
    stream.kill()
    async with publisher:
        done = [await publisher.publish(str(number), general=True) for number in range(3)]
        assert not done[0].stored
        assert all(isinstance(copy.fate, Spooled) for one in done for copy in one.copies)
        assert publisher.waiting == 6
        assert "connection refused" in publisher.trouble
        await asyncio.to_thread(stream.restart)
        drained = await publisher.drain()
        assert (drained.delivered, drained.refused, publisher.waiting) in {(6, 0, 0), (0, 0, 0)}
        assert (await publisher.publish("last")).stored
    assert [one.payload["content"] for one in await held() if "flow" in one.subject] == ["0", "1", "2", "last"]


async def test_the_next_one_delivers_what_waits(stream: NatsServer, spool: Spool, held: Reads) -> None:
    stream.kill()
    async with CommsPublisher(stream.url, speaker=ROY, spool=spool) as first:
        await first.publish("earlier")
    stream.restart()
    async with CommsPublisher(stream.url, speaker=ROY, spool=spool) as second:
        assert (await second.publish("later")).stored
    assert [one.payload["content"] for one in await held()] == ["earlier", "later"]
    assert spool.waiting() == 0


async def test_what_waits_is_delivered_without_being_asked(
    stream: NatsServer, publisher: CommsPublisher, held: Reads
) -> None:
    stream.kill()
    async with publisher:
        await publisher.publish("alone")
        await asyncio.to_thread(stream.restart)
        async with asyncio.timeout(20):
            while publisher.waiting:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
    assert [one.payload["content"] for one in await held()] == ["alone"]


async def test_killed_in_the_midst(stream: NatsServer, publisher: CommsPublisher, held: Reads) -> None:
    count = 3000
    async with publisher:
        futures = [publisher.submit(str(number)) for number in range(count)]
        await futures[300]
        stream.kill()
        restarting = asyncio.create_task(asyncio.to_thread(stream.restart))
        done = await asyncio.gather(*futures)
        await restarting
        await publisher.drain()
    assert len({one.message_id for one in done}) == count
    assert [one.payload["content"] for one in await held()] == [str(number) for number in range(count)]


async def test_sending_twice_changes_nothing(stream: NatsServer, spool: Spool, held: Reads) -> None:
    stream.kill()
    async with CommsPublisher(stream.url, speaker=ROY, spool=spool) as publisher:
        for number in range(5):
            await publisher.publish(str(number))
    kept = spool.path.read_bytes()
    stream.restart()
    for _ in range(2):  # as if killed after delivering, before saying so
        spool.path.write_bytes(kept)
        async with CommsPublisher(stream.url, speaker=ROY, spool=spool) as publisher:
            assert (await publisher.drain()).delivered == 5
    assert [one.payload["content"] for one in await held()] == [str(number) for number in range(5)]


async def test_two_publishers_on_one_spool(stream: NatsServer, spool: Spool, held: Reads) -> None:
    def another() -> CommsPublisher:
        return CommsPublisher(stream.url, speaker=ROY, spool=Spool(spool.path))

    async with another() as one, another() as other:
        stream.kill()
        for number in range(20):
            await asyncio.gather(one.publish(f"a{number}"), other.publish(f"b{number}"))
        await asyncio.to_thread(stream.restart)
        last = await asyncio.gather(one.publish("a20"), other.publish("b20"))
        await one.drain()
        await other.drain()
        assert one.waiting == other.waiting == 0
        assert last[0].message_id != last[1].message_id
    found = [item.payload["content"] for item in await held()]
    for who in "ab":
        assert [one for one in found if one[0] == who] == [f"{who}{number}" for number in range(21)]


async def test_no_stream_is_a_refusal(server: NatsServer, spool: Spool) -> None:
    async with CommsPublisher(server.url, speaker=ROY, spool=spool, patience=0.2) as publisher:
        with pytest.raises(StreamMissing, match="init-streams"):
            await publisher.publish("x")
    assert publisher.counts == Counts(failed=1)
    assert spool.waiting() == 0


async def test_too_large_names_both_numbers(tmp_path: Path, spool: Spool) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=2000)) as server:
        async with CommsPublisher(server.url, speaker=ROY, spool=spool) as publisher:
            with pytest.raises(PayloadTooLarge, match=r"has 5\d{3} bytes .* takes 2000"):
                await publisher.publish("x" * 5000)
    assert spool.waiting() == 0


async def test_too_large_from_the_spool_is_set_aside(tmp_path: Path, spool: Spool) -> None:
    with NatsServer(tmp_path / "small", NatsOptions(max_payload=2000)) as server:
        client = Client()
        await client.connect(server.url)
        await client.jetstream().add_stream(name=STREAM, subjects=["agentrun.>"])
        await client.close()
        server.kill()
        async with CommsPublisher(server.url, speaker=ROY, spool=spool) as publisher:
            for content in ("a", "x" * 5000, "b"):
                await publisher.publish(content)
        assert publisher.counts == Counts(spooled=3)
        server.restart()
        async with CommsPublisher(server.url, speaker=ROY, spool=spool) as publisher:
            drained = await publisher.drain()
    assert (drained.delivered, drained.refused) == (2, 1)
    [aside] = spool.refused_path.read_text().splitlines()
    assert "2000" in json.loads(aside)["reason"]
    assert spool.waiting() == 0


async def test_the_spool_is_full(spool: Spool) -> None:
    small = Spool(spool.path, limit=100)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"nats://127.0.0.1:{taken.getsockname()[1]}"
        async with CommsPublisher(url, speaker=ROY, spool=small) as publisher:
            with pytest.raises(SpoolFull, match="neither stored nor spooled"):
                await publisher.publish("x")
            await publisher.drain()  # nothing waits
        small.limit = 10_000
        async with CommsPublisher(url, speaker=ROY, spool=small) as publisher:
            await publisher.publish("x")
            with pytest.raises(NatsUnreachable):
                await publisher.drain()


async def test_credentials_that_are_none_are_refused(stream: NatsServer, spool: Spool, tmp_path: Path) -> None:
    async with CommsPublisher(stream.url, speaker=ROY, spool=spool, creds=tmp_path / "none") as publisher:
        with pytest.raises(CredentialsUnreadable):
            await publisher.publish("x")
    assert spool.waiting() == 0


async def test_a_frozen_server_is_away(stream: NatsServer, spool: Spool, held: Reads) -> None:
    async with CommsPublisher(stream.url, speaker=ROY, spool=spool, patience=0.3) as publisher:
        await publisher.publish("before")
        stream.kill("STOP")
        try:
            frozen = await publisher.publish("frozen", message_id="f")
        finally:
            stream.kill("CONT")
        assert not frozen.stored
        await publisher.drain()
        assert (await publisher.publish("after")).stored
    assert [one.payload["content"] for one in await held()] == ["before", "frozen", "after"]


def permitted(user: User) -> dict[str, object]:
    may = {"publish": list(user.publish), "subscribe": list(user.subscribe)}
    return {"user": user.name, "password": "p", "permissions": may}


async def test_with_the_rights_of_agents_and_no_more(tmp_path: Path, spool: Spool) -> None:
    configuration: dict[str, object] = {
        "authorization": {"users": [permitted(user) for user in users.USERS]},
        "jetstream": {"store_dir": str(tmp_path / "js")},
    }
    with plain_server(tmp_path, configuration) as address:
        client = Client()
        await client.connect(f"nats://system:p@{address}")
        await client.jetstream().add_stream(name=STREAM, subjects=["agentrun.>"])
        await client.close()
        async with CommsPublisher(f"nats://agents:p@{address}", speaker=ROY, spool=spool) as publisher:
            assert (await publisher.publish("x", general=True)).stored
        async with CommsPublisher(f"nats://jangar:p@{address}", speaker=ROY, spool=spool) as publisher:
            with pytest.raises(CredentialsRefused, match=r"(?i)permissions violation"):
                await publisher.publish("x")
        async with CommsPublisher(f"nats://agents:wrong@{address}", speaker=ROY, spool=spool) as publisher:
            with pytest.raises(CredentialsRefused):
                await publisher.publish("x")
    assert spool.waiting() == 0


async def test_a_closed_one_takes_nothing(publisher: CommsPublisher) -> None:
    async with publisher:
        pass
    with pytest.raises(UsageError, match="not open"):
        await publisher.publish("x")


async def test_the_sync_face(stream: NatsServer, held: Reads, tmp_path: Path) -> None:
    def work() -> None:
        environ = {"NATS_URL": stream.url, "AGENT_ID": "roy", "RUN_ID": "r", "AGOG_SPOOL_DIR": str(tmp_path / "s")}
        with SyncCommsPublisher.from_environment(environ=environ) as publisher:
            assert publisher.publish("hello", kind="status", status="auto", exit_code=0).stored
            assert publisher.drain().delivered == publisher.waiting == 0

    await asyncio.to_thread(work)
    [only] = await held()
    assert (only.payload["status"], only.payload["exit_code"]) == ("completed", 0)
