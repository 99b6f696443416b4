"""The token of a play: made where a service demands one, given where the service is not ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_agog.errors import UsageError
from pytest_agog.masking import MASK, mask
from pytest_agog.reference.doors.settings import read_settings
from pytest_agog.scenario.model import CommsService, Services, TokenClaims
from pytest_agog.scenario.orchestrator_steps import OrchestratorService
from pytest_agog.scenario.reading.places import Position
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.target.components import Comms
from pytest_agog.stage.target.doors import token_for
from pytest_agog.stage.target.parts import PartElsewhere
from pytest_agog.stage.target.targets import REFERENCE_COMMS, REFERENCE_CREW

ELSEWHERE = PartElsewhere("http://comms.example")
PLAY = Scenario(
    "x", Path("x.yaml"), "", (), Services(), {}, (), (), TokenClaims(), Position(Path("x.yaml"), 1, 1)
)  # fmt: skip


def _play(**services: object) -> Scenario:
    return dataclasses.replace(PLAY, services=Services.model_validate(services))


def test_no_token_where_none_is_demanded() -> None:
    for play in (_play(), _play(comms=CommsService()), _play(orchestrator=OrchestratorService())):
        assert token_for(play, REFERENCE_COMMS, REFERENCE_CREW.orchestrator) is None
        assert token_for(play, ELSEWHERE, ELSEWHERE) is None


def test_each_play_has_a_token_of_its_own_that_the_door_takes_and_masking_knows() -> None:
    play = _play(comms=CommsService(token=True))
    first, second = (token_for(play, REFERENCE_COMMS, ELSEWHERE) for _ in range(2))
    assert first is not None
    assert first != second
    assert read_settings(tokens=first).keyring is not None
    assert mask(f"it says {first}.") == f"it says {MASK}."


def test_a_service_that_runs_elsewhere_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    play = _play(orchestrator=OrchestratorService(token=True))
    monkeypatch.delenv("AGOG_HTTP_TOKEN", raising=False)
    with pytest.raises(UsageError, match="give it in AGOG_HTTP_TOKEN"):
        token_for(play, REFERENCE_COMMS, ELSEWHERE)
    monkeypatch.setenv("AGOG_HTTP_TOKEN", "new-0123456789abcdef\nold-0123456789abcdef\n")
    assert token_for(play, REFERENCE_COMMS, ELSEWHERE) == "new-0123456789abcdef"


def test_instances_find_it_in_their_environment(tmp_path: Path) -> None:
    for wanted, found in (
        (CommsService(token=True, env={"A": "1"}), {"A": "1", "AGOG_HTTP_TOKEN": "t"}),
        (CommsService(), {}),
    ):
        (one,) = Comms(REFERENCE_COMMS, wanted, tmp_path, token="t").instances
        assert one.further == found
