"""What may be asked for, and what is answered. [C7]"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from pytest_agog.reference.comms.service import CommsService
from pytest_agog.reference.comms.settings import CommsSettings
from pytest_agog.reference.comms.storing import store
from tests.reference.comms.events.conftest import Book, Served, until
from tests.reference.comms.events.reader import EVENTS, asking

DATABASE_TALK = re.compile(
    r"psycopg|postgres:|postgresql|select|insert|relation|column|syntax|sqlstate|server closed|"
    r"connection (?:to|failed)|traceback|workflow_comms|agent_messages|line \d|\.py",
    re.IGNORECASE,
)

REFUSED = [
    ("", 400), ("runId=", 400), ("workflowNamespace=ns", 400), ("channel=", 400), ("limit=3", 400),
    ("runid=run-1", 400),
    ("runId=a&runId=b", 422), ("runId=a&runId=a", 422), ("runId=a&channel=general", 422),
    ("runId=a&workflowUid=b", 422),
    ("runId=a&workflowNamespace=ns", 422), ("channel=other", 422), ("channel=general&workflowNamespace=ns", 422),
    ("runId=a%00b", 422), ("workflowUid=%00", 422), ("runId=%ff", 422), ("runId=a&workflowUid=%00", 422),
    ("runId=%ed%a0%80", 422), ("workflowUid=u&workflowNamespace=n%00", 422), (f"runId={'x' * 1001}", 422),
    (f"runId={quote('ä' * 501)}", 422), ("runId=a&limit=0", 422), ("runId=a&limit=-1", 422),
    ("runId=a&limit=10001", 422),
    ("runId=a&limit=1.5", 422), ("runId=a&limit=1e3", 422), ("runId=a&limit=", 422), ("runId=a&limit=%D9%A1", 422),
    ("runId=a&limit=1&limit=2", 422), (f"runId=a&limit={'9' * 5000}", 422), ("runId=a&since=yesterday", 422),
    ("runId=a&since=", 422), ("runId=a&since=2026-02-30T00:00:00Z", 422),
    ("runId=a&since=0000-01-01T00:00:00Z", 422), ("runId=a&since=2026-03-01T10:00:00Z%00", 422),
    ("runId=a&lastEventId=x", 422), ("runId=a&lastEventId=-1", 422), ("runId=a&lastEventId=1;2", 422),
    (f"runId=a&lastEventId={2**63}", 422), ("runId=a&lastEventId=1&lastEventId=2", 422),
]  # fmt: skip


@pytest.mark.parametrize(("query", "status"), REFUSED)
async def test_what_cannot_be_answered(served: Served, query: str, status: int) -> None:
    async with asking(served.url, query or "x") as answer:
        assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
        body = (await answer.body()).decode()
    assert '"error":' in body
    assert not DATABASE_TALK.search(body), body
    assert len(body) < 300


@pytest.fixture(scope="module")
def odd_ids() -> list[str]:
    return [
        "a.b*c>", "a b", "%", "%00", "..", "/", "ü-run", "\U0001f980", "'; DROP TABLE x; --", '"', "\\", "<script>",
        "\ufffd", "a\nb", "\u2028", "\x7f", "null", "0", "e\u0301", "x" * 1000, "+", "a&b=c", "\ud7ff", "\uffff",
    ]  # fmt: skip


async def test_an_odd_run_id_is_not_malformed_and_finds_its_own_rows(
    served: Served, book: Book, odd_ids: list[str]
) -> None:
    for run in odd_ids:
        await book.add(f"of {run}", run_id=run)
    for run in odd_ids:
        async with asking(served.url, runId=run) as answer:
            assert answer.status == 200, run
            [event] = await answer.take(1)
            assert event.data["content"] == f"of {run}"
            assert event.data["run_id"] == run


async def test_text_that_is_not_escaped_is_no_request(served: Served) -> None:
    async with asking(served.url, "runId=größe") as answer:
        assert answer.status == 400


async def test_selectors(served: Served, book: Book) -> None:
    rows = [
        book.row("a", run_id="r", workflow_uid="u", workflow_namespace="n"),
        book.row("b", run_id=None, workflow_uid="r", workflow_namespace="m"),
        book.row("c", run_id="other", workflow_uid="r", workflow_namespace="n", channel="general"),
        book.row("d", run_id=None, workflow_uid=None, workflow_namespace=None, channel="general"),
        book.row("e", run_id="", workflow_uid="u", workflow_namespace="m"),
        book.row("f", run_id="R", workflow_uid="u ", workflow_namespace="n", channel="General"),
    ]
    wanted = {
        "runId=r": "ab", "workflowUid=u": "ae", "workflowUid=r": "bc", "workflowUid=r&workflowNamespace=n": "c",
        "workflowUid=u&workflowNamespace=": "ae", "channel=general": "cd", "runId=r&unknown=1&x[]=2": "ab",
    }  # fmt: skip
    answers = {query: asking(served.url, query) for query in wanted}
    live = {query: await answer.__aenter__() for query, answer in answers.items()}
    await store(book.connection, rows)
    for query, letters in wanted.items():
        # As they come …
        assert [event.data["content"] for event in await live[query].take(len(letters))] == list(letters), query
        # … and as history; the end is seen by the next row, which all select.
        async with asking(served.url, query) as answer:
            assert [event.data["content"] for event in await answer.take(len(letters))] == list(letters), query
        await answers[query].__aexit__(None, None, None)


async def test_limit_and_since_cut_history_but_neither_live_nor_a_resume(served: Served, book: Book) -> None:
    await book.add(*map(str, range(20)))
    first = (await book.run("SELECT min(seq) FROM workflow_comms.agent_messages"))[0][0]

    async def contents(number: int, query: str, last_event_id: int | str | None = None) -> list[str]:
        async with asking(served.url, f"runId=run-1&{query}", last_event_id=last_event_id) as answer:
            assert answer.status == 200
            return [event.data["content"] for event in await answer.take(number)]

    assert await contents(3, "limit=3") == ["17", "18", "19"]
    assert await contents(20, "limit=10000") == [str(n) for n in range(20)]
    assert await contents(2, "since=2026-03-01T09:00:19Z") == ["18", "19"]
    assert await contents(2, "since=2026-03-01T11:00:19%2B02:00") == ["18", "19"]
    assert await contents(2, "since=2026-03-01T11:00:19+02:00") == ["18", "19"]
    assert await contents(1, "since=2026-03-01T09:00:10Z&limit=1") == ["19"]
    assert await contents(18, "limit=1&since=2027-01-01T00:00:00Z", first + 1) == [str(n) for n in range(2, 20)]
    assert await contents(18, f"limit=1&lastEventId={first + 1}") == [str(n) for n in range(2, 20)]
    # The header is newer than the address; an empty one says nothing.
    assert await contents(2, f"lastEventId={first}", first + 17) == ["18", "19"]
    assert await contents(2, f"lastEventId={first + 17}", "") == ["18", "19"]
    assert await contents(20, "lastEventId=0") == [str(n) for n in range(20)]
    async with asking(served.url, runId="run-1", limit=1, since="2027-01-01T00:00:00Z") as answer:
        await until_joined(served)
        await book.add("live")
        assert [event.data["content"] for event in await answer.take(1)] == ["live"]


async def until_joined(served: Served, number: int = 1) -> None:
    async def there() -> bool:
        return await served.readers() == number

    await until(there)


@pytest.mark.parametrize("value", ["x", "-1", "1.0", "٣", "9" * 30, "1 OR 1=1"])
async def test_a_malformed_last_event_id(served: Served, value: str) -> None:
    async with asking(served.url, runId="a", last_event_id=value) as answer:
        assert answer.status == 422


async def test_a_query_of_a_megabyte(served: Served) -> None:
    for query in ("runId=" + "x" * 1_000_000, "&".join(["runId=x"] * 130_000), "x=" + "%ff" * 340_000):
        async with asking(served.url, query) as answer:
            assert answer.status in (400, 414, 422, 431)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{served.url}/healthz")).status_code == 200


async def test_head_has_no_body_that_never_ends(served: Served) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.head(f"{served.url}{EVENTS}?runId=a")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (await client.post(f"{served.url}{EVENTS}?runId=a")).status_code == 405


async def test_headers_of_a_stream(served: Served) -> None:
    async with asking(served.url, runId="a") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert "content-length" not in answer.headers
        assert await answer.frame() == ": connected"


async def test_postgres_is_away_from_the_start(tmp_path: Path) -> None:
    settings = CommsSettings("nats://127.0.0.1:1", "postgresql://agog:secret@127.0.0.1:1/comms", ingest=False)
    async with CommsService(settings) as service, httpx.AsyncClient(base_url=service.http_url or "") as client:
        for path in (f"{EVENTS}?runId=a", "/api/agents/runs", "/readyz"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
            assert not re.search(f"secret|{DATABASE_TALK.pattern}", answer.text, re.IGNORECASE), answer.text
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get(f"{EVENTS}")).status_code == 400


async def test_a_fault_inside_is_not_shown(served: Served, book: Book) -> None:
    await book.add("text")
    # A table that is not ours any more: every query fails, and in words of SQL.
    await book.run("ALTER TABLE workflow_comms.agent_messages RENAME COLUMN content TO told")
    async with httpx.AsyncClient(base_url=served.url) as client:
        for path in ("/api/agents/runs", "/agents", "/agents/run-1"):
            answer = await client.get(path)
            assert answer.status_code >= 500, path
            assert not re.search(r"psycopg|relation|does not exist|SELECT|Traceback", answer.text), answer.text
    async with asking(served.url, runId="run-1", lastEventId=0) as stream:
        assert not re.search(rb"psycopg|relation|does not exist|SELECT|Traceback", await stream.body())
