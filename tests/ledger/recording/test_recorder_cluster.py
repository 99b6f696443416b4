"""The recorder on three servers: replicated streams, and a server that is killed under it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error
from nats.js.api import StreamConfig

from pytest_agog.ledger.facts import MessageStored
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.stage.servers.cluster import NatsCluster


async def quiet(_: Exception) -> None:
    """nats-py logs connection errors; here they are expected."""


async def test_replicated_stream_and_a_killed_server(tmp_path: Path) -> None:
    with NatsCluster(tmp_path / "cluster") as cluster:
        urls = cluster.url.split(",")

        async def connect() -> Client:
            return await nats.connect(urls, allow_reconnect=False, reconnect_time_wait=0.02, error_cb=quiet)

        client = await nats.connect(urls, error_cb=quiet, reconnect_time_wait=0.02, max_reconnect_attempts=-1)
        jetstream = client.jetstream(timeout=10)
        await jetstream.add_stream(StreamConfig(name="R", subjects=["r.>"], num_replicas=3, allow_direct=True))
        ledger = Ledger()
        recorder = Recorder(ledger, connect, baseline=False)
        await recorder.start()
        half = asyncio.Event()

        async def publish_all() -> None:
            for number in range(600):
                if number == 200:
                    half.set()
                headers = {"Nats-Msg-Id": str(number)}
                while True:
                    try:
                        await jetstream.publish("r.x", b"%d" % number, headers=headers, timeout=0.5)
                    except (Error, TimeoutError, OSError):
                        await asyncio.sleep(0)
                        continue
                    break

        task = asyncio.create_task(publish_all())
        await half.wait()
        await asyncio.to_thread(cluster.kill, "KILL", 1)
        await task
        last = await recorder.catch_up()
        await asyncio.to_thread(cluster.restart, 1)
        assert await recorder.catch_up() == last
        stored = [one.fact for one in ledger.of(MessageStored)]
        assert [fact.sequence for fact in stored] == list(range(1, last["R"] + 1))
        assert Counter(ledger.payloads[fact.payload] for fact in stored) == Counter(b"%d" % n for n in range(600))
        await recorder.stop()
        client.options["max_reconnect_attempts"] = 1
        await client.close()
