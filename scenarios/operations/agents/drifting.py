"""Changes by hand what manifests define, as somebody does in a hurry: one thing after the other, by its name."""

from __future__ import annotations

import asyncio
import os
import sys

import nats
from nats.js import JetStreamContext


async def change(jetstream: JetStreamContext, what: str) -> None:
    if what == "consumer":
        found = (await jetstream.consumer_info("agent-comms", "jangar-agent-comms")).config
        found.ack_wait = 5
        await jetstream.add_consumer("agent-comms", found)
    elif what == "extra":
        await jetstream.add_consumer("agent-comms", durable_name="forgotten", ack_policy="explicit")
    elif what == "memory":
        await jetstream.delete_stream("ERRORS")
        await jetstream.add_stream(name="ERRORS", subjects=["errors.>"], storage="memory", max_age=30 * 86_400)
    elif what == "gone":
        await jetstream.delete_stream("INTEGRATION")
    elif what == "stream":
        config = (await jetstream.stream_info("agent-comms")).config
        config.subjects, config.max_age, config.max_bytes = ["argo.workflow.>"], 86_400, 10**9
        await jetstream.update_stream(config)
    else:
        raise SystemExit(f"nothing here is called {what}")
    print(f"changed {what}")


async def main() -> None:
    client = await nats.connect(os.environ["NATS_URL"])
    try:
        for what in sys.argv[1:]:
            await change(client.jetstream(), what)
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
