"""Links pass every byte, break off when they are cut, and come back at the same address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pytest_agog.errors import BadInput, UsageError
from pytest_agog.session.addresses import Postgres
from pytest_agog.stage.connect import close_nats, connect_nats
from pytest_agog.stage.links import Link, Service, http_service, nats_services, postgres_service
from pytest_agog.stage.servers.nats import NatsServer

WITHIN = 10


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[Service]:
    """A server that gives back what it gets, and ends when its client does."""

    serving: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    try:
        yield Service("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*serving), WITHIN)


@contextlib.asynccontextmanager
async def linked(*services: Service) -> AsyncIterator[Link]:
    link = Link("some-link", services)
    await link.open()
    try:
        yield link
    finally:
        await link.close()


async def connect(link: Link, service: Service) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = link.address(service).partition(":")
    return await asyncio.open_connection(host, int(port))


async def test_every_byte_passes_both_ways_and_so_does_the_end() -> None:
    data = bytes(range(256)) * 40_000
    async with echo() as service, linked(service) as link:
        reader, writer = await connect(link, service)

        async def send() -> None:
            writer.write(data)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        async with asyncio.timeout(WITHIN):
            assert await reader.read(-1) == data
        await sending
        writer.close()


async def test_a_cut_resets_connections_and_refuses_new_ones_until_it_heals() -> None:
    async with echo() as service, linked(service) as link:
        reader, writer = await connect(link, service)
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        before = link.address(service)

        await link.cut()
        assert link.is_cut
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(WITHIN):
                await reader.read(1)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await connect(link, service)

        await link.heal()
        await link.heal()
        assert link.address(service) == before
        reader, writer = await connect(link, service)
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        writer.close()


async def test_a_timed_cut_heals_by_itself_and_says_so() -> None:
    told: list[bool] = []
    async with echo() as service, linked(service) as link:
        await link.cut(0.05, lambda: told.append(link.is_cut))
        assert link.is_cut
        assert told == []
        async with asyncio.timeout(WITHIN):
            await link.healed_in_time()
        assert told == [False]
        _, writer = await connect(link, service)
        writer.close()
        await link.healed_in_time()


async def test_healing_and_cutting_again_end_the_time() -> None:
    told: list[str] = []
    async with echo() as service, linked(service) as link:
        await link.cut(0.05, lambda: told.append("first"))
        await link.cut(0.1, lambda: told.append("second"))
        async with asyncio.timeout(WITHIN):
            await link.healed_in_time()
        assert told == ["second"]
        await link.cut(0.05, lambda: told.append("third"))
        await link.heal()
        assert not link.is_cut
        await link.healed_in_time()
        assert told == ["second"]


async def test_a_service_that_is_away_resets_its_clients() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        service = Service("127.0.0.1", unused.getsockname()[1])
        async with linked(service) as link:
            reader, writer = await connect(link, service)
            with pytest.raises(ConnectionResetError):
                async with asyncio.timeout(WITHIN):
                    await reader.read(1)
            writer.close()


async def test_a_closed_link_leaves_nothing() -> None:
    async with echo() as service:
        async with linked(service) as link:
            reader, writer = await connect(link, service)
            writer.write(b"a")
            await reader.readexactly(1)
            address = link.address(service)
        assert await asyncio.wait_for(_end(reader), WITHIN)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(address.partition(":")[2]))


async def _end(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True


async def test_nats_reconnects_through_a_link_that_heals(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        async with linked(*nats_services(server.url)) as link:
            url = link.in_nats(server.url)
            assert url != server.url
            back = asyncio.Event()

            async def again() -> None:
                back.set()

            client = await nats.connect(url, reconnect_time_wait=0.01, max_reconnect_attempts=-1, reconnected_cb=again)
            subscription = await client.subscribe("here")
            await link.cut(0.05)
            async with asyncio.timeout(WITHIN):
                await back.wait()
            await client.flush()
            other = await connect_nats(server.url)
            await other.publish("here", b"told")
            assert (await subscription.next_msg(WITHIN)).data == b"told"
            await close_nats(other)
            await client.close()


async def test_postgres_through_a_link(agog_postgres: Postgres) -> None:
    postgres_dsn = agog_postgres.dsn
    service = postgres_service(postgres_dsn)
    async with linked(service) as link:
        async with await psycopg.AsyncConnection.connect(link.in_dsn(postgres_dsn), autocommit=True) as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
            await link.cut()
            with pytest.raises(psycopg.OperationalError):
                await connection.execute("SELECT 1")
        await link.heal()
        words = " ".join(f"{key}='{value}'" for key, value in conninfo_to_dict(postgres_dsn).items())
        async with await psycopg.AsyncConnection.connect(link.in_dsn(words)) as connection:
            assert connection.info.port == int(link.address(service).partition(":")[2])


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ("nats://127.0.0.1:4222", [Service("127.0.0.1", 4222)]),
        ("localhost", [Service("localhost", 4222)]),
        ("tls://u:p@a.example:1,nats://b.example:2", [Service("a.example", 1), Service("b.example", 2)]),
        ("nats://[::1]:5", [Service("::1", 5)]),
    ],
)
def test_where_nats_urls_lead(urls: str, expected: list[Service]) -> None:
    assert nats_services(urls) == expected


async def test_urls_keep_all_but_their_host() -> None:
    services = [Service("a.example", 1), Service("b.example", 4222)]
    async with linked(*services) as link:
        first, second = (link.address(service) for service in services)
        assert link.in_nats("tls://u:p%40@a.example:1,b.example") == f"tls://u:p%40@{first},nats://{second}"
        assert link.in_url("http://a.example:1/x?y=1") == f"http://{first}/x?y=1"


@pytest.mark.parametrize(
    ("dsn", "service"),
    [
        ("postgresql://u:p@db.example:7000/d?sslmode=require", Service("db.example", 7000)),
        ("postgres://u@/d?host=/run/postgresql&port=7001", Service("/run/postgresql", 7001)),
        ("host=db.example port=7000 dbname=d user=u password='a b'", Service("db.example", 7000)),
        ("hostaddr=10.0.0.1 host=db.example dbname=d", Service("10.0.0.1", 5432)),
    ],
)
async def test_dsns_keep_all_but_their_host(dsn: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPORT", raising=False)
    assert postgres_service(dsn) == service
    async with linked(service) as link:
        through = link.in_dsn(dsn)
        host, _, port = link.address(service).partition(":")
        given, made = conninfo_to_dict(dsn), conninfo_to_dict(through)
        assert (made.pop("host"), made.pop("port")) == (host, port)
        assert made == {key: value for key, value in given.items() if key not in {"host", "port", "hostaddr"}}
        assert through.startswith("postgres") == dsn.startswith("postgres")


def test_addresses_that_no_link_can_stand_for() -> None:
    with pytest.raises(UsageError, match="several servers"):
        postgres_service("postgresql://a,b/d")
    with pytest.raises(BadInput, match=r"no Postgres address"):
        postgres_service("nonsense")
    with pytest.raises(BadInput, match="names no host"):
        http_service("http:///x")
    for service, url in ((http_service, "http://[::1/x"), (nats_services, "nats://[::1:4222")):
        with pytest.raises(BadInput, match="IPv6"):
            service(url)
    with pytest.raises(BadInput, match=r"(?i)port"):
        nats_services("nats://a:99999999")
