"""The door in front of a real HTTP service: who comes in, who does not, and who has to wait."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from pytest_agog.reference.doors import sessions, signing
from pytest_agog.reference.doors.door import Door
from pytest_agog.reference.doors.keyring import Keyring
from pytest_agog.reference.doors.limiting import Limits, Rate
from pytest_agog.reference.doors.settings import DoorSettings, read_settings
from pytest_agog.reference.serving import HttpServer

TOKEN = "first-0123456789abcdef"
OTHER = "second-0123456789abcdef"
COOKIE = sessions.name_of(Keyring(given=TOKEN).keys[0])
EVENTS = "/api/agents/events"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
PATIENCE = 30
SLOW = Rate(1 / 3600, 3)


async def _said(request: Request) -> Response:
    return JSONResponse({"path": request.url.path})


async def _events(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b": still there\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(body(), media_type="text/event-stream")


@dataclass
class House:
    """A service behind a door."""

    door: Door
    client: httpx.AsyncClient


class Open(Protocol):
    def __call__(self, settings: DoorSettings, near: str | None = None) -> Awaitable[House]: ...


@pytest.fixture
async def house() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def begin(settings: DoorSettings, near: str | None = None) -> House:
            paths = ("/", "/agents", "/agents/{rest:path}", "/healthz", "/readyz", "/api/agents/runs")
            routes = [*(Route(path, _said, methods=["GET", "POST"]) for path in paths), Route(EVENTS, _events)]
            app = Starlette(routes=routes)

            async def metrics(_: Request) -> Response:
                return PlainTextResponse(door.counts.text())

            app.router.routes.append(Route("/metrics", metrics))
            door = Door(app, settings, streams=frozenset({EVENTS}), near=near)
            server = HttpServer("127.0.0.1", 0)
            await server.start(door)
            stack.push_async_callback(server.stop)
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, trust_env=False))
            return House(door, client)

        yield begin


def _settings(*tokens: str, **changes: object) -> DoorSettings:
    found = DoorSettings(Keyring(given="\n".join(tokens or (TOKEN, OTHER))))
    return replace(found, **changes)  # type: ignore[arg-type]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- tokens -----------------------------------------------------------------------------------------------------------
async def test_without_tokens_everybody_comes_in(house: Open) -> None:
    there = await house(DoorSettings())
    assert (await there.client.get("/agents")).status_code == 200
    assert (await there.client.get(signing.SIGN_IN)).status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(house: Open, path: str) -> None:
    assert (await (await house(_settings())).client.get(path)).status_code == 200


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
    there = await house(_settings())
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
    there = await house(_settings())
    answer = await there.client.get("/api/agents/runs", headers={"Authorization": f"{scheme} {token}"})
    assert answer.json() == {"path": "/api/agents/runs"}


async def test_a_token_in_a_url_opens_nothing(house: Open) -> None:
    there = await house(_settings())
    for query in (f"token={TOKEN}", f"access_token={TOKEN}"):
        assert (await there.client.get(f"/agents?{query}")).status_code == 401
    answer = await there.client.post(f"{signing.SIGN_IN}?token={TOKEN}")
    assert answer.status_code == 401


async def test_metrics_may_be_open(house: Open) -> None:
    there = await house(_settings(open_metrics=True))
    assert (await there.client.get("/metrics")).status_code == 200
    assert (await there.client.get("/agents")).status_code == 401


# --- browsers ---------------------------------------------------------------------------------------------------------
async def _signed_in(there: House, token: str = TOKEN, came_for: str = "/agents/run-1?x=1") -> httpx.Response:
    return await there.client.post(signing.SIGN_IN, data={"token": token, "next": came_for})


async def test_a_browser_is_asked_and_led_back_to_what_it_asked_for(house: Open) -> None:
    there = await house(_settings())
    answer = await there.client.get("/agents/run%20%22%3E1?x=%22%3E<b>&y=2", headers=BROWSER)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "<b>" not in answer.text
    hidden = re.search(r'name="next" value="([^"]*)"', answer.text)
    assert hidden is not None
    assert hidden[1].replace("&amp;", "&").replace("&#x27;", "'").startswith("/agents/run%20%22%3E1?x=%22%3E")

    led = await _signed_in(there)
    assert led.status_code == 303
    assert led.headers["Location"] == "/agents/run-1?x=1"
    cookie = led.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert (await there.client.get("/agents")).status_code == 200
    async with there.client.stream("GET", EVENTS) as stream:  # EventSource sends cookies, and no headers of ours
        assert stream.status_code == 200
    page = await there.client.get(signing.SIGN_IN)
    assert "signed in" in page.text


async def test_signing_out_ends_the_browsers_session(house: Open) -> None:
    there = await house(_settings())
    await _signed_in(there)
    left = await there.client.post(signing.SIGN_OUT)
    assert left.status_code == 303
    assert (await there.client.get("/agents")).status_code == 401


ELSEWHERE = (
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
    "agents", "/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "/" + "x" * 3000,
)  # fmt: skip


async def test_nobody_is_led_elsewhere(house: Open) -> None:
    there = await house(_settings())
    for elsewhere in ELSEWHERE:
        led = await _signed_in(there, came_for=elsewhere)
        assert (led.status_code, led.headers["Location"]) == (303, "/"), elsewhere
        assert len(led.headers.get_list("Set-Cookie")) == 1


async def test_forms_of_other_sites_sign_nobody_in_or_out(house: Open) -> None:
    there = await house(_settings())
    for path in (signing.SIGN_IN, signing.SIGN_OUT):
        answer = await there.client.post(path, data={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


async def test_a_page_of_another_site_changes_nothing_also_without_tokens(house: Open) -> None:
    there = await house(DoorSettings())
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        answer = await there.client.post("/agents", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status, site
    assert (await there.client.post("/agents")).status_code == 200
    assert (await there.client.get("/agents", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/agents", "/nowhere", "/metrics"])
async def test_each_answer_is_what_it_says_and_is_not_kept(house: Open, path: str) -> None:
    there = await house(_settings())
    for method in ("GET", "PUT"):
        answer = await there.client.request(method, path, headers=_bearer(TOKEN))
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")


@pytest.mark.parametrize("host", ["elsewhere.example", "a.example:1"])
async def test_a_redirect_does_not_follow_the_host_that_was_named(house: Open, host: str) -> None:
    there = await house(DoorSettings())
    answer = await there.client.get("/api/agents/runs/?x=a%20b", headers={"Host": host})
    assert (answer.status_code, answer.headers["Location"]) == (307, "/api/agents/runs?x=a%20b")


async def test_what_came_through_a_proxy_is_not_of_this_machine(house: Open) -> None:
    there = await house(DoorSettings(limits=Limits(requests=SLOW)))
    for header in ({"X-Forwarded-For": "192.0.2.1"}, {"Forwarded": "for=192.0.2.1"}):
        answers = [(await there.client.get("/agents", headers=header)).status_code for _ in range(4)]
        assert answers[-1] == 429
    assert (await there.client.get("/agents")).status_code == 200


async def test_services_of_one_host_leave_each_others_sessions_alone(house: Open) -> None:
    one, other = await house(_settings(TOKEN)), await house(_settings(OTHER))
    cookies = httpx.Cookies()
    for there, token in ((one, TOKEN), (other, OTHER)):
        cookies.update((await there.client.post(signing.SIGN_IN, data={"token": token})).cookies)

    async def answers() -> list[int]:
        header = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        for there in (one, other):
            there.client.cookies.clear()
        return [(await there.client.get("/agents", headers=header)).status_code for there in (one, other)]

    assert await answers() == [200, 200]
    cookies = httpx.Cookies({name: value for name, value in cookies.items() if name != COOKIE})
    assert await answers() == [401, 200]
    ended = (await one.client.post(signing.SIGN_OUT)).headers.get_list("Set-Cookie")
    assert [each.partition(";")[0] for each in ended] == [f"{COOKIE}="]


NEAR = ("localhost", "LOCALHOST:8080", "a.localhost", "127.0.0.1", "127.0.0.1:1", "[::1]:8080", "192.0.2.1", "given:1",
        "host.docker.internal:8080", "localhost.")  # fmt: skip
FAR = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "xlocalhost", "other",
       "127.0.0.1@evil.example")  # fmt: skip


@pytest.mark.parametrize(("host", "status"), [*((host, 200) for host in NEAR), *((host, 421) for host in FAR)])
async def test_without_a_token_only_names_of_this_machine_reach_what_only_it_reaches(
    house: Open, host: str, status: int
) -> None:
    there = await house(DoorSettings(), "given")
    for path in ("/agents", "/api/agents/runs", "/nowhere"):
        answer = await there.client.get(path, headers={"Host": host})
        assert answer.status_code == (404 if status == 200 and path == "/nowhere" else status)
    assert (await there.client.post("/agents", headers={"Host": host})).status_code == status
    for path in ("/healthz", "/readyz", "/metrics"):  # probes and Prometheus ask by any name
        assert (await there.client.get(path, headers={"Host": host})).status_code == 200


async def test_a_token_or_a_proxy_or_an_open_port_takes_any_name(house: Open) -> None:
    host = {"Host": "agents.example"}
    behind = await house(read_settings(proxies="127.0.0.1"), "127.0.0.1")
    assert (await behind.client.get("/agents", headers=host)).status_code == 200
    assert (await (await house(DoorSettings())).client.get("/agents", headers=host)).status_code == 200
    locked = await house(_settings(TOKEN), "127.0.0.1")
    assert (await locked.client.get("/agents", headers={**host, **_bearer(TOKEN)})).status_code == 200
    assert (await locked.client.get("/agents", headers=host)).status_code == 401


FORMS = (b"", b"token=", b"token=%ff", b"\xff\xfe", b"token=" + b"x" * 30_000, b"&" * 1000)


async def test_forms_that_hold_no_token(house: Open) -> None:
    there = await house(_settings())
    for body in FORMS:
        answer = await there.client.post(signing.SIGN_IN, content=body)
        assert answer.status_code == 401
        assert "not a valid token" in answer.text


async def test_attempts_to_sign_in_are_limited_and_good_ones_do_not_count(house: Open) -> None:
    there = await house(_settings(limits=Limits(sign_ins=SLOW)))
    for _ in range(5):
        assert (await _signed_in(there)).status_code == 303
    for _ in range(3):
        assert (await _signed_in(there, "wrong-0123456789abcdef")).status_code == 401
    refused = await _signed_in(there)  # also with the right one: else it could be found by trying
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert (await there.client.get("/agents", headers=_bearer(TOKEN))).status_code == 200


async def test_a_cookie_is_for_https_alone_when_a_trusted_proxy_says_that_it_is_used(house: Open) -> None:
    for proxies, secure in (("127.0.0.0/8", True), ("", False)):
        there = await house(replace(read_settings(tokens=TOKEN, proxies=proxies)))
        led = await there.client.post(
            signing.SIGN_IN,
            data={"token": TOKEN},
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"},
        )
        assert ("Secure" in led.headers["Set-Cookie"].split("; ")) is secure


# --- rotation ---------------------------------------------------------------------------------------------------------
async def test_rotation_ends_the_old_tokens_sessions_and_streams_and_no_others(house: Open, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n{OTHER}\n")
    keyring = Keyring(file)
    there = await house(DoorSettings(keyring))
    await _signed_in(there)
    async with (
        there.client.stream("GET", EVENTS) as by_cookie,
        there.client.stream("GET", EVENTS, headers=_bearer(OTHER)) as by_other,
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
    assert (await there.client.get("/agents", headers=_bearer(TOKEN))).status_code == 401
    assert (await there.client.get("/agents", headers=_bearer(OTHER))).status_code == 200


async def test_a_session_ends_in_time(house: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    there = await house(_settings())
    monkeypatch.setattr(sessions, "LASTS", -1)
    assert (await _signed_in(there)).status_code == 303
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
    there = await house(_settings(limits=Limits(requests=SLOW, for_local=True)))
    answers = [(await there.client.get("/agents", headers=_bearer(f"{n:020}"))).status_code for n in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    assert (await there.client.get("/agents", headers=_bearer(TOKEN))).status_code == 200


async def test_this_machines_own_requests_are_not_limited_by_default(house: Open) -> None:
    there = await house(DoorSettings(limits=Limits(requests=SLOW, streams=1)))
    assert {(await there.client.get("/agents")).status_code for _ in range(10)} == {200}
    async with there.client.stream("GET", EVENTS) as one, there.client.stream("GET", EVENTS) as two:
        assert (one.status_code, two.status_code) == (200, 200)


async def test_readers_of_one_client_and_of_all_are_limited_and_make_room_when_they_go(house: Open) -> None:
    there = await house(_settings(limits=Limits(streams=1, all_streams=2, for_local=True)))

    async with AsyncExitStack() as readers:
        first = await readers.enter_async_context(there.client.stream("GET", EVENTS, headers=_bearer(TOKEN)))
        assert first.status_code == 200
        second = await there.client.get(EVENTS, headers=_bearer(TOKEN))
        assert second.status_code == 429
        assert second.headers["Retry-After"] == "5"
        await readers.enter_async_context(there.client.stream("GET", EVENTS, headers=_bearer(OTHER)))
        third = await there.client.get(EVENTS, headers=_bearer(OTHER))
        assert third.status_code == 503
        assert third.headers["Retry-After"] == "5"
        assert (await there.client.get("/agents", headers=_bearer(TOKEN))).status_code == 200
    async with asyncio.timeout(PATIENCE):
        while there.door._streams.open:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    async with there.client.stream("GET", EVENTS, headers=_bearer(TOKEN)) as again:
        assert again.status_code == 200
    assert there.door.counts.limited == {"streams": 1, "all_streams": 1}
