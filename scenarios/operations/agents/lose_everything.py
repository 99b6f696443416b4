"""The disk is gone: every stream, bucket and object store of the server, and every table of the database."""

from __future__ import annotations

import asyncio
import os

import nats
import psycopg


async def main() -> None:
    client = await nats.connect(os.environ["NATS_URL"])
    try:
        jetstream = client.jetstream()
        names = [info.config.name or "" for info in await jetstream.streams_info()]
        for name in names:
            await jetstream.delete_stream(name)
        print(f"lost {len(names)} streams")
    finally:
        await client.close()
    if dsn := os.environ.get("DATABASE_URL"):
        with psycopg.connect(dsn) as connection:
            connection.execute("DROP SCHEMA IF EXISTS workflow_comms, agog_memory CASCADE")
        print("lost all tables")


if __name__ == "__main__":
    asyncio.run(main())
