"""Browsers at the door: forms, sessions, cookies."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx

from pytest_agog.reference.doors import signing
from pytest_agog.reference.doors.limiting import Limits
from pytest_agog.reference.doors.settings import read_settings
from tests.reference.doors.house import (
    BROWSER,
    COOKIE,
    EVENTS,
    OTHER,
    SLOW,
    TOKEN,
    Open,
    bearer,
    settings_of,
    signed_in,
)


async def test_a_browser_is_asked_and_led_back_to_what_it_asked_for(house: Open) -> None:
    there = await house(settings_of())
    answer = await there.client.get("/agents/run%20%22%3E1?x=%22%3E<b>&y=2", headers=BROWSER)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "<b>" not in answer.text
    hidden = re.search(r'name="next" value="([^"]*)"', answer.text)
    assert hidden is not None
    assert hidden[1].replace("&amp;", "&").replace("&#x27;", "'").startswith("/agents/run%20%22%3E1?x=%22%3E")

    led = await signed_in(there)
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
    there = await house(settings_of())
    await signed_in(there)
    left = await there.client.post(signing.SIGN_OUT)
    assert left.status_code == 303
    assert (await there.client.get("/agents")).status_code == 401


ELSEWHERE = (
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
    "agents", "/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "/" + "x" * 3000,
)  # fmt: skip


async def test_nobody_is_led_elsewhere(house: Open) -> None:
    there = await house(settings_of())
    for elsewhere in ELSEWHERE:
        led = await signed_in(there, came_for=elsewhere)
        assert (led.status_code, led.headers["Location"]) == (303, "/"), elsewhere
        assert len(led.headers.get_list("Set-Cookie")) == 1


async def test_forms_of_other_sites_sign_nobody_in_or_out(house: Open) -> None:
    there = await house(settings_of())
    for path in (signing.SIGN_IN, signing.SIGN_OUT):
        answer = await there.client.post(path, data={"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
        assert "Set-Cookie" not in answer.headers


async def test_services_of_one_host_leave_each_others_sessions_alone(house: Open) -> None:
    one, other = await house(settings_of(TOKEN)), await house(settings_of(OTHER))
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


FORMS = (b"", b"token=", b"token=%ff", b"\xff\xfe", b"token=" + b"x" * 30_000, b"&" * 1000)


async def test_forms_that_hold_no_token(house: Open) -> None:
    there = await house(settings_of())
    for body in FORMS:
        answer = await there.client.post(signing.SIGN_IN, content=body)
        assert answer.status_code == 401
        assert "not a valid token" in answer.text


async def test_attempts_to_sign_in_are_limited_and_good_ones_do_not_count(house: Open) -> None:
    there = await house(settings_of(limits=Limits(sign_ins=SLOW)))
    for _ in range(5):
        assert (await signed_in(there)).status_code == 303
    for _ in range(3):
        assert (await signed_in(there, "wrong-0123456789abcdef")).status_code == 401
    refused = await signed_in(there)  # also with the right one: else it could be found by trying
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert (await there.client.get("/agents", headers=bearer(TOKEN))).status_code == 200


async def test_a_cookie_is_for_https_alone_when_a_trusted_proxy_says_that_it_is_used(house: Open) -> None:
    for proxies, secure in (("127.0.0.0/8", True), ("", False)):
        there = await house(replace(read_settings(tokens=TOKEN, proxies=proxies)))
        led = await there.client.post(
            signing.SIGN_IN,
            data={"token": TOKEN},
            headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"},
        )
        assert ("Secure" in led.headers["Set-Cookie"].split("; ")) is secure
