"""The ledger's queries: the same answers as a naive reading, whatever the order of growth and asking."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.ledger.answers import StreamSeen
from pytest_agog.ledger.facts import MessageSeen, MessageStored
from pytest_agog.ledger.ledger import Ledger, Message
from pytest_agog.values import ABSENT
from pytest_agog.wire import subjects

SUBJECTS = ["a.x", "a.y", "a.x.z", "b.x", "b", "c.d.e"]
PATTERNS = [">", "a.>", "a.*", "*.x", "a.x", "b", "c.*.e", "nothing.>"]


def naive(ledger: Ledger, pattern: str) -> list[Message]:
    """`messages` as its docstring says it, without index or memory."""
    taken = [subject for stream in ledger.stream_subjects().values() for subject in stream]
    found = []
    for observation in ledger:
        fact = observation.fact
        if not isinstance(fact, (MessageSeen, MessageStored)):
            continue
        arrival = ledger[fact.seen] if isinstance(fact, MessageStored) and fact.seen is not None else None
        on = arrival.fact.subject if arrival is not None and isinstance(arrival.fact, MessageSeen) else fact.subject
        if not any(subjects.matches(pattern, subject) for subject in (fact.subject, on)):
            continue
        if isinstance(fact, MessageStored):
            found.append(
                Message(
                    observation.index, fact.time if arrival is None else arrival.at, fact.subject, fact.payload,
                    fact.size, fact.headers, fact.stream, fact.sequence, on if on != fact.subject else None,
                )
            )  # fmt: skip
        elif not any(subjects.matches(one, fact.subject) for one in taken):
            found.append(
                Message(observation.index, observation.at, fact.subject, fact.payload, fact.size, fact.headers)
            )
    return sorted(found, key=lambda message: (message.at, message.index))


seen = st.tuples(st.just("seen"), st.sampled_from(SUBJECTS), st.floats(0, 100))
stored = st.tuples(st.just("stored"), st.sampled_from(SUBJECTS), st.floats(0, 100))
stream = st.tuples(st.just("stream"), st.sampled_from(["a.>", "b.*", "*.x", "b"]), st.floats(0, 100))
asked = st.tuples(st.just("ask"), st.sampled_from(PATTERNS), st.floats(0, 100))


@given(st.lists(st.one_of(seen, stored, stream, asked), max_size=40))
def test_messages_like_a_naive_reading(actions: list[tuple[str, str, float]]) -> None:
    ledger = Ledger()
    payload = ledger.payloads.put(b"x")
    arrivals: list[int] = []
    for number, (what, subject, at) in enumerate(actions):
        if what == "seen":
            arrivals.append(ledger.append(MessageSeen(subject, payload, 1), at))
        elif what == "stored":
            partner = arrivals.pop() if arrivals and number % 2 else None
            ledger.append(MessageStored("S", number, at, subject, payload, 1, seen=partner), at)
        elif what == "stream":
            ledger.append(StreamSeen(f"stream:{subject}", subject, exists=True, config={"subjects": [subject]}), at)
        else:
            assert ledger.messages(subject) == naive(ledger, subject)
    for pattern in PATTERNS:
        assert ledger.messages(pattern) == naive(ledger, pattern)
        assert [m.sequence for m in ledger.stored(pattern)] == sorted(
            m.sequence
            for m in naive(ledger, pattern)
            if m.sequence is not None and subjects.matches(pattern, m.subject)
        )


def test_a_message_is_found_by_the_subject_it_was_published_on() -> None:
    """A stream with a subject transform stores under another subject than the publisher named. [F33]"""
    ledger = Ledger()
    payload = ledger.payloads.put(b"{}")
    ledger.append(StreamSeen("stream:R", "R", exists=True, config={"subjects": ["new.>", "old.new.>"]}))
    assert ledger.messages("old.>") == []  # the view grows with the ledger, too
    arrival = ledger.append(MessageSeen("old.new.x", payload, 2))
    ledger.append(MessageStored("R", 1, 1.0, "new.x", payload, 2, seen=arrival))
    for pattern in ("old.new.x", "old.>", "new.*", ">"):
        assert [(m.subject, m.published_on) for m in ledger.messages(pattern)] == [("new.x", "old.new.x")], pattern
    assert ledger.stored("old.>") == []
    assert len(ledger.stored("new.>")) == 1


def test_an_answer_belongs_to_the_caller() -> None:
    ledger = Ledger()
    ledger.append(MessageSeen("a.x", ledger.payloads.put(b"x"), 1))
    ledger.messages("a.x").clear()
    assert len(ledger.messages("a.x")) == 1


def test_last_stored_and_streams() -> None:
    ledger = Ledger()
    for sequence, subject in enumerate(["a.x", "a.y", "a.x"], start=1):
        ledger.append(MessageStored("A", sequence, 1.0, subject, ledger.payloads.put(b"%d" % sequence), 1))
    ledger.append(MessageStored("B", 1, 1.0, "b.x", ledger.payloads.put(b""), 0))
    last = ledger.last_stored("a.x")
    assert last is not None
    assert last.sequence == 3
    assert ledger.last_stored("a.z") is None
    assert [m.sequence for m in ledger.in_stream("A")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'"\\ud800"', "\ud800"),
        (b"no json", ABSENT),
        (b"\xff\xfe", ABSENT),
        (b"[" * 200_000, ABSENT),
        (b"", ABSENT),
    ],
)
def test_json_payloads(data: bytes, value: object) -> None:
    ledger = Ledger()
    key = ledger.payloads.put(data)
    assert ledger.payloads.json(key) == value
    assert ledger.payloads.json(key) is ledger.payloads.json(key)


def test_listeners_and_derived_values() -> None:
    ledger = Ledger()
    calls: list[int] = []
    end = ledger.listen(lambda: calls.append(len(ledger)))
    assert ledger.derived("n", lambda: len(ledger)) == 0
    ledger.append(MessageSeen("a", ledger.payloads.put(b""), 0))
    assert ledger.derived("n", lambda: len(ledger)) == 1
    assert ledger.derived("n", lambda: -1) == 1
    end()
    end()
    ledger.append(MessageSeen("a", ledger.payloads.put(b""), 0))
    assert calls == [1]


def test_queries_stay_quick_while_the_ledger_grows() -> None:
    ledger = Ledger()
    payload = ledger.payloads.put(b"x")
    for number in range(50_000):
        ledger.append(MessageStored("S", number, float(number), f"s.{number % 500}", payload, 1))
    begin = time.perf_counter()
    for number in range(200):
        ledger.append(MessageStored("S", 50_000 + number, 50_000.0 + number, "s.1", payload, 1))
        assert len(ledger.messages("s.>")) == 50_001 + number
    assert time.perf_counter() - begin < 2
