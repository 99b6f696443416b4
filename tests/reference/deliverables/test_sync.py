from __future__ import annotations

import asyncio
import threading

import pytest

from pytest_agog.errors import DeliverableMissing, NatsUnreachable
from pytest_agog.reference.deliverables.sync import SyncDeliverableEngine
from pytest_agog.stage.servers.nats import NatsServer


def test_the_same_methods_without_await(server: NatsServer) -> None:
    before = threading.active_count()
    with SyncDeliverableEngine.connect(server.url) as engine:
        assert all(outcome.as_defined for outcome in engine.init_streams())
        done = engine.publish("roy", "backend", "search", "# A\n\n## B\n\ntext\n")
        assert engine.fetch(done.url) == engine.require("roy", "backend", "search") == "# A\n\n## B\n\ntext\n"
        assert engine.section(done.url, "B") == "## B\n\ntext\n"
        assert [heading.title for heading in engine.outline(done.url)] == ["A", "B"]
        assert [revision.sequence for revision in engine.revisions(done.url)] == [1]
        assert engine.revision(done.url, sequence=1).content.startswith("# A")
        assert engine.report(done.url) is not None
        assert len(engine.statuses()) == 7
        assert engine.fetch("roy", "backend", "other") is None
        with pytest.raises(DeliverableMissing):
            engine.require("roy", "backend", "other")
        with engine.subscribe("roy", from_sequence=1) as reports:
            assert next(reports).url == done.url
            engine.publish("roy", "backend", "next", "x")
            assert next(reports).content == "x"
    assert threading.active_count() == before


def test_a_failed_connect_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(NatsUnreachable):
        SyncDeliverableEngine.connect("nats://127.0.0.1:1")
    assert threading.active_count() == before


async def test_it_works_beside_a_running_loop(server: NatsServer) -> None:
    with SyncDeliverableEngine.connect(server.url) as engine:
        assert len(engine.init_streams()) == 15
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)
