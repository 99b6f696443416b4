"""The page and the JSON beside it, over HTTP. [O18]"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette

from pytest_agog.reference.orchestrator.board import page
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.board.situation import Situation
from tests.reference.orchestrator.board.making import HOSTILE, record, seed, situation


@dataclass
class Here:
    """What the page is about, and how often it was asked for."""

    facts: Situation
    version: int = 0
    asked: list[int] = field(default_factory=list)

    def source(self) -> Situation:
        self.asked.append(self.version)
        return self.facts


@asynccontextmanager
async def client(here: Here, *, told: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=routes(here.source, (lambda: here.version) if told else None))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://board") as made:
        yield made


def version(answer: httpx.Response) -> str:
    found = re.search(r'data-version="(\w+)"', answer.text)
    assert found is not None
    return found[1]


async def test_the_page_shows_the_board_under_a_strict_policy() -> None:
    async with client(Here(situation(*seed()))) as http:
        answer = await http.get("/orchestrator")
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for part in (
            "REQ-042",
            "Assigned, In Progress (15 min elapsed)",
            "Senior Review Agent",
            "979,113 of 1,000,000",
        ):
            assert part in answer.text, part
        for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text):
            static = await http.get(url)
            assert static.status_code == 200
            assert "immutable" in static.headers["Cache-Control"]
        assert (await http.get("/")).headers["Location"] == "/orchestrator"
        assert (await http.get("/static/orchestrator/0/../page.py")).status_code == 404
        assert (await http.get("/static/orchestrator/0/board.css")).headers["Cache-Control"] == "no-cache"


async def test_modules_that_the_page_loads_are_served_beside_it() -> None:
    async with client(Here(situation())) as http:
        script = re.search(r'src="([^"]+)/board\.js"', (await http.get("/orchestrator")).text)
        assert script is not None
        for name in re.findall(r'from "\./(\w+\.js)"', (await http.get(f"{script[1]}/board.js")).text):
            assert (await http.get(f"{script[1]}/{name}")).headers["Content-Type"].startswith("text/javascript")


async def test_a_reader_is_told_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "FRESH", 0.0)
    here = Here(situation(*seed()))
    async with client(here) as http:
        first = version(await http.get("/orchestrator"))
        assert (await http.get("/orchestrator/board", params={"version": first})).status_code == 204
        here.facts, here.version = situation(*seed(), record("REQ-900", title="Later")), 1
        answer = await http.get("/orchestrator/board", params={"version": first})
        assert answer.status_code == 200
        assert "REQ-900" in answer.text
        assert "<html" not in answer.text
        assert answer.headers["X-Version"] == version(await http.get("/orchestrator")) != first


async def test_many_readers_are_one_rendering() -> None:
    here = Here(situation(*seed()))
    async with client(here, told=False) as http:
        for _ in range(20):
            await http.get("/orchestrator/board")
    assert len(here.asked) < 20  # a second may pass on a slow machine, not each time


async def test_nothing_is_made_anew_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "FRESH", 0.0)
    here = Here(situation(*seed()))
    async with client(here) as http:
        for number in (0, 0, 0, 1, 1):
            here.version = number
            await http.get("/orchestrator/board")
    assert here.asked == [0, 1]


async def test_json_and_markdown_say_what_the_board_says() -> None:
    facts = situation(*seed())
    async with client(Here(facts)) as http:
        assert (await http.get("/api/orchestrator")).json() == board(facts).as_json()
        assert (await http.get("/api/orchestrator/queue")).json() == board(facts).queue()
        assert (await http.get("/api/orchestrator/report")).json()["progress"]["completed"] == 3
        assert (await http.get("/orchestrator/report.md")).text.startswith("# Daily Status - 2026-03-02\n")
        answer = await http.get("/orchestrator/board.md")
        assert answer.text.startswith("## Orchestrator - Work Distribution Status\n")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_text_of_strangers_is_text() -> None:
    facts = situation(record("REQ-1", "BLOCKED", title=HOSTILE, agent=HOSTILE, blockers=(HOSTILE,)), alerts=(HOSTILE,),
                      lags={HOSTILE: 1}, breakers={HOSTILE: "open"})  # fmt: skip
    async with client(Here(facts)) as http:
        shown = (await http.get("/orchestrator")).text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert " style=" not in shown


async def test_lone_surrogates_are_no_end_of_the_page() -> None:
    async with client(Here(situation(record("REQ-1", title="a\ud800b", agent="x\udfff")))) as http:
        assert (await http.get("/orchestrator")).status_code == 200


async def test_five_thousand_requirements_are_two_hundred_cards_a_column() -> None:
    many = (record(f"REQ-{n:04}", priority="HIGH" if n % 2 else "LOW") for n in range(5_000))
    async with client(Here(situation(*many))) as http:
        shown = (await http.get("/orchestrator")).text
    assert shown.count('<li class="card') == 400
    assert shown.count("and 2,300 more") == 2
    assert len(shown) < 1_000_000
