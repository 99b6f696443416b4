"""The books on a real bucket: compare-and-set, the outbox, several readers. [O21]"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_agog.errors import JetStreamRefused
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket, Moved
from pytest_agog.reference.orchestrator.running.books import Books
from pytest_agog.reference.orchestrator.running.clock import Clock
from pytest_agog.reference.orchestrator.state.record import Effect, Record, dump, load
from pytest_agog.wire.orchestration import state_key

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def new(identity: str = "REQ-1") -> Record:
    return Record(identity, "PENDING", Stated(identity, "Something", 1), submitted_at=NOW)


def effect(number: int = 1, subject: str = "results.roy.REQ-1") -> Effect:
    return Effect(subject, {"n": number}, f"id-{number}")


async def opened(link: Link) -> Books:
    books = Books(link, Clock())
    await books.open()
    return books


async def messages(link: Link, stream: str) -> list[dict[str, object]]:
    js = link.nc.jetstream()
    count = (await js.stream_info(stream)).state.messages
    return [json.loads((await js.get_msg(stream, seq=number + 1)).data or b"") for number in range(count)]


async def test_a_requirement_is_taken_in_once(link: Link) -> None:
    books = await opened(link)
    assert await books.create(new())
    assert not await books.create(replace(new(), lane="backend"))
    await books.close()


async def test_a_step_and_its_messages_are_stored_together_and_sent(link: Link) -> None:
    books = await opened(link)
    await books.create(new())
    changed = await books.apply("REQ-1", lambda record: record.now(NOW, "READY").telling(effect()))
    assert changed is not None
    assert (changed.state, changed.outbox) == ("READY", ())
    assert await messages(link, "RESULTS") == [{"n": 1}]
    await books.close()


async def test_what_a_killed_instance_decided_is_sent_by_another_and_once(link: Link) -> None:
    bucket = Bucket(link, "agog_state")
    await bucket.open()
    await bucket.put(state_key("REQ-1"), dump(new().telling(effect())))
    first, second = await opened(link), await opened(link)
    await asyncio.gather(first.flush("REQ-1"), second.flush("REQ-1"))
    entry = await bucket.get(state_key("REQ-1"))
    assert entry is not None
    assert load(entry.value).outbox == ()
    assert await messages(link, "RESULTS") == [{"n": 1}]
    await first.close()
    await second.close()


async def test_two_instances_decide_one_after_the_other(link: Link) -> None:
    first, second = await opened(link), await opened(link)
    await first.create(new())
    following = asyncio.create_task(second.follow())
    while "REQ-1" not in second.records:
        await second.changed.wait()
        second.changed.clear()

    def more(record: Record) -> Record:
        return replace(record, attempts=record.attempts + 1)

    await asyncio.gather(*(books.apply("REQ-1", more) for books in (first, second) * 25))
    entry = await first.bucket.get(state_key("REQ-1"))
    assert entry is not None
    assert load(entry.value).attempts == 50
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await first.close()
    await second.close()


async def test_a_message_that_no_stream_takes_stays_in_the_record(link: Link) -> None:
    books = await opened(link)
    await books.create(new())
    with pytest.raises(JetStreamRefused, match="no stream takes"):
        await books.apply("REQ-1", lambda record: record.telling(effect(subject="nobody.listens")))
    entry = await books.bucket.get(state_key("REQ-1"))
    assert entry is not None
    assert load(entry.value).outbox == (effect(subject="nobody.listens"),)
    await books.close()


async def test_compare_and_set_refuses_what_was_decided_on_old_knowledge(link: Link) -> None:
    bucket = Bucket(link, "agog_state")
    await bucket.open()
    revision = await bucket.put("k", b"1", after=0)
    await bucket.put("k", b"2", after=revision)
    with pytest.raises(Moved):
        await bucket.put("k", b"3", after=revision)
    with pytest.raises(Moved):
        await bucket.put("k", b"2", after=revision)  # the same value, but somebody else's decision


async def test_a_write_whose_answer_was_lost_counts_once(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket(link, "agog_state")
    await bucket.open()
    ask = link.request

    async def twice(subject: str, *arguments: Any, **options: Any) -> Any:
        """As the link does when the connection breaks before the answer comes."""
        if subject.startswith("$KV."):
            await ask(subject, *arguments, **options)
        return await ask(subject, *arguments, **options)

    monkeypatch.setattr(link, "request", twice)
    revision = await bucket.put("k", b"1", after=0)
    entry = await bucket.get("k")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"1", revision)


async def test_a_value_of_somebody_else_does_not_end_the_reading(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket(link, "agog_state")
    await bucket.open()
    await bucket.put(state_key("REQ-2"), b"odd")
    await bucket.put(state_key("REQ-1"), dump(new()))
    books = await opened(link)
    assert list(books.records) == ["REQ-1"]
    assert "requirement.REQ-2" in caplog.text
    await books.close()
