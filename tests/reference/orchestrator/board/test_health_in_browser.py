"""The page tells of parts that die and come back, without a reload: a real orchestrator, NATS and Chromium. [X5]"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.observing.beats import beating
from pytest_agog.reference.orchestrator.config import Config
from pytest_agog.reference.orchestrator.service import serving
from pytest_agog.reference.orchestrator.settings import OrchestratorSettings
from pytest_agog.stage.servers.nats import NatsServer
from tests.browser import Open

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE = 30_000


async def _shows(page: Page, part: str, condition: str, about: str = "") -> None:
    row = page.locator("#system .part").filter(has=page.locator(f'.called[title="{part}"]'))
    await expect(row.locator(".said")).to_have_text(condition, timeout=PATIENCE)
    await expect(row).to_contain_text(about, timeout=PATIENCE)


async def test_parts_that_die_and_come_back_are_shown_live(open_page: Open, tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        link = await connect(server.url)
        await init_streams(link)
        settings = OrchestratorSettings(
            server.url, Config(), nats_monitor_url=server.monitor_url, root=tmp_path
        )  # fmt: skip
        async with serving(settings) as url, httpx.AsyncClient(base_url=str(url), trust_env=False) as http:
            tab = await open_page(f"{url}/orchestrator")
            page = tab.page
            await page.evaluate("window.same = true")
            await _shows(page, "nats", "Works")
            await _shows(page, "jetstream", "Works")
            async with beating(link, "listener", "listener-1", "here"):
                await _shows(page, "listener", "Works", "1 is there, 0 agents at work")
            await _shows(page, "listener", "Down", "agog listen runs nowhere")
            await link.close()
            await asyncio.to_thread(server.kill)
            for part in ("nats", "jetstream", "orchestrator"):
                await _shows(page, part, "Down")
            await _shows(page, "listener", "Unknown")
            unready = await http.get("/readyz")
            assert (unready.status_code, unready.headers["Retry-After"]) == (503, "2")
            seen = (await http.get("/metrics")).text
            assert 'agog_part_up{part="nats"} 0.0' in seen
            assert 'agog_part_up{part="listener"} NaN' in seen
            await expect(page.locator("#badge")).to_have_attribute("data-state", "live")
            await asyncio.to_thread(server.restart)
            for part in ("nats", "jetstream", "orchestrator"):
                await _shows(page, part, "Works")
            assert await page.evaluate("window.same"), "no reload"
            assert await tab.wrong() == []
