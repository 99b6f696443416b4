"""A stream that comes back from a backup: what was seen of it before is not seen twice."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from nats.aio.client import Client
from nats.js.api import StreamConfig

from pytest_agog.ledger.facts import MessageStored
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.recorder import Recorder
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.operations import snapshots


class Record(Protocol):
    """The fixture `record`."""

    async def __call__(self) -> tuple[Recorder, Ledger]: ...


def held(ledger: Ledger) -> list[tuple[int, bytes]]:
    return [(seen.fact.sequence, ledger.payloads[seen.fact.payload]) for seen in ledger.of(MessageStored)]


async def test_a_restored_stream_counts_once(record: Record, client: Client, tmp_path: Path) -> None:
    jetstream = client.jetstream(timeout=5)
    await jetstream.add_stream(StreamConfig(name="B", subjects=["b.>"], allow_direct=True))
    recorder, ledger = await record()
    for number in range(20):
        await jetstream.publish("b.x", b"%d" % number)
    link = Link(client, client.connected_url.geturl() if client.connected_url else "")
    copy = await snapshots.save(link, "B", tmp_path / "B", lambda *_: None)
    await jetstream.publish("b.x", b"after the copy")
    assert await recorder.catch_up() == {"B": 21}

    await jetstream.delete_stream("B")
    await recorder.catch_up()
    await snapshots.bring_back(link, copy.config, copy.state, tmp_path / "B", lambda *_: None)
    assert await recorder.catch_up() == {"B": 20}
    before = [*((number + 1, b"%d" % number) for number in range(20)), (21, b"after the copy")]
    assert held(ledger) == before

    # Another message at a sequence that is known already is another message.
    await jetstream.publish("b.x", b"after the restore")
    await recorder.catch_up()
    assert held(ledger) == [*before, (21, b"after the restore")]
    await link.close()
