from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.errors import DeliverableMissing, SectionMissing, StreamDiffers
from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.deliverables.jetstream import call
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.target.ports import Outgoing, Published
from pytest_agog.stage.target.targets import REFERENCE


class Told:
    def __init__(self) -> None:
        self.all: list[object] = []

    def attempted(self, message: Outgoing) -> int:
        self.all.append(message)
        return 7

    def acked(self, attempt: int, stream: str, sequence: int, duplicate: bool) -> None:
        self.all.append((attempt, stream, sequence, duplicate))

    def refused(self, attempt: int, reason: str) -> None:
        self.all.append((attempt, reason))


async def test_the_reference_target_fits_the_ports(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        await REFERENCE.prepare_streams(server.url, 1)
        told = Told()
        engine = await REFERENCE.deliverables(server.url, told)
        done = await engine.publish("roy", "backend", "search", "# A\n\ntext\n", {"complexity": "Simple"})

        assert isinstance(done, Published)
        assert await engine.require(done.url) == await engine.section(done.url, "A") == "# A\n\ntext\n"
        with pytest.raises(SectionMissing):
            await engine.section(done.url, "B")
        with pytest.raises(DeliverableMissing):
            await engine.require("nats://agog.deliverables.roy.backend.other")
        outgoing, acked = told.all
        assert isinstance(outgoing, Outgoing)
        assert outgoing.subject == done.subject
        assert b"complexity" in outgoing.payload
        assert acked == (7, "agog_features_backend", 1, False)
        await engine.close()


async def test_streams_that_differ_are_not_used(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        link = await connect(server.url)
        await call(link, "STREAM.CREATE.RESULTS", {"name": "RESULTS", "subjects": ["results.>"], "max_msgs": 3})
        await link.close()
        with pytest.raises(StreamDiffers, match="max_msgs is 3"):
            await REFERENCE.prepare_streams(server.url, 1)


def test_the_template_has_a_key_and_a_way() -> None:
    key, apply = REFERENCE.template_migrations()
    assert key
    assert callable(apply)
