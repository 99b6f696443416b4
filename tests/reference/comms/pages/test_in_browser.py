"""The pages in a real Chromium: what only a browser can tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser import Open, Tab
from tests.reference.comms.pages.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIVE = '#badge[data-state="live"]'
PATIENCE = 20_000


async def live(tab: Tab) -> Page:
    await tab.page.wait_for_selector(LIVE, timeout=PATIENCE)
    return tab.page


async def shown(page: Page) -> list[int]:
    """The messages in the page, as people meet them, results within their calls too."""
    found: list[int] = await page.evaluate(
        "[...document.querySelectorAll('.entry, .result')].map((e) => Number(e.dataset.seq ?? e.id.slice(1)))"
    )
    return list(dict.fromkeys(found))


def messages(count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"content": f"Message {number}.", **more} for number in range(1, count + 1)]


# --- live -------------------------------------------------------------------------------------------------------------
async def test_messages_come_without_a_reload(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "Before."})
    tab = await open_page(f"{service.url}/agents/run-1")
    page = await live(tab)
    await page.evaluate("window.same = true")
    await service.book.add({"content": "**After.**"}, {"content": "Of jen.", "agent_id": "jen"})
    await expect(page.locator("#m3")).to_contain_text("Of jen.", timeout=PATIENCE)
    assert await page.evaluate("window.same")
    assert await shown(page) == [1, 2, 3]
    assert await page.locator("#m2 strong").inner_text() == "After."
    groups = page.locator(".group")
    assert await groups.evaluate_all("(all) => all.map((group) => group.dataset.agent)") == ["roy", "jen"]
    assert await page.locator(".entry.newest").evaluate_all("(all) => all.map((entry) => entry.id)") == ["m3"]
    await expect(page.locator("#said")).to_have_text("2 new messages from roy, jen")
    await expect(page.locator("#summary")).to_contain_text("3 messages", timeout=PATIENCE)
    assert await tab.wrong() == []


async def test_a_burst_is_few_requests_and_complete(service: Site, open_page: Open) -> None:
    page = await live(await open_page(f"{service.url}/agents/run-1"))
    for start in range(0, 1000, 20):
        await service.book.add(*({"content": f"Message {start + number}."} for number in range(20)))
    await expect(page.locator("#m1000")).to_be_attached(timeout=PATIENCE)
    assert await shown(page) == list(range(1, 1001))
    asked = [path for path in service.asked if "/messages?" in path]
    assert len(asked) < 100


async def test_a_result_goes_into_its_call_and_a_copy_disappears(service: Site, open_page: Open) -> None:
    await service.book.add({"kind": "tool_call", "tool": {"id": "a", "name": "shell", "command": "make"}})
    await service.book.add({"content": "Ready.", "message_id": "m", "agent_id": "jen"})
    tab = await open_page(f"{service.url}/agents/run-1")
    page = await live(tab)
    await expect(page.locator("#m1 .outcome")).to_have_text("no result yet")
    await service.book.add(
        {"kind": "tool_result", "tool": {"id": "a"}, "content": "make: no rule", "exit_code": 2},
        {"content": "Ready.", "message_id": "m", "agent_id": "jen", "general": True},
    )
    await expect(page.locator("#m1 .outcome")).to_have_text("exit 2", timeout=PATIENCE)
    await expect(page.locator("#m1 details.tool")).to_have_attribute("open", "")
    await expect(page.locator("#m1 .result")).to_contain_text("make: no rule")
    await expect(page.locator("#m2 .general-mark")).to_be_visible()
    assert await page.get_by_text("Ready.").count() == 1
    assert await page.locator(".entry").evaluate_all("(all) => all.map((entry) => entry.id)") == ["m1", "m2"]
    assert await tab.wrong() == []


async def test_a_run_that_is_not_there_yet_appears(service: Site, open_page: Open) -> None:
    page = await live(await open_page(f"{service.url}/agents/soon"))
    await expect(page.locator("#empty")).to_contain_text("There is no such run")
    await service.book.add({"content": "Here I am.", "run_id": "soon"})
    await expect(page.locator("#m1")).to_contain_text("Here I am.", timeout=PATIENCE)
    await expect(page.locator("#empty")).to_be_hidden()
    await expect(page.locator("#summary")).to_contain_text("1 message", timeout=PATIENCE)


async def test_the_list_of_runs_follows(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "a"})
    tab = await open_page(f"{service.url}/agents")
    page = await live(tab)
    await service.book.add({"content": "b", "run_id": "<i>run-2", "kind": "run-outcome", "status": "failed"})
    await expect(page.locator(".run").first).to_contain_text("<i>run-2", timeout=PATIENCE)
    await page.locator(".run a").first.click()
    await expect(page.locator("h1")).to_have_text("<i>run-2")
    assert await tab.wrong() == []


# --- outages ----------------------------------------------------------------------------------------------------------
async def test_the_badge_through_an_outage(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "Before."})
    tab = await open_page(f"{service.url}/agents/run-1")
    page = await live(tab)
    assert await page.locator("#badge").inner_text() == "Live"
    with service.postgres_away():
        await expect(page.locator("#badge")).to_have_text("Reconnecting", timeout=PATIENCE)
        async with page.expect_response(lambda answer: answer.status == 503 and "/events" in answer.url):
            service.drop_connections()
    await page.wait_for_selector(LIVE, timeout=PATIENCE)
    await service.book.add({"content": "After."})
    await expect(page.locator("#m2")).to_contain_text("After.", timeout=PATIENCE)
    assert await shown(page) == [1, 2]
    assert tab.errors == []


async def test_the_badge_says_connecting_at_first(service: Site, open_page: Open) -> None:
    page = (await open_page(f"{service.url}/agents/general", java_script_enabled=False)).page
    assert await page.locator("#badge").inner_text() == "Connecting"


async def test_what_is_stored_while_the_events_are_cut_is_neither_missing_nor_twice(
    service: Site, open_page: Open
) -> None:
    await service.book.add(*messages(5))
    tab = await open_page(f"{service.url}/agents/run-1")
    page = await live(tab)
    for _ in range(6):
        service.drop_connections()
        await service.book.add(*messages(50))
    await expect(page.locator("#m305")).to_be_attached(timeout=PATIENCE)
    await service.book.add({"content": "Last."})
    await expect(page.locator("#m306")).to_be_attached(timeout=PATIENCE)
    assert await shown(page) == list(range(1, 307))


async def test_a_page_of_an_outage_comes_back_by_itself(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "Safe and sound."})
    with service.postgres_away():
        page = (await open_page(f"{service.url}/agents/run-1")).page
        await expect(page.locator("#away")).to_be_visible()
    await expect(page.locator("#m1")).to_contain_text("Safe and sound.", timeout=PATIENCE)


# --- hostile content --------------------------------------------------------------------------------------------------
EVIL = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)", "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "![x](https://evil.example/p.png)", "<style>*{display:none}</style>", "</div></section><script>alert(1)</script>",
    "<a href='javascript:alert(1)'>x</a>", "\"'><img src=x onerror=alert(1)>",
]  # fmt: skip


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_script_of_content_runs(service: Site, open_page: Open, width: int) -> None:
    for path in ("/agents/run-1", "/agents"):
        tab = await open_page(f"{service.url}{path}", width=width)
        await live(tab)
        for number, evil in enumerate(EVIL):
            kinds = ("message", "tool_call", "tool_result", "error", evil)
            common = {"content": evil, "stage": evil, "status": evil, "tool": {"name": evil, "id": str(number)}}
            await service.book.add(*({**common, "kind": kind} for kind in kinds))
        if path == "/agents/run-1":
            await expect(tab.page.locator(f"#m{len(EVIL) * 5}")).to_be_attached(timeout=PATIENCE)
            for link in await tab.page.locator(".prose a[href]").all():
                assert re.match("https?://", await link.get_attribute("href") or "")
        assert await tab.wrong() == []


async def test_a_sea_of_text_freezes_nothing(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "x" * 9_000_000}, {"content": "> " * 4_000_000}, {"content": "|a" * 3_000_000})
    tab = await open_page(f"{service.url}/agents/run-1", width=360)
    page = await live(tab)
    assert await page.locator(".cut").count() == 3
    assert await page.evaluate("document.body.outerHTML.length") < 500_000
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


# --- older ones -------------------------------------------------------------------------------------------------------
async def test_older_messages_by_scrolling_and_by_button(service: Site, open_page: Open) -> None:
    await service.book.add(*messages(5000))
    tab = await open_page(f"{service.url}/agents/run-1")
    page = await live(tab)
    assert await shown(page) == list(range(4801, 5001))
    assert await page.evaluate("innerHeight + scrollY >= document.documentElement.scrollHeight - 80")
    await page.evaluate("scrollTo(0, 0)")
    await expect(page.locator("#m4601")).to_be_attached(timeout=PATIENCE)
    assert await page.evaluate("scrollY") > 0  # what was being read stays in place
    await page.locator("#older button").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#m4401")).to_be_attached(timeout=PATIENCE)
    seen = await shown(page)
    assert seen == list(range(seen[0], 5001))
    assert await tab.wrong() == []


async def test_a_link_to_an_older_message_finds_it(service: Site, open_page: Open) -> None:
    await service.book.add(*messages(500))
    page = await live(await open_page(f"{service.url}/agents/run-1#m42"))
    await expect(page.locator("#m42")).to_be_in_viewport(timeout=PATIENCE)


async def test_who_reads_above_is_not_pulled_away(service: Site, open_page: Open) -> None:
    await service.book.add(*messages(100))
    page = await live(await open_page(f"{service.url}/agents/run-1"))
    await page.evaluate("scrollTo(0, 300)")
    before = await page.evaluate("scrollY")
    await service.book.add(*messages(3))
    await expect(page.locator("#new")).to_have_text("3 new messages ↓", timeout=PATIENCE)
    assert await page.evaluate("scrollY") == before
    await page.locator("#new").click()
    await expect(page.locator("#m103")).to_be_in_viewport()
    await expect(page.locator("#new")).to_be_hidden()


async def test_a_page_that_stays_open_for_days_does_not_grow(service: Site, open_page: Open) -> None:
    page = await live(await open_page(f"{service.url}/agents/run-1"))
    await service.book.add({"kind": "tool_call", "tool": {"id": "a", "name": "shell"}}, *messages(150))
    await service.book.add({"kind": "tool_result", "tool": {"id": "a"}, "content": "late"}, *messages(1450))
    await expect(page.locator("#m1602")).to_be_attached(timeout=PATIENCE)
    seen = await shown(page)
    assert 900 < len(seen) < 1500
    assert seen == list(range(seen[0], 1603))
    await page.evaluate(
        """async () => { while (!document.getElementById("m1")) {
            scrollTo(0, 0); await new Promise((resolve) => setTimeout(resolve, 20)); } }"""
    )
    assert sorted(await shown(page)) == list(range(1, 1603))


async def test_a_page_that_nobody_sees_gives_its_connection_back(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "Before."})
    tab = await open_page("about:blank")
    page = tab.page
    await page.clock.install()
    await page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.away === true})")
    await page.goto(f"{service.url}/agents/run-1")
    await live(tab)
    see = "(away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }"
    await page.evaluate(see, True)
    await page.clock.fast_forward(31_000)
    await expect(page.locator("#badge")).to_have_text("Reconnecting", timeout=PATIENCE)
    await service.book.add({"content": "While away."})
    await page.clock.fast_forward(31_000)
    await expect(page.locator("#m2")).not_to_be_attached()
    await page.evaluate(see, False)
    await expect(page.locator("#m2")).to_contain_text("While away.", timeout=PATIENCE)
    await live(tab)


# --- people -----------------------------------------------------------------------------------------------------------
async def test_by_keyboard_alone(service: Site, open_page: Open) -> None:
    await service.book.add({"kind": "tool_call", "tool": {"id": "a", "name": "shell", "command": "ls"}})
    await service.book.add({"kind": "tool_result", "tool": {"id": "a"}, "content": "a.txt", "exit_code": 0})
    page = await live(await open_page(f"{service.url}/agents/run-1"))
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.closest('details.tool > summary') !== null"):
            break
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await expect(page.locator(".result")).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(page.locator(".result")).to_be_visible()


async def test_only_one_agent_or_only_what_went_wrong(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "Fine."}, {"content": "Broken.", "kind": "error"},
                           {"content": "Fine, too.", "agent_id": "jen"})  # fmt: skip
    page = await live(await open_page(f"{service.url}/agents/run-1"))
    visible = page.locator(".entry:visible")
    await page.get_by_role("button", name="jen").click()
    assert await visible.evaluate_all("(all) => all.map((entry) => entry.id)") == ["m3"]
    await page.get_by_role("button", name="jen").click()
    await page.get_by_role("button", name="Problems").click()
    assert await visible.evaluate_all("(all) => all.map((entry) => entry.id)") == ["m2"]
    await service.book.add({"content": "Fine again."}, {"content": "Broken again.", "kind": "error"})
    await expect(page.locator("#m5")).to_be_visible(timeout=PATIENCE)
    await expect(page.locator("#m4")).to_be_hidden()


WIDE: list[dict[str, Any]] = [
    {"content": "x" * 3000},
    {"content": "```\n" + "y" * 3000 + "\n```"},
    {"content": "|" + "a|" * 40 + "\n|" + "-|" * 40 + "\n|" + "wide cell|" * 40},
    {"content": "> " * 9 + "deep\n\n" + "- " * 9 + "deeper"},
    {"content": "z" * 500, "kind": "tool_call", "tool": {"name": "t" * 200, "command": "c" * 900}, "status": "s" * 300},
    {"content": "", "kind": "k" * 200, "stage": "g" * 300, "role": "user", "attr" * 99: "v" * 900},
    {"content": "https://example.org/" + "p" * 900, "agent_id": "a" * 120},
]


@pytest.mark.parametrize("width", [360, 820, 1280])
@pytest.mark.parametrize("run_id", ["run-1", "r" * 900])
async def test_nothing_is_wider_than_the_window(service: Site, open_page: Open, width: int, run_id: str) -> None:
    await service.book.add(*({**message, "run_id": run_id} for message in WIDE))
    await service.book.add({**WIDE[0], "general": True, "run_id": run_id})
    for path in (f"/agents/{run_id}", "/agents", "/agents/general"):
        tab = await open_page(f"{service.url}{path}", width=width)
        page = await live(tab)
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert await tab.wrong() == []


async def test_dark_where_people_like_it_dark(service: Site, open_page: Open) -> None:
    grounds = []
    for dark in (False, True):
        page = (await open_page(f"{service.url}/agents", dark=dark)).page
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in re.findall(r"\d+", colour)))
    assert grounds[0] > 700
    assert grounds[1] < 100


async def test_times_are_local_with_utc_in_the_title(service: Site, open_page: Open) -> None:
    await service.book.add({"content": "a", "timestamp": "2020-01-31T23:30:15.250Z"})
    tab = await open_page(f"{service.url}/agents/run-1", timezone_id="Asia/Tokyo", locale="en-GB")
    time = (await live(tab)).locator("#m1 time").first
    assert await time.get_attribute("title") == "2020-01-31 23:30:15.250 UTC"
    assert await time.inner_text() == "1 Feb 2020, 08:30"
