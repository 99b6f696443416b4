"""What is said of a container engine that is not there; real ones are tested in tests/containers/."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from pytest_agog.stage.machine.engine import missing


@pytest.mark.parametrize("there", [False, True])
def test_an_engine_that_does_not_answer_is_told_with_the_remedy_and_leaves_no_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    address = tmp_path / "engine"
    if there:
        address.touch()  # a file, and no socket
    monkeypatch.setenv("DOCKER_HOST", f"unix://{address}")
    gc.collect()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        said = missing()
        gc.collect()
    assert str(address) in said
    assert "apt-get install docker.io" in said
    assert [one for one in seen if one.category is ResourceWarning] == []
