"""New scenarios: names and themes."""

from __future__ import annotations

import pytest

from pytest_agog.errors import NoScenarioName, UnknownTheme
from pytest_agog.scenario.describing.starter import starter


@pytest.mark.parametrize("name", ["", "a b", "-x", "../x", "x" * 129, "a\nb", "ü"])
def test_names_that_cannot_stand_in_test_ids(name: str) -> None:
    with pytest.raises(NoScenarioName):
        starter(name)


def test_an_unknown_theme() -> None:
    with pytest.raises(UnknownTheme, match=r"'mesages'; did you mean 'messages'\? Give one of deliverables, messages"):
        starter("x", "mesages")
