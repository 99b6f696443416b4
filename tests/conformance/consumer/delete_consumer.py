"""Deletes a durable consumer: STREAM CONSUMER."""

import asyncio
import os
import sys

import nats


async def main() -> None:
    """Delete it."""
    client = await nats.connect(os.environ["NATS_URL"])
    await client.jetstream().delete_consumer(sys.argv[1], sys.argv[2])
    await client.close()


asyncio.run(main())
