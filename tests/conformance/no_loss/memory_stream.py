"""Makes a stream that keeps its messages in memory."""

import asyncio
import os

import nats
from nats.js.api import StorageType, StreamConfig


async def main() -> None:
    """Make it."""
    client = await nats.connect(os.environ["NATS_URL"])
    config = StreamConfig(name="VOLATILE", subjects=["volatile.>"], storage=StorageType.MEMORY)
    await client.jetstream().add_stream(config)
    await client.close()


asyncio.run(main())
