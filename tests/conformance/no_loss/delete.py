"""Deletes one message of a stream behind everybody's back: STREAM SEQUENCE."""

import asyncio
import os
import sys

import nats


async def main() -> None:
    """Delete it."""
    client = await nats.connect(os.environ["NATS_URL"])
    await client.jetstream().delete_msg(sys.argv[1], int(sys.argv[2]))
    await client.close()


asyncio.run(main())
