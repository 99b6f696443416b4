"""The fixtures that users meet: addresses, and clients of the caller's own event loop, in sync and async tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_agog import factories
from pytest_agog.session.run import run_of

if TYPE_CHECKING:
    from pytest_agog.session.addresses import Nats
    from pytest_agog.session.handles import DeliverableFixture, LedgerFixture, Player

agog_nats = factories.agog_nats_proc()
agog_postgres = factories.agog_postgres_proc()
agog_comms = factories.agog_comms_proc()
agog_orchestrator = factories.agog_orchestrator_proc()


@pytest.fixture
def agog_deliverables(agog_nats: Nats) -> Generator[DeliverableFixture]:
    """The reference system's deliverable engine."""
    from pytest_agog.session.handles import DeliverableFixture

    fixture = DeliverableFixture(agog_nats)
    yield fixture
    fixture.close()


@pytest.fixture
def agog_ledger(agog_nats: Nats, request: pytest.FixtureRequest) -> Generator[LedgerFixture]:
    """Everything that crosses the test's NATS, recorded."""
    from pytest_agog.session.handles import LedgerFixture

    fixture = LedgerFixture(agog_nats, run_of(request.config).loop)
    yield fixture
    fixture.close()


@pytest.fixture
def agog_play(request: pytest.FixtureRequest) -> Player:
    """Plays a scenario from a test and returns its result, ledger and verdicts included."""
    from pytest_agog.session.handles import Player

    return Player(run_of(request.config), lambda: request.getfixturevalue("tmp_path"))
