from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import pytest

from pytest_agog.reference.comms.pages.urls import Place
from tests.reference.comms.pages.site import Site


@pytest.fixture
async def client(service: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        yield client


def shown(html: str) -> list[int]:
    """The messages of a page or fragment that stand for themselves."""
    return [int(seq) for seq in re.findall(r'<article [^>]*data-seq="(\d+)"', html)]


PAGES = ["/agents", "/agents/general", "/agents/run-1", "/agents/nobody"]


@pytest.mark.parametrize("path", [*PAGES, "/agents/run-1/messages?after=0", "/agents/run-1/messages/1", "/agents/list"])
async def test_every_answer_is_guarded(service: Site, client: httpx.AsyncClient, path: str) -> None:
    await service.book.add({"content": "Hello."})
    headers = (await client.get(path)).headers
    policy = {part.split()[0]: part.partition(" ")[2] for part in headers["content-security-policy"].split("; ")}
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_home_leads_to_the_runs(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/agents")


async def test_the_sidebar_has_three_entries(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add({"content": "Hello."})
    for path, current in zip(PAGES, ["Runs", "General", "run-1", "nobody"], strict=True):
        html = (await client.get(path)).text
        nav = html[html.index("<nav") : html.index("</nav>")]
        assert nav.count("<li>") == 3
        assert re.findall(r'aria-current="page"[^>]*>(?:<span[^>]*>)?([^<]+)', nav) == [current]


async def test_static_files_may_be_kept_for_ever(client: httpx.AsyncClient) -> None:
    html = (await client.get("/agents")).text
    urls = re.findall(r'(?:href|src)="(/static/[^"]+)"', html)
    assert {url.rpartition("/")[2] for url in urls} == {"agents.css", "main.js", "icon.svg"}
    for url in urls:
        answer = await client.get(url)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        old = await client.get(url.replace(url.split("/")[3], "0" * 16))
        assert old.headers["cache-control"] == "no-cache"
    for odd in ("/static/agents/x/none.js", "/static/agents/x/..%2froutes.py", "/static/agents/x/__init__.py"):
        assert (await client.get(odd)).status_code == 404


async def test_runs_are_listed_with_what_they_did(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add({"content": "a"}, {"content": "b", "agent_id": "jen"})
    await service.book.add(
        {"content": "c", "run_id": "run-2", "kind": "run-outcome", "status": "failed", "exit_code": 1}
    )
    html = (await client.get("/agents")).text
    assert html.index("run-2") < html.index("run-1")  # the latest first
    for text in ("2 messages", "1 message<", ">jen<", ">failed<", "exit 1"):
        assert text in html
    newest = re.search(r'data-newest="(\d+)"', html)
    assert newest is not None
    assert (await client.get(f"/agents/list?newest={newest[1]}")).status_code == 204
    await service.book.add({"content": "d", "run_id": "run-3"})
    assert "run-3" in (await client.get(f"/agents/list?newest={newest[1]}")).text
    assert (await client.get("/agents/latest")).headers["location"] == "/agents/run-3"


async def test_older_runs_are_a_page_further(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add(*({"content": "a", "run_id": f"r{number:03d}"} for number in range(60)))
    first = (await client.get("/agents")).text
    older = re.search(r'href="(/agents\?before=\d+)"', first)
    assert older is not None
    second = (await client.get(older[1])).text
    listed = [re.findall(r'href="/agents/(r\d+)"', html) for html in (first, second)]
    assert listed[0] + listed[1] == [f"r{number:03d}" for number in reversed(range(60))]
    assert "Older runs" not in second


async def test_the_newest_messages_first_and_the_others_on_demand(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add(*({"content": f"Message {number}."} for number in range(450)))
    page = (await client.get("/agents/run-1")).text
    seen = shown(page)
    assert len(seen) == 200
    while seen[0] > 1:
        part = (await client.get(f"/agents/run-1/messages?before={seen[0]}")).text
        more = shown(part)
        assert ("data-more" in part) == (more[0] > 1)
        seen = [*more, *seen]
    assert seen == list(range(1, 451))
    after = (await client.get("/agents/run-1/messages?after=0")).text
    assert shown(after) == list(range(1, 201))
    assert "data-more" in after
    assert shown((await client.get("/agents/run-1/messages?after=450")).text) == []


async def test_long_messages_come_in_smaller_portions(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add(*({"content": f"{number} " + "word " * 4000} for number in range(60)))
    page = (await client.get("/agents/run-1")).text
    seen = shown(page)
    assert 10 < len(seen) < 40
    assert len(page) < 1_000_000
    while seen[0] > 1:
        seen = [*shown((await client.get(f"/agents/run-1/messages?before={seen[0]}")).text), *seen]
    assert seen == list(range(1, 61))
    seen = []
    while len(seen) < 60:
        seen += shown((await client.get(f"/agents/run-1/messages?after={seen[-1] if seen else 0}")).text)
    assert seen == list(range(1, 61))


async def test_a_result_that_comes_later_knows_its_call(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add({"kind": "tool_call", "tool": {"id": "a", "name": "shell"}}, {"content": "Meanwhile."})
    await service.book.add({"kind": "tool_result", "tool": {"id": "a"}, "content": "out", "exit_code": 0})
    part = (await client.get("/agents/run-1/messages?after=2")).text
    assert shown(part) == [3]
    assert 'data-kind="result" data-seq="3" data-to="1"' in part
    page = (await client.get("/agents/run-1")).text
    assert shown(page) == [1, 2]
    assert "exit 0" in page


async def test_an_event_on_both_channels_is_shown_once(service: Site, client: httpx.AsyncClient) -> None:
    event = {"content": "Ready for review.", "message_id": "m1"}
    await service.book.add(event, {**event, "general": True})
    page = (await client.get("/agents/run-1")).text
    assert page.count("Ready for review.") == 1
    assert shown(page) == [1]
    assert " data-general>" in page
    assert shown((await client.get("/agents/general")).text) == [2]


ODD = ["general", "run", "latest", "a/b", "..", "a/../b", "100%", "%2e", "a?b#c", "ä 日本 \U0001f600",
       "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "x/messages", "\u202etxt.exe", "\\",
       "a\nb"]  # fmt: skip


@pytest.mark.parametrize("run_id", ODD)
async def test_any_text_is_a_run_and_never_markup(service: Site, client: httpx.AsyncClient, run_id: str) -> None:
    await service.book.add({"content": "Here.", "run_id": run_id, "agent_id": "<b>roy"}, {"content": "Elsewhere."})
    listed = (await client.get("/agents")).text
    url = Place(run_id).url()
    assert f'href="{url.replace("&", "&amp;")}"' in listed
    answer = await client.get(url)
    assert answer.status_code == 200
    assert "Here." in answer.text
    assert "Elsewhere." not in answer.text
    for html in (listed, answer.text):
        assert "<script>" not in html
        assert "<img src=x" not in html
        assert "<b>roy" not in html
        assert "\u202e" not in re.sub(r'"[^"]*"', "", html)
    part = await client.get(Place(run_id).url("messages", query={"after": "0"}))
    assert "Here." in part.text


async def test_an_id_in_a_path_as_people_quote_it(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add({"content": "Here.", "run_id": "nightly/2026%x"})
    assert "Here." in (await client.get("/agents/" + quote("nightly/2026%x", safe=""))).text


async def test_a_run_that_is_not_there(client: httpx.AsyncClient) -> None:
    answer = await client.get("/agents/nobody")
    assert answer.status_code == 404
    assert "There is no such run" in answer.text
    assert 'data-events="/api/agents/events?runId=nobody' in answer.text
    assert (await client.get("/agents/general")).status_code == 200


@pytest.mark.parametrize("query", ["", "?after=x", "?after=-1", "?before=1.5", "?after=1&before=2",
                                   "?after=" + "9" * 30,
                                   "?after=%00", "?after=%D9%A3"])  # fmt: skip
async def test_a_malformed_cursor(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/agents/run-1/messages{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


async def test_a_long_content_is_whole_on_demand(service: Site, client: httpx.AsyncClient) -> None:
    content = "<script>alert(1)</script>\n" + "x" * 9_000_000
    await service.book.add({"content": content, "more": {"a": 0}}, {"content": "Next."})
    page = (await client.get("/agents/run-1")).text
    assert len(page) < 100_000
    assert "Show whole" in page
    answer = await client.get("/agents/run-1/messages/1")
    assert answer.text == content
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await client.get("/agents/run-1/messages/1?part=attributes")).json()["more"] == {"a": 0}
    for missing in ("/agents/run-1/messages/77", "/agents/general/messages/1", "/agents/run-1/messages/" + "9" * 40):
        assert (await client.get(missing)).status_code == 404


async def test_markup_in_every_field_is_text(service: Site, client: httpx.AsyncClient) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"
    await service.book.add(
        {"content": evil, "agent_id": "roy", "stage": evil, "step_id": evil, "status": evil, "kind": "status"},
        {"content": evil, "kind": "tool_call", "tool": {"name": evil, "arguments": {evil: evil}, "id": evil}},
        {"content": evil, "kind": "tool_result", "tool": {"id": evil}, evil: evil, "role": "tool"},
        {"content": evil, "kind": evil, "role": "user", "workflow_name": evil},
    )
    for path in ("/agents", "/agents/run-1", "/agents/run-1/messages?after=0", "/agents/run-1/summary"):
        html = (await client.get(path)).text
        assert len(re.findall(r"<script", html)) == (1 if html.startswith("<!doctype") else 0)
        assert "<img src=x" not in html
        assert not re.search(r"\sstyle=", html)


async def test_without_postgres_pages_say_so_and_tell_nothing_more(service: Site, client: httpx.AsyncClient) -> None:
    await service.book.add({"content": "Hello."})
    with service.postgres_away():
        for path in [
            *PAGES,
            "/agents/run-1/messages?after=0",
            "/agents/list",
            "/agents/latest",
            "/agents/run-1/summary",
        ]:
            answer = await client.get(path)
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            for word in ("psycopg", "SELECT", "database", "agent_messages", "127.0.0.1", "Error"):
                assert word not in answer.text
    async with asyncio.timeout(20):
        while (await client.get("/agents/run-1")).status_code != 200:  # noqa: ASYNC110 - the pool tries now and again
            await asyncio.sleep(0.05)
