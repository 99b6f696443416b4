"""A tiny ingest: one row for each message that agent-comms holds, except those that its arguments say.

`skip=N` leaves out stream sequence N, `twice=N` stores it twice, `reject=N` keeps it as rejected instead, `both=N` as
well.
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
REJECT = (
    "insert into workflow_comms.rejected_messages (stream, stream_created, stream_seq, subject, raw, reason)"
    " values ('agent-comms', now(), %s, 'argo.workflow.general.message', %s, 'it cannot be read')"
)


async def messages() -> list[tuple[int, bytes]]:
    """Sequence and payload of everything on the stream."""
    client = await nats.connect(os.environ["NATS_URL"])
    stream = client.jetstream()
    last = (await stream.stream_info("agent-comms")).state.last_seq
    found = [(number, await stream.get_msg("agent-comms", number)) for number in range(1, last + 1)]
    await client.close()
    return [(number, message.data or b"") for number, message in found]


def readable(payload: bytes) -> dict[str, str]:
    """What a message says; one that cannot be read says itself."""
    try:
        found: dict[str, str] = json.loads(payload)
    except ValueError:
        return {"agent_id": "", "content": payload.decode()}
    return found


def store(found: list[tuple[int, bytes]]) -> None:
    """One row each, but for the faults."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for number, raw in found:
            faults = {name for name, place in FAULTS.items() if place == str(number)}
            copies = 0 if faults & {"skip", "reject"} else 2 if "twice" in faults else 1
            told = readable(raw)
            for copy in range(copies):
                connection.execute(INSERT, (told["agent_id"], told["content"], f"{number}-{copy}", number))
            if faults & {"reject", "both"}:
                connection.execute(REJECT, (number, raw))


store(asyncio.run(messages()))
