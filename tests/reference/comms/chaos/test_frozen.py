"""Who stands still in the midst of its work holds up nobody for long: other workers go on. [C5, J12, J13]"""

from __future__ import annotations

import asyncio
from functools import partial

import psycopg
import pytest

from pytest_agog.reference.comms.events.pool import make_pool
from pytest_agog.reference.comms.ingest.database import let_go, open_connection
from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.storing import take_turn
from pytest_agog.stage.links import Link, nats_services, postgres_service
from pytest_agog.stage.servers.nats import NatsServer
from tests.reference.comms.chaos.account import account, pour
from tests.reference.comms.conftest import PATIENCE, Comms, messages

SUBJECT = b"agentrun.ns.flow.uid.agent.roy.message"


async def test_a_worker_frozen_within_its_transaction_loses_its_turn(comms: Comms) -> None:
    """Its host may be gone without a word: then Postgres alone can end what it began."""
    await comms.with_consumer()
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        frozen = await open_connection(comms.settings.postgres_dsn)
        try:
            await frozen.execute("BEGIN")
            await take_turn(frozen)
            await comms.publish(*messages(0, 50))
            await comms.stored(50)
            with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
                await frozen.execute("COMMIT")
        finally:
            await let_go(frozen)
        await comms.acked()
        assert service.counts().redelivered == 0


async def test_a_frozen_backfill_loses_its_turn_too(comms: Comms) -> None:
    """The same limit; only longer, so that nobody need wait for it here."""
    pool = make_pool(comms.settings.postgres_dsn + "?options=-c%20work_mem%3D5MB")
    await pool.open()
    async with pool.connection() as connection:
        cursor = await connection.execute("SHOW idle_in_transaction_session_timeout")
        assert await cursor.fetchone() == ("10s",)
        # And what somebody says in the DSN stays.
        assert await (await connection.execute("SHOW work_mem")).fetchone() == ("5MB",)
    await pool.close()


def _ingested(service: CommsService, number: int) -> bool:
    return service.counts().ingested >= number


async def test_a_link_cut_again_and_again_under_load(comms: Comms, server: NatsServer) -> None:
    """Both links of a service, cut while batches are under way: each message is one row, and none waits for ever."""
    await comms.with_consumer(ack_wait=1.0)
    dsn = comms.settings.postgres_dsn
    nats, postgres = Link("nats", nats_services(server.url)), Link("postgres", [postgres_service(dsn)])
    number, step = 12_000, 1_000
    published = ((SUBJECT, b'{"content": "%d"}' % each) for each in range(number))
    try:
        await nats.open()
        await postgres.open()
        through = {"nats_url": nats.in_nats(server.url), "postgres_dsn": postgres.in_dsn(dsn)}
        async with comms.service(**through, workers=2) as service:
            await service.wait_ready(PATIENCE)
            await asyncio.to_thread(pour, server.url, published)
            for link in (nats, postgres) * 4:
                far = min(service.counts().ingested + step, number)
                await comms.until(partial(_ingested, service, far))
                await link.cut()
                await link.heal()
            await comms.acked()
    finally:
        await nats.close()
        await postgres.close()
    assert account(comms, number) == (number, 0)
