"""Signs of life: who is taken for alive, dead, or replaced; by a clock of the test, and on a real nats-server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.observing.beats import FORGOTTEN, MOST, SILENCE, Beat, Roster, beating, hearing
from pytest_agog.stage.servers.nats import NatsServer

BEGIN = datetime(2026, 3, 2, 10, tzinfo=UTC)
PATIENCE = 30.0


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def roster(clock: Time) -> Roster:
    return Roster(clock)


def beat(name: str, clock: Time, *, started: float = 0.0, **fields: Any) -> bytes:
    at = BEGIN + timedelta(seconds=clock.now)
    fields = {"kind": "listener", "place": "here", **fields}
    return (
        Beat(name=name, started_at=BEGIN + timedelta(seconds=started), at=at, **fields).model_dump_json().encode()
    )  # fmt: skip


def alive(roster: Roster) -> dict[str, bool]:
    return {one.beat.name: one.alive for one in roster.members("listener")}


def test_whoever_falls_silent_is_dead_also_with_work_in_hand(roster: Roster, clock: Time) -> None:
    roster.hear(beat("a", clock, running=3))
    clock.now += SILENCE
    assert alive(roster) == {"a": True}
    clock.now += 0.1
    assert alive(roster) == {"a": False}
    roster.hear(beat("a", clock))
    assert alive(roster) == {"a": True}, "it was only slow"


def test_whoever_leaves_in_order_is_not_missed(roster: Roster, clock: Time) -> None:
    roster.hear(beat("a", clock))
    roster.hear(beat("a", clock, leaving=True))
    assert alive(roster) == {}


def test_one_that_starts_in_its_place_replaces_one_dead(roster: Roster, clock: Time) -> None:
    for name in ("a", "b"):
        roster.hear(beat(name, clock))
    clock.now += 2
    roster.hear(beat("b", clock))
    clock.now += 20
    roster.hear(beat("elsewhere", clock, started=clock.now, place="there"))
    roster.hear(beat("other", clock, started=0.0))
    assert alive(roster) == {"a": False, "b": False, "elsewhere": True, "other": True}
    roster.hear(beat("new", clock, started=clock.now))
    assert alive(roster) == {"b": False, "elsewhere": True, "new": True, "other": True}


def test_nobody_dies_while_nothing_can_be_heard(roster: Roster, clock: Time) -> None:
    roster.hear(beat("a", clock))
    clock.now += 100
    roster.deaf()
    clock.now += SILENCE - 0.1
    assert alive(roster) == {"a": True}
    clock.now += 0.2
    assert alive(roster) == {"a": False}


def test_the_dead_are_forgotten_and_never_too_many(roster: Roster, clock: Time) -> None:
    roster.hear(beat("a", clock))
    clock.now += FORGOTTEN + 1
    assert alive(roster) == {}
    for number in range(MOST + 5):
        clock.now += 0.001
        roster.hear(beat(f"l{number}", clock))
    assert len(alive(roster)) == MOST
    assert "l4" not in alive(roster)
    assert "l5" in alive(roster)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"\xff", b'{"kind": "listener", "name": "a.b>", "started_at": "2026-03-02T10:00:00Z"}',
        b'{"kind":"listener","name":"a","started_at":"2026-03-02T10:00:00Z","at":"2026-03-02T10:00:00Z","running":-1}',
        b'{"kind":"king","name":"a","started_at":"2026-03-02T10:00:00Z","at":"2026-03-02T10:00:00Z"}',
    ],
)  # fmt: skip
def test_what_is_no_sign_of_life_is_none(roster: Roster, data: bytes) -> None:
    roster.hear(data)
    assert alive(roster) == {}


def test_fields_of_later_versions_do_no_harm(roster: Roster, clock: Time) -> None:
    roster.hear(beat("a", clock)[:-1] + b',"later": {"x": 1}}')
    assert alive(roster) == {"a": True}


# --- on a real server -------------------------------------------------------------------------------------------------
@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


class Told(Roster):
    """Says when it heard something."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = asyncio.Event()

    def hear(self, data: bytes) -> None:
        super().hear(data)
        self.heard.set()

    async def until(self, expected: dict[str, bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while alive(self) != expected:
                self.heard.clear()
                await self.heard.wait()


async def test_they_are_heard_asked_and_say_goodbye(nats_server: NatsServer) -> None:
    speaker, listener = await connect(nats_server.url), await connect(nats_server.url)
    figures = {"running": 1, "started": 7, "ended": {"failed": 2}}
    first, late = Told(), Told()
    try:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(hearing(listener, first))
            async with beating(speaker, "listener", "a", "here", lambda: figures):
                await first.until({"a": True})
                await stack.enter_async_context(hearing(listener, late))
                await late.until({"a": True})
                (one,) = late.members("listener")
                assert (one.beat.running, one.beat.started, one.beat.ended) == (1, 7, {"failed": 2})
                assert one.beat.memory > 1_000_000
                assert one.beat.cpu_seconds > 0
                assert one.beat.place == "here"
            await first.until({})
            await late.until({})
    finally:
        await speaker.close()
        await listener.close()
