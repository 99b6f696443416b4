"""Makes the QA stream as somebody else once did: right name, wrong subject, shorter retention. And uses it."""

from __future__ import annotations

import asyncio
import os

import nats
from nats.js.api import StreamConfig


async def main() -> None:
    client = await nats.connect(os.environ["NATS_URL"])
    try:
        jetstream = client.jetstream()
        subject = "agog.deliverables.billy.qa-backend.lot-traceability"
        await jetstream.add_stream(
            StreamConfig(
                name="agog_features_qa",
                subjects=["agog.deliverables.billy.qa-backend.>"],
                max_age=86_400,
                max_msgs=100,
            )
        )
        ack = await jetstream.publish(subject, b'{"content": "an old report", "metadata": {"agent": "billy"}}')
        print(f"stored in {ack.stream} as {ack.seq}")
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
