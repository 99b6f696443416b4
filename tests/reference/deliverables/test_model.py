"""The engine against a model: lists of revisions in a dict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from pytest_agog.reference.deliverables.sync import SyncDeliverableEngine
from pytest_agog.stage.servers.nats import NatsServer

FEATURES = ("search", "login")
features = st.sampled_from(FEATURES)
contents = st.sampled_from(["", "A", "B", "é" * 700, "line\r\nline\x00\u2028"])


class Engine(RuleBasedStateMachine):
    """Two engines on one server, so that neither sees all that happens."""

    url = ""
    runs = 0

    @initialize()
    def begin(self) -> None:
        type(self).runs += 1
        # Features of their own for each run: one server serves all runs.
        self.run = type(self).runs
        self.model: dict[str, list[tuple[int, str]]] = {feature: [] for feature in FEATURES}
        self.engines = [SyncDeliverableEngine.connect(self.url, object_threshold=1000) for _ in range(2)]

    def where(self, feature: str) -> tuple[str, str, str]:
        return ("roy", "backend", f"{feature}-{self.run}")

    @rule(which=st.integers(0, 1), feature=features, content=contents)
    def publish(self, which: int, feature: str, content: str) -> None:
        revisions = self.model[feature]
        done = self.engines[which].publish(*self.where(feature), content)
        if revisions and revisions[-1][1] == content:
            assert done.duplicate
            assert done.sequence == revisions[-1][0]
        else:
            assert not done.duplicate
            assert not revisions or done.sequence > revisions[-1][0]
            revisions.append((done.sequence, content))

    @rule(which=st.integers(0, 1), feature=features)
    def fetch(self, which: int, feature: str) -> None:
        revisions = self.model[feature]
        assert self.engines[which].fetch(*self.where(feature)) == (revisions[-1][1] if revisions else None)

    @rule(which=st.integers(0, 1), feature=features, data=st.data())
    def fetch_revision(self, which: int, feature: str, data: st.DataObject) -> None:
        if revisions := self.model[feature]:
            sequence, content = data.draw(st.sampled_from(revisions))
            assert self.engines[which].revision(*self.where(feature), sequence=sequence).content == content

    @rule(feature=features)
    def begin_anew(self, feature: str) -> None:
        """An engine that knows nothing of what was published."""
        self.engines.pop(0).close()
        self.engines.append(SyncDeliverableEngine.connect(self.url, object_threshold=1000))

    @invariant()
    def revisions_are_the_models(self) -> None:
        for feature, revisions in getattr(self, "model", {}).items():
            listed = self.engines[0].revisions(*self.where(feature))
            assert [revision.sequence for revision in listed] == [sequence for sequence, _ in revisions]

    def teardown(self) -> None:
        for engine in getattr(self, "engines", []):
            engine.close()


@contextmanager
def running() -> Iterator[NatsServer]:
    with tempfile.TemporaryDirectory() as folder, NatsServer(Path(folder) / "nats") as server:
        with SyncDeliverableEngine.connect(server.url) as engine:
            engine.init_streams()
        yield server


def test_the_engine_is_its_model() -> None:
    with running() as server:
        machine: Any = type("EngineMachine", (Engine,), {"url": server.url})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
