"""[C6] Old rows go, in bounded batches; young ones stay."""

from __future__ import annotations

import psycopg

from pytest_agog.reference.comms.ingest.retention import retire
from pytest_agog.reference.comms.settings import DAY
from tests.reference.comms.conftest import PATIENCE, REJECTED, Comms, messages


async def aged(comms: Comms) -> None:
    """Twelve rows and one rejected message of 31 days, five and one of today."""
    await comms.with_consumer()
    await comms.publish(*messages(0, 12), b"bad")
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        await comms.stored(12)
        await comms.stored(1, REJECTED)
    comms.rows("UPDATE workflow_comms.agent_messages SET created_at = now() - interval '31 days' RETURNING 1")
    comms.rows("UPDATE workflow_comms.rejected_messages SET received_at = now() - interval '31 days' RETURNING 1")
    await comms.publish(*messages(20, 25), b"worse")


async def test_old_rows_go_in_batches(comms: Comms) -> None:
    await aged(comms)
    async with await psycopg.AsyncConnection.connect(comms.settings.postgres_dsn, autocommit=True) as connection:
        assert await retire(connection, 32 * DAY, batch=5) == 0
        assert await retire(connection, 30 * DAY, batch=5) == 13
    assert (comms.count(), comms.count(REJECTED)) == (0, 0)


async def test_the_service_does_it_at_its_start(comms: Comms) -> None:
    await aged(comms)
    async with comms.service(retention=30 * DAY) as service:
        await comms.until(lambda: service.counts().retired == 13)
        await comms.stored(5)
        await comms.stored(1, REJECTED)
