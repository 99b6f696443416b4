"""Where a request comes from, and by which name it asks: other sites, proxies, names of other machines."""

from __future__ import annotations

import pytest

from pytest_agog.reference.doors.limiting import Limits
from pytest_agog.reference.doors.settings import DoorSettings, read_settings
from tests.reference.doors.house import (
    SLOW,
    TOKEN,
    Open,
    bearer,
    settings_of,
)


async def test_a_page_of_another_site_changes_nothing_also_without_tokens(house: Open) -> None:
    there = await house(DoorSettings())
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        answer = await there.client.post("/agents", headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status, site
    assert (await there.client.post("/agents")).status_code == 200
    assert (await there.client.get("/agents", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/agents", "/nowhere", "/metrics"])
async def test_each_answer_is_what_it_says_and_is_not_kept(house: Open, path: str) -> None:
    there = await house(settings_of())
    for method in ("GET", "PUT"):
        answer = await there.client.request(method, path, headers=bearer(TOKEN))
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
    locked = await house(settings_of(TOKEN), "127.0.0.1")
    assert (await locked.client.get("/agents", headers={**host, **bearer(TOKEN)})).status_code == 200
    assert (await locked.client.get("/agents", headers=host)).status_code == 401
