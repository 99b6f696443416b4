"""Publishes every second message of one run again under another run, as if only these had arrived live."""

import asyncio
import json
import os
import sys

import nats
import psycopg


async def main(source: str, target: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        rows = connection.execute(
            'SELECT kind, content, role, attrs, "timestamp" FROM workflow_comms.agent_messages '
            "WHERE run_id = %s ORDER BY seq",
            [source],
        ).fetchall()
    client = await nats.connect(os.environ["NATS_URL"])
    js = client.jetstream()
    for number, (kind, content, role, attrs, time) in enumerate(rows):
        if number % 2:
            continue
        payload = {"message_id": f"live-{number}", "run_id": target, "content": content, "role": role,
                   "attrs": {key: value for key, value in attrs.items() if key != "message_id"},
                   "timestamp": time.isoformat()}  # fmt: skip
        subject = f"argo.workflow.prod.billing.{target}.agent.roy.{kind}"
        await js.publish(subject, json.dumps(payload).encode())
    await client.close()


asyncio.run(main(*sys.argv[1:]))
