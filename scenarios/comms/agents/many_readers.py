"""Opens many readers at once, publishes, and says what each of them got and how many connections the service keeps.

Usage: many_readers.py READERS MESSAGES
"""

import asyncio
import json
import os
import sys

import httpx
import nats
import psycopg

CONNECTIONS = """
    SELECT count(*) FILTER (WHERE application_name LIKE 'agog-comms listener%'), count(*)
    FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'agog%'
"""


async def read(client: httpx.AsyncClient, url: str, messages: int, opened: asyncio.Semaphore) -> list[int]:
    ids: list[int] = []
    async with client.stream("GET", url) as response:
        response.raise_for_status()
        opened.release()
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                ids.append(int(line.removeprefix("id: ")))
                if len(ids) == messages:
                    return ids
    return ids


async def main(readers: int, messages: int) -> None:
    url = f"{os.environ['AGOG_COMMS_URL']}/api/agents/events?runId=run-1"
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:
        opened = asyncio.Semaphore(0)
        reading = [asyncio.create_task(read(client, url, messages, opened)) for _ in range(readers)]
        for _ in range(readers):
            await opened.acquire()
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            listeners, every = connection.execute(CONNECTIONS).fetchone()
        js = (link := await nats.connect(os.environ["NATS_URL"])).jetstream()
        for number in range(messages):
            payload = json.dumps({"message_id": f"m{number}", "run_id": "run-1", "content": f"message {number}"})
            await js.publish("argo.workflow.prod.billing.wf-1.agent.roy.log", payload.encode())
        got = await asyncio.gather(*reading)
        await link.close()
    right = sum(len(set(ids)) == messages and ids == sorted(ids) for ids in got)
    print(f"{right} of {readers} readers got {messages} messages once, in order")
    print(f"{listeners} connection listens, {'few' if every <= 12 else 'too many'} in all")


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
