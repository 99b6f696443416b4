"""Workers, Postgres and NATS killed, frozen and cut off at random under load: nothing lost or twice. [C4, J14, J16]"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reference.comms.chaos.history import History, Seen, violations
from tests.reference.comms.chaos.storm import storm

SEEDS = int(os.environ.get("AGOG_STORM_SEEDS", "2"))
"""How many storms. After changes to ingest, events or links let ten pass: AGOG_STORM_SEEDS=10 pytest THIS_FILE."""
SECONDS = float(os.environ.get("AGOG_STORM_SECONDS", "3"))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_storm_loses_and_repeats_nothing(seed: int, tmp_path: Path) -> None:
    outcome = await storm(seed, tmp_path, SECONDS)
    assert outcome.violations == [], outcome
    assert outcome.acked > 100
    assert outcome.rejected > 10
    assert len(outcome.blows) > 2


FINE = History(
    acked=frozenset({"a", "b"}),
    acked_bad=frozenset({"c"}),
    rows=[("a", 1), ("b", 2), ("unacked", 3)],
    rejected=[("c", 7)],
    wanted={"one": [1, 2, 3], "none": []},
    readers=[Seen("one", {}, [1, 2, 3]), Seen("none", {})],
)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (FINE, None),
        (replace(FINE, acked=frozenset({"a", "b", "gone"})), "1 acked messages have no row: ['gone']"),
        (replace(FINE, rows=[*FINE.rows, ("a", 4)]), "1 messages have more than one row: ['a']"),
        (replace(FINE, rows=[*FINE.rows, ("unacked", 4)]), "more than one row: ['unacked']"),
        (replace(FINE, rejected=[]), "1 acked messages have no rejected row: ['c']"),
        (replace(FINE, rejected=[("c", 7), ("c", 7)]), "1 places of the stream were rejected twice: [7]"),
        (replace(FINE, readers=[Seen("one", {}, [1, 3])]), "1 missing [2], 0 repeated"),
        (replace(FINE, readers=[Seen("one", {}, [1, 2, 2, 3])]), "1 repeated, 0 foreign, 1 times out of order"),
        (replace(FINE, readers=[Seen("one", {}, [1, 3, 2])]), "0 repeated, 0 foreign, 1 times out of order"),
        (replace(FINE, readers=[Seen("none", {}, [9])]), "1 foreign"),
    ],
)
def test_what_a_storm_must_not_leave_is_seen(broken: History, said: str | None) -> None:
    found = violations(broken)
    assert len(found) == (said is not None)
    assert said is None or said in found[0]
