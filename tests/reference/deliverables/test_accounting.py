from __future__ import annotations

import pytest

from pytest_agog.reference.deliverables.accounting import Accounts


def test_sums_are_those_of_the_fine_print() -> None:
    accounts = Accounts(counter=len)
    accounts.spawned("pp", [])
    accounts.spawned("ppp", [("r" * 100, "n" * 5)])
    accounts.spawned("p", [("r" * 100, "n" * 5), ("s" * 50, "m" * 4)])
    accounts.handed("h" * 30)

    totals = accounts.totals
    assert (totals.inline, totals.notices, totals.fetched) == (250, 20, 30)
    assert totals.spawn_savings == pytest.approx(1 - 20 / 250)
    assert totals.net_savings == pytest.approx(1 - 50 / 250)


def test_without_a_hand_over_there_is_nothing_to_save() -> None:
    accounts = Accounts(counter=len)
    accounts.spawned("prompt", [])
    assert accounts.totals.spawn_savings is None
    assert accounts.totals.net_savings is None
