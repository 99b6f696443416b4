"""The board of a state bucket, read by somebody who is no orchestrator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link, connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.following import Following, consumer_lags
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket
from pytest_agog.reference.orchestrator.messaging.sending import publish
from pytest_agog.reference.orchestrator.planning.config import BudgetConfig
from pytest_agog.reference.orchestrator.running.breaker import Breaker
from pytest_agog.reference.orchestrator.running.breaker import dump as dump_breaker
from pytest_agog.reference.orchestrator.state.record import Record, dump
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire.orchestration import state_key
from tests.reference.orchestrator.board.making import record, seed

BUCKET = "agog_state"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def link(server: NatsServer) -> AsyncIterator[Link]:
    made = await connect(server.url)
    yield made
    await made.close()


@pytest.fixture
async def bucket(link: Link) -> Bucket:
    made = Bucket(link, BUCKET)
    await made.open()
    return made


@asynccontextmanager
async def following(link: Link) -> AsyncIterator[Following]:
    made = Following(link, BudgetConfig())
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def put(bucket: Bucket, *records: Record) -> None:
    for one in records:
        await bucket.put(state_key(one.id), dump(one))


async def test_without_an_orchestrator_it_says_so_and_makes_nothing(link: Link) -> None:
    with pytest.raises(BadInput, match="agog orchestrate"):
        await Following(link, BudgetConfig()).open()
    with pytest.raises(jetstream.Refusal):
        await jetstream.call(link, f"STREAM.INFO.KV_{BUCKET}")


async def test_an_empty_bucket_is_an_empty_board(link: Link, bucket: Bucket) -> None:
    async with following(link) as found:
        shown = board(found.situation())
    assert not any(shown.queues.values())
    assert shown.mode == "continuous"
    assert shown.next_turn is None


async def test_records_clock_turns_and_breakers_come_from_the_bucket(link: Link, bucket: Bucket) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(days=3)
    failed = Breaker(tuple((f"a{n}", False) for n in range(6)), opened_at=later)
    await put(bucket, *seed())
    await bucket.put("clock", json.dumps({"offset": timedelta(days=3).total_seconds()}).encode())
    await bucket.put("turn", json.dumps({"at": later.isoformat()}).encode())
    await bucket.put("breaker.jen", dump_breaker(failed))
    async with following(link) as found:
        facts = found.situation()
    assert len(facts.records) == 9
    assert timedelta(0) <= facts.at - later < timedelta(minutes=5)
    assert facts.mode == "turns"
    assert facts.next_turn is not None
    assert facts.at < facts.next_turn <= facts.at + timedelta(minutes=5)
    assert dict(facts.breakers) == {"jen": "open"}


async def test_a_turn_of_long_ago_was_another_orchestrators(link: Link, bucket: Bucket) -> None:
    await bucket.put("turn", json.dumps({"at": "2020-01-01T00:00:00Z"}).encode())
    async with following(link) as found:
        assert found.situation().mode == "continuous"


async def test_it_follows(link: Link, bucket: Bucket) -> None:
    await put(bucket, record("REQ-1"))
    async with following(link) as found:
        reading = asyncio.create_task(found.follow())
        found.changed.clear()
        await put(bucket, record("REQ-2"))
        async with asyncio.timeout(20):
            while len(found.situation().records) < 2:
                await found.changed.wait()
                found.changed.clear()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_lag_is_what_is_pending_and_what_waits_for_an_ack(link: Link) -> None:
    await init_streams(link)
    for number in range(5):
        await publish(link, f"results.roy.REQ-{number}", b"{}", msg_id=str(number))
    inbox = link.nc.new_inbox()
    taken = await link.nc.subscribe(inbox)
    await link.nc.publish("$JS.API.CONSUMER.MSG.NEXT.RESULTS.orchestrator", b'{"batch":2}', reply=inbox)
    await taken.next_msg(timeout=20)
    await (await taken.next_msg(timeout=20)).ack_sync(timeout=20)
    lags = await consumer_lags(link)
    assert lags["RESULTS/orchestrator"] == 4
    assert lags["ERRORS/orchestrator"] == 0
    assert "REQUIREMENTS/orchestrator" not in lags  # no orchestrator has run
    assert "RESULTS/release-manager" not in lags  # nobody here reads for it
