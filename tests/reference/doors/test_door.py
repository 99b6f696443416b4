"""Tokens in front of a real HTTP service: who comes in, whose right ends, and who has to wait."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from pytest_agog.reference.doors import sessions, signing
from pytest_agog.reference.doors.keyring import Keyring
from pytest_agog.reference.doors.limiting import Limits
from pytest_agog.reference.doors.settings import DoorSettings, read_settings
from tests.reference.doors.house import (
    COOKIE,
    EVENTS,
    OTHER,
    PATIENCE,
    SLOW,
    TOKEN,
    Open,
    bearer,
    settings_of,
    signed_in,
)


async def test_without_tokens_everybody_comes_in(house: Open) -> None:
    there = await house(DoorSettings())
    assert (await there.client.get("/agents")).status_code == 200
    assert (await there.client.get(signing.SIGN_IN)).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(house: Open, path: str) -> None:
    assert (await (await house(settings_of())).client.get(path)).status_code == 200


PATHS = ("/", "/agents", "/api/agents/runs", EVENTS, "/metrics", "/nowhere", "/healthz/", "/readyz/x", "//healthz")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong-0123456789abcdef"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN} {OTHER}"},
        {"Cookie": f"{COOKIE}={TOKEN}"},
        {"Cookie": f"{COOKIE}=99999999999.0123456789abcdef.{'0' * 64}"},
    ],
)
async def test_programs_without_a_token_are_told_in_json(house: Open, headers: dict[str, str]) -> None:
    there = await house(settings_of())
    for path in PATHS:
        answer = await there.client.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="agog"')
        assert "Authorization: Bearer" in answer.json()["error"]
        assert TOKEN not in answer.text
        assert TOKEN not in str(answer.headers)


@pytest.mark.parametrize("token", [TOKEN, OTHER])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_each_token_opens(house: Open, token: str, scheme: str) -> None:
    there = await house(settings_of())
    answer = await there.client.get("/api/agents/runs", headers={"Authorization": f"{scheme} {token}"})
    assert answer.json() == {"path": "/api/agents/runs"}


async def test_a_token_in_a_url_opens_nothing(house: Open) -> None:
    there = await house(settings_of())
    for query in (f"token={TOKEN}", f"access_token={TOKEN}"):
        assert (await there.client.get(f"/agents?{query}")).status_code == 401
    answer = await there.client.post(f"{signing.SIGN_IN}?token={TOKEN}")
    assert answer.status_code == 401


async def test_metrics_may_be_open(house: Open) -> None:
    there = await house(settings_of(open_metrics=True))
    assert (await there.client.get("/metrics")).status_code == 200
    assert (await there.client.get("/agents")).status_code == 401


# --- rotation ---------------------------------------------------------------------------------------------------------
async def test_rotation_ends_the_old_tokens_sessions_and_streams_and_no_others(house: Open, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n{OTHER}\n")
    keyring = Keyring(file)
    there = await house(DoorSettings(keyring))
    await signed_in(there)
    async with (
        there.client.stream("GET", EVENTS) as by_cookie,
        there.client.stream("GET", EVENTS, headers=bearer(OTHER)) as by_other,
    ):
        new = tmp_path / "new"
        new.write_text(f"# rotated\n\n{OTHER}\n")
        new.replace(file)
        keyring.reload()  # as SIGHUP does
        async with asyncio.timeout(PATIENCE):
            with contextlib.suppress(httpx.HTTPError):
                async for _ in by_cookie.aiter_raw():
                    pass
            others = by_other.aiter_raw()
            for _ in range(3):
                assert await anext(others)
    assert (await there.client.get("/agents")).status_code == 401
    assert (await there.client.get("/agents", headers=bearer(TOKEN))).status_code == 401
    assert (await there.client.get("/agents", headers=bearer(OTHER))).status_code == 200


async def test_a_session_ends_in_time(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    there = await house(settings_of())
    monkeypatch.setattr(sessions, "LASTS", -1)
    assert (await signed_in(there)).status_code == 303
    there.client.cookies.clear()
    keyring = there.door._settings.keyring
    assert keyring is not None
    over = sessions.begin(keyring.keys[0], 10**9)
    assert (
        await there.client.get("/agents", headers={"Cookie": f"{sessions.name_of(keyring.keys[0])}={over}"})
    ).status_code == 401


# --- limits -----------------------------------------------------------------------------------------------------------
async def test_a_client_that_asks_too_often_waits_and_others_do_not(house: Open) -> None:
    settings = replace(read_settings(proxies="127.0.0.1"), limits=Limits(requests=SLOW))
    there = await house(settings)

    async def asked(address: str) -> httpx.Response:
        return await there.client.get("/agents", headers={"X-Forwarded-For": f"203.0.113.9, {address}"})

    assert [(await asked("192.0.2.1")).status_code for _ in range(3)] == [200, 200, 200]
    refused = await asked("192.0.2.1")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 3000
    assert "try again in" in refused.json()["error"]
    assert (await asked("192.0.2.2")).status_code == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await there.client.get(path, headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 200
    told = (await there.client.get("/metrics")).text
    assert 'agog_http_limited_total{limit="requests"} 1\n' in told
    assert 'agog_http_limited_total{limit="streams"} 0\n' in told


async def test_a_forwarded_address_is_believed_of_nobody_by_default(house: Open) -> None:
    there = await house(DoorSettings(limits=Limits(requests=SLOW, for_local=True)))
    answers = [
        (await there.client.get("/agents", headers={"X-Forwarded-For": f"192.0.2.{n}"})).status_code for n in range(5)
    ]
    assert answers == [200, 200, 200, 429, 429]


async def test_guessing_is_limited_too(house: Open) -> None:
    there = await house(settings_of(limits=Limits(requests=SLOW, for_local=True)))
    answers = [(await there.client.get("/agents", headers=bearer(f"{n:020}"))).status_code for n in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    assert (await there.client.get("/agents", headers=bearer(TOKEN))).status_code == 200


async def test_this_machines_own_requests_are_not_limited_by_default(house: Open) -> None:
    there = await house(DoorSettings(limits=Limits(requests=SLOW, streams=1)))
    assert {(await there.client.get("/agents")).status_code for _ in range(10)} == {200}
    async with there.client.stream("GET", EVENTS) as one, there.client.stream("GET", EVENTS) as two:
        assert (one.status_code, two.status_code) == (200, 200)


async def test_readers_of_one_client_and_of_all_are_limited_and_make_room_when_they_go(house: Open) -> None:
    there = await house(settings_of(limits=Limits(streams=1, all_streams=2, for_local=True)))

    async with AsyncExitStack() as readers:
        first = await readers.enter_async_context(there.client.stream("GET", EVENTS, headers=bearer(TOKEN)))
        assert first.status_code == 200
        second = await there.client.get(EVENTS, headers=bearer(TOKEN))
        assert second.status_code == 429
        assert second.headers["Retry-After"] == "5"
        await readers.enter_async_context(there.client.stream("GET", EVENTS, headers=bearer(OTHER)))
        third = await there.client.get(EVENTS, headers=bearer(OTHER))
        assert third.status_code == 503
        assert third.headers["Retry-After"] == "5"
        assert (await there.client.get("/agents", headers=bearer(TOKEN))).status_code == 200
    async with asyncio.timeout(PATIENCE):
        while there.door._streams.open:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    async with there.client.stream("GET", EVENTS, headers=bearer(TOKEN)) as again:
        assert again.status_code == 200
    assert there.door.counts.limited == {"streams": 1, "all_streams": 1}
