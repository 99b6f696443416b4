"""Signs of life of listeners and orchestrators, for whoever wants to know that they are there. [X5]

Each tells on `agog.health.beat.{kind}.{name}`, a core subject: every three seconds, at once when it begins, and once
more when it leaves in order. Nothing is stored, so a sign of life is never older than it looks. Three that do not come
mean that it died, whatever it had in hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_agog.errors import AgogError
from pytest_agog.reference.observing.usage import OwnUsage
from pytest_agog.wire.times import UtcTime

if TYPE_CHECKING:
    from nats.aio.msg import Msg

    from pytest_agog.reference.deliverables.connecting import Link

SUBJECT: Final = "agog.health.beat"
ASK: Final = "agog.health.ask"
"""Whoever comes to look says this, and everybody gives a sign of life at once."""
EVERY: Final = 3.0
"""Seconds between two signs of life."""
SILENCE: Final = 9.5
"""Seconds of silence after which somebody is taken for dead."""
FORGOTTEN: Final = 3600.0
"""Seconds after which nobody waits for the dead any more."""
MOST: Final = 200
"""How many are remembered."""
Kind = Literal["listener", "orchestrator"]
Outcome = Literal["completed", "blocked", "failed", "timeout"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Beat(BaseModel):
    """One sign of life. Fields that a later version adds do no harm."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")
    place: str = Field(default="", max_length=300)
    """The same for all that stand for each other: one that starts where another died has replaced it."""
    host: str = Field(default="", max_length=255)
    pid: int = 0
    started_at: UtcTime
    at: UtcTime
    leaving: bool = False
    """It stops, in order."""
    memory: int = Field(default=0, ge=0)
    """Resident bytes."""
    cpu_seconds: float = Field(default=0, ge=0, allow_inf_nan=False)
    cpu_percent: float = Field(default=0, ge=0, allow_inf_nan=False)
    running: int = Field(default=0, ge=0)
    """Agents at work, of a listener."""
    started: int = Field(default=0, ge=0)
    """Agents that it ever started."""
    ended: dict[Outcome, int] = Field(default_factory=dict)
    """Attempts by how they ended, those that could not even begin included."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who gave a sign of life."""

    beat: Beat
    """The last one."""
    alive: bool
    since: datetime
    """Since when it is so: when it started, or when it was heard of last."""


@dataclass(slots=True)
class _Heard:
    beat: Beat
    at: float
    when: datetime = field(default_factory=lambda: datetime.now(UTC))


class Roster:
    """Who is there, by what was heard. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, _Heard] = {}
        self._begun = clock()
        self._deaf: float | None = None

    @property
    def young(self) -> bool:
        """Whether there was too little time to hear from everybody."""
        return self._clock() - self._begun <= SILENCE

    def hear(self, data: bytes) -> None:
        """Take note; what is no sign of life is none."""
        try:
            beat = Beat.model_validate_json(data)
        except ValidationError:
            return
        if beat.leaving:
            self._heard.pop(beat.name, None)
            return
        self._heard[beat.name] = _Heard(beat, self._clock())
        if len(self._heard) > MOST:
            del self._heard[min(self._heard, key=lambda name: self._heard[name].at)]

    def deaf(self) -> None:
        """Nothing can be heard at this moment, so silence means nothing."""
        self._deaf = self._clock()

    def members(self, kind: Kind) -> list[Member]:
        """By name, those that died included until they are replaced, or long gone."""
        now = self._clock()
        self._heard = {name: one for name, one in self._heard.items() if now - one.at <= FORGOTTEN}
        own = {name: one for name, one in self._heard.items() if one.beat.kind == kind}
        dead = {name for name, one in own.items() if now - max(one.at, self._deaf or one.at) > SILENCE}
        for name in _replaced(own, dead):
            del self._heard[name], own[name]
        return [
            Member(one.beat, name not in dead, one.when if name in dead else one.beat.started_at)
            for name, one in sorted(own.items())
        ]


def _replaced(heard: dict[str, _Heard], dead: set[str]) -> list[str]:
    """Those in whose place somebody started after they had fallen silent; each new one replaces one."""
    fresh = sorted((one.beat for name, one in heard.items() if name not in dead), key=lambda beat: beat.started_at)
    found = []
    for name in sorted(dead, key=lambda name: heard[name].beat.at):
        last = heard[name].beat
        by = next((one for one in fresh if one.place == last.place and one.started_at > last.at), None)
        if by is not None:
            fresh.remove(by)
            found.append(name)
    return found


@contextlib.asynccontextmanager
async def hearing(link: Link, roster: Roster) -> AsyncIterator[Roster]:
    """Listens for signs of life while the block runs."""

    async def heard(message: Msg) -> None:
        roster.hear(message.data)

    import nats.errors

    subscription = await link.nc.subscribe(f"{SUBJECT}.>", cb=heard)
    with contextlib.suppress(nats.errors.Error):
        await link.nc.publish(ASK, b"")
    try:
        yield roster
    finally:
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()


@contextlib.asynccontextmanager
async def beating(
    link: Link, kind: Kind, name: str, place: str, figures: Callable[[], dict[str, Any]] = dict
) -> AsyncIterator[None]:
    """Gives signs of life while the block runs, and says goodbye. `figures` are further fields of `Beat`."""
    import os
    import socket

    import nats.errors

    started, usage, host = datetime.now(UTC), OwnUsage(), socket.gethostname()[:255]

    async def tell(*, leaving: bool = False) -> None:
        taken = usage.look()
        beat = Beat(
            kind=kind, name=name, place=place[:300], host=host, pid=os.getpid(), started_at=started,
            at=datetime.now(UTC), leaving=leaving, memory=taken.memory, cpu_seconds=taken.cpu_seconds,
            cpu_percent=round(taken.cpu_percent, 1), **figures(),
        )  # fmt: skip
        with contextlib.suppress(nats.errors.Error, AgogError, OSError):
            if link.nc.is_connected:  # kept back, it would tell of life later on
                await link.nc.publish(f"{SUBJECT}.{kind}.{name}", beat.model_dump_json().encode())

    async def again() -> None:
        while True:
            await tell()
            await asyncio.sleep(EVERY)

    async def asked(_: Msg) -> None:
        await tell()

    subscription = await link.nc.subscribe(ASK, cb=asked)
    task = asyncio.create_task(again())
    try:
        yield
    finally:
        with contextlib.suppress(nats.errors.Error):
            await subscription.unsubscribe()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await tell(leaving=True)
