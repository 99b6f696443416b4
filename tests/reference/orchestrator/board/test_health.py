"""How the system is, in every form of the board; names of strangers make nothing. [X5]"""

from __future__ import annotations

import httpx
import pytest
from starlette.applications import Starlette

from pytest_agog.reference.observing.health import Health, Part, Taken
from pytest_agog.reference.orchestrator.board.board import board
from pytest_agog.reference.orchestrator.board.markdown import markdown
from pytest_agog.reference.orchestrator.board.page import routes
from pytest_agog.reference.orchestrator.board.text import text
from tests.reference.orchestrator.board.making import HOSTILE, NOW, ago, seed, situation

HEALTH = Health(
    NOW,
    (
        Part("nats", "up", ago(hours=2)),
        Part("comms", "down", ago(minutes=3), "1,204 messages behind"),
        Part(HOSTILE, "unknown", None, HOSTILE),
    ),
    (
        Taken("listener-1", True, 52_428_800, 3.2),
        Taken(HOSTILE, False),
        Taken("nats-1", True, connections=12, storage=10),
    ),
)


async def page(health: Health | None) -> httpx.Response:
    facts = situation(*seed(), health=health)
    app = Starlette(routes=routes(lambda: facts, None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://board") as http:
        return await http.get("/orchestrator")


@pytest.mark.parametrize("form", [text, markdown])
def test_parts_and_what_they_take_as_text(form: object) -> None:
    made = form(board(situation(*seed(), health=HEALTH)))  # type: ignore[operator]
    told = next(line for line in made.splitlines() if "1,204 messages behind" in line)
    assert "Comms" in told
    assert "down" in told.lower()
    assert "50 MiB" in made
    assert "\x1b" not in made
    assert "1,204" not in form(board(situation(*seed())))  # type: ignore[operator]


async def test_the_page_shows_them_and_makes_no_markup_of_names() -> None:
    answer = await page(HEALTH)
    assert 'class="part down"' in answer.text
    assert "1,204 messages behind" in answer.text
    assert "50 MiB" in answer.text
    assert "<script>alert" not in answer.text
    without = await page(None)
    assert 'id="system"' not in without.text


def test_what_does_not_work() -> None:
    assert [part.name for part in HEALTH.down] == ["comms"]
