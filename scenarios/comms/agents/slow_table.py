"""Keeps every insert waiting: locks the table of messages for so many seconds, and publishes meanwhile."""

import asyncio
import json
import os
import sys

import nats
import psycopg


async def main(seconds: float, messages: int) -> None:
    client = await nats.connect(os.environ["NATS_URL"])
    js = client.jetstream()
    # The request of the worker that was stopped may still wait at the server; what it swallowed would come twice.
    while (await js.consumer_info("agent-comms", "jangar-agent-comms")).num_waiting != 1:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute("LOCK TABLE workflow_comms.agent_messages IN EXCLUSIVE MODE")
        for number in range(messages):
            payload = {"message_id": f"slow-{number}", "run_id": "run-1", "content": f"message {number}"}
            await js.publish("argo.workflow.prod.billing.wf-1.agent.roy.log", json.dumps(payload).encode())
        await asyncio.sleep(seconds)
    await client.close()


asyncio.run(main(float(sys.argv[1]), int(sys.argv[2])))
