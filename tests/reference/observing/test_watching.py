"""How parts are told, and since when."""

from __future__ import annotations

import math

import pytest

from pytest_agog.reference.observing.watching import Watch


class Parts:
    """What a look finds."""

    state: bool | None = None
    own: bool | None = True

    async def look(self) -> bool | None:
        return self.state

    async def broken(self) -> bool | None:
        raise OSError("away")


@pytest.fixture
def parts() -> Parts:
    return Parts()


async def test_a_part_is_there_before_it_was_looked_at(parts: Parts) -> None:
    watch = Watch({"far": parts.look, "broken": parts.broken}, {"near": lambda: parts.own})
    assert watch.up == {"far": 0, "broken": 0, "near": 1}
    assert watch.told == {"far": "starting", "broken": "starting", "near": "ok"}
    await watch.look()
    assert math.isnan(watch.up.pop("far"))
    assert watch.told == {"far": "unknown", "broken": "not working", "near": "ok"}
    assert watch.looked == 1


async def test_since_is_when_it_changed(parts: Parts) -> None:
    watch = Watch({"far": parts.look}, {"near": lambda: parts.own})
    parts.state = True
    await watch.look()
    far, near = watch.parts
    await watch.look()
    assert watch.parts == (far, near), "nothing changed"
    parts.state, parts.own = False, None
    await watch.look()
    now_far, now_near = watch.parts
    assert (now_far.condition, now_near.condition) == ("down", "unknown")
    assert far.since is not None
    assert now_far.since is not None
    assert now_far.since > far.since
