"""The garbage collector rests while scenarios are read and played, and goes on afterwards as it was."""

from __future__ import annotations

import gc

import pytest

from pytest_agog.session.resting import SELDOM, rest_for_good, seldom_collecting


def test_the_thresholds_come_back_whatever_happens() -> None:
    before = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        try:
            with seldom_collecting():
                assert gc.get_threshold() == SELDOM
                with seldom_collecting():
                    assert gc.get_threshold() == SELDOM
                assert gc.get_threshold() == SELDOM
                raise KeyError  # noqa: TRY301 - what a test raises
        except KeyError:
            assert gc.get_threshold() == (700, 10, 10)
        gc.set_threshold(0)
        with seldom_collecting():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_at_the_end_it_rests_for_good_but_not_within_a_test_of_another_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.unfreeze()  # whatever another test of this process left frozen
    rest_for_good()
    assert gc.get_freeze_count() == 0
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    try:
        rest_for_good()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
