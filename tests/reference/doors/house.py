"""A real HTTP service behind a door, and what comes to it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Protocol

import httpx

from pytest_agog.reference.doors import sessions, signing
from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.doors.keyring import Keyring
from pytest_agog.reference.doors.limiting import Rate
from pytest_agog.reference.doors.settings import DoorSettings

TOKEN = "first-0123456789abcdef"
OTHER = "second-0123456789abcdef"
COOKIE = sessions.name_of(Keyring(given=TOKEN).keys[0])
EVENTS = "/api/agents/events"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PATIENCE = 30
SLOW = Rate(1 / 3600, 3)


@dataclass
class House:
    """A service behind a door."""

    door: Door
    client: httpx.AsyncClient


class Open(Protocol):
    def __call__(self, settings: DoorSettings, near: str | None = None) -> Awaitable[House]: ...


def settings_of(*tokens: str, **changes: object) -> DoorSettings:
    found = DoorSettings(Keyring(given="\n".join(tokens or (TOKEN, OTHER))))
    return replace(found, **changes)  # type: ignore[arg-type]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def signed_in(there: House, token: str = TOKEN, came_for: str = "/agents/run-1?x=1") -> httpx.Response:
    return await there.client.post(signing.SIGN_IN, data={"token": token, "next": came_for})
