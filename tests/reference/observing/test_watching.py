"""How parts are told, and since when."""

from __future__ import annotations

import asyncio
import math

import pytest

from pytest_agog.reference.observing import watching
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


async def test_what_hangs_takes_the_pause_and_makes_it_no_longer(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every five seconds means from one look to the next, however long a look takes."""
    pauses: list[float] = []
    loop = asyncio.get_running_loop()
    now = 0.0

    class Enough(Exception):
        pass

    async def slow() -> bool:
        nonlocal now
        now += 3.5 if not pauses else 6.0
        return True

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise Enough

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    watch = Watch({})
    monkeypatch.setattr(watch, "look", slow)
    with pytest.raises(Enough):
        await watch.keep_looking()
    monkeypatch.undo()
    assert pauses == [1.5, 0.0]


async def test_a_part_that_hangs_is_down_though_asking_it_cannot_be_called_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of a database that hangs waits for its answer even when it is cancelled."""
    monkeypatch.setattr(watching, "_PATIENCE", 0.05)
    over = asyncio.Event()
    asked = 0

    async def stuck() -> bool:
        nonlocal asked
        asked += 1
        try:
            await over.wait()
        except asyncio.CancelledError:
            await over.wait()
        return True

    watch = Watch({"far": stuck})
    for _ in range(3):
        async with asyncio.timeout(10):
            await watch.look()
        assert watch.told == {"far": "not working"}
    assert asked == 1, "it is not asked again while it owes an answer"
    over.set()
    for _ in range(3):
        await watch.look()
    assert watch.told == {"far": "ok"}
    assert asked > 1
