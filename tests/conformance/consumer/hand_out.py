"""A worker that takes messages of a durable consumer and never acknowledges them: STREAM CONSUMER TIMES."""

import asyncio
import os
import sys

import nats


async def main() -> None:
    """Take everything that waits, as often as the third argument says."""
    client = await nats.connect(os.environ["NATS_URL"])
    reader = await client.jetstream().pull_subscribe_bind(sys.argv[2], sys.argv[1])
    for _ in range(int(sys.argv[3])):
        for message in await reader.fetch(2, timeout=5):
            print(message.subject)
    await client.close()


asyncio.run(main())
