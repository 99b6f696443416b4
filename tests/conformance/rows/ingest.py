"""A tiny ingest: one row for each message that agent-comms holds, except those that its arguments say.

`skip=N` leaves out stream sequence N, `twice=N` stores it twice.
"""

import asyncio
import json
import os
import sys

import nats
import psycopg

FAULTS = dict(argument.split("=") for argument in sys.argv[1:])
INSERT = (
    "insert into workflow_comms.agent_messages"
    " (id, agent_id, role, kind, content, timestamp, dedupe_key, stream_seq)"
    " values (gen_random_uuid(), %s, 'assistant', 'message', %s, now(), %s, %s)"
)


async def messages() -> list[tuple[int, dict[str, str]]]:
    """Sequence and payload of everything on the stream."""
    client = await nats.connect(os.environ["NATS_URL"])
    stream = client.jetstream()
    last = (await stream.stream_info("agent-comms")).state.last_seq
    found = [(number, await stream.get_msg("agent-comms", number)) for number in range(1, last + 1)]
    await client.close()
    return [(number, json.loads(message.data or b"{}")) for number, message in found]


def store(found: list[tuple[int, dict[str, str]]]) -> None:
    """One row each, but for the faults."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for number, payload in found:
            copies = 0 if FAULTS.get("skip") == str(number) else 2 if FAULTS.get("twice") == str(number) else 1
            for copy in range(copies):
                row = (payload["agent_id"], payload["content"], f"{number}-{copy}", number)
                connection.execute(INSERT, row)


store(asyncio.run(messages()))
