from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.topology import ConsumerArguments, StreamArguments
from pytest_agog.ledger.answers import ConsumerSeen, StreamSeen
from pytest_agog.ledger.facts import Baseline
from tests.checks.builders import CHECKS, Book, told

CONFIG = {
    "subjects": ["b.>", "a.>"],
    "retention": "limits",
    "storage": "file",
    "num_replicas": 1,
    "max_age": 604800.0,
    "max_msgs": 10_000,
    "max_bytes": 10**9,
    "max_msg_size": 10**7,
    "duplicate_window": 120.0,
}
STATE = {"messages": 6, "bytes": 600, "first_seq": 1, "last_seq": 6}
ALL = {
    "subjects": ["a.>", "b.>"],
    "retention": "limits",
    "storage": "file",
    "replicas": 1,
    "max_age": "7d",
    "max_msgs": 10_000,
    "max_bytes": "1GB",
    "max_msg_size": "10MB",
    "duplicate_window": "2m",
    "messages": 6,
}


def test_a_stream_as_claimed(book: Book) -> None:
    book.stream("S", config=CONFIG, state=STATE)
    verdict = book.judge("stream", name="S", **ALL)
    assert verdict.passed, told(verdict)
    assert "subjects a.>, b.>" in verdict.expected
    assert verdict.evidence[0].details == {"stream": "S"}


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("subjects", ["a.>"], "subjects is a.>, b.>"),
        ("subjects", ["a.>", "b.>", "c.>"], "subjects is a.>, b.>"),
        ("retention", "workqueue", "retention is 'limits'"),
        ("storage", "memory", "storage is 'file'"),
        ("replicas", 3, "replicas is 1"),
        ("max_age", "6d", "max_age is 7d"),
        ("max_msgs", 9_999, "max_msgs is 10000"),
        ("max_bytes", "1GiB", "max_bytes is 1 GB"),
        ("max_msg_size", -1, "max_msg_size is 10 MB"),
        ("duplicate_window", "1m", "duplicate_window is 2m"),
        ("messages", 7, "messages is 6"),
        ("messages", {"at_most": 5}, "messages is 6"),
    ],
)
def test_each_difference_is_named(book: Book, name: str, value: Any, seen: str) -> None:
    book.stream("S", config=CONFIG, state=STATE)
    verdict = book.judge("stream", **{"name": "S", **ALL, name: value})
    assert not verdict.passed
    assert verdict.observed == seen
    assert verdict.nearest == "9 of 10 are as claimed"


def test_what_was_there_before_the_play_does_not_count(book: Book) -> None:
    book.fact(Baseline("S", 4))
    book.stream("S", config=CONFIG, state=STATE)
    assert book.judge("stream", name="S", messages=2).passed
    assert not book.judge("stream", name="S", messages=6).passed
    book.stream("S", config=CONFIG, state={**STATE, "messages": 4, "deleted": [2, 3]})
    assert book.judge("stream", name="S", messages=2).passed, "what was deleted of the old ones takes no new one away"


def test_a_missing_stream_says_which_there_are(book: Book) -> None:
    book.stream("agog_features_research", config=CONFIG, state=STATE)
    book.fact(StreamSeen("stream:agog_feature_research", "agog_feature_research", exists=False))
    verdict = book.judge("stream", name="agog_feature_research")
    assert not verdict.passed
    assert verdict.observed == "there is no stream agog_feature_research; there are: agog_features_research"
    assert "agog_features_research" in verdict.nearest


def test_a_stream_that_could_not_be_looked_up(book: Book) -> None:
    assert "not looked up" in book.judge("stream", name="S").observed
    book.fact(StreamSeen("stream:S", "S", exists=False, reason="connection refused"))
    assert "connection refused" in book.judge("stream", name="S").observed


def _consumer(book: Book, **state: int) -> None:
    config = {"ack_policy": "explicit", "filter_subject": "requirements.backend.>", "max_ack_pending": 1000}
    book.fact(ConsumerSeen("consumer:R:roy", "R", "roy", exists=True, config=config, state=state))


def test_a_consumer_as_claimed(book: Book) -> None:
    _consumer(book, num_pending=0, num_ack_pending=1, num_redelivered=0)
    given = {"stream": "R", "name": "roy"}
    fits: dict[str, Any] = {
        "ack_policy": "explicit",
        "filter": "requirements.backend.>",
        "max_ack_pending": 1000,
        "pending": 0,
        "ack_pending": {"at_most": 1},
        "redelivered": 0,
    }
    verdict = book.judge("consumer", **given, **fits)
    assert verdict.passed, told(verdict)
    near_misses: tuple[dict[str, Any], ...] = (
        {"ack_policy": "none"},
        {"filter": "requirements.>"},
        {"filter": ["requirements.backend.>", "requirements.review.>"]},
        {"max_ack_pending": 999},
        {"pending": {"at_least": 1}},
        {"ack_pending": 0},
        {"redelivered": 1},
    )
    for near_miss in near_misses:
        assert not book.judge("consumer", **given, **{**fits, **near_miss}).passed, near_miss


def test_a_missing_consumer(book: Book) -> None:
    _consumer(book)
    book.fact(ConsumerSeen("consumer:R:roi", "R", "roi", exists=False))
    verdict = book.judge("consumer", stream="R", name="roi")
    assert "R/roy" in verdict.observed
    assert not verdict.passed


def test_when_growth_can_break_them() -> None:
    stream, consumer = CHECKS["stream"], CHECKS["consumer"]
    assert stream.growth_can_break(StreamArguments.model_validate({"name": "S", "messages": 3}))
    assert not stream.growth_can_break(StreamArguments.model_validate({"name": "S", "messages": {"at_least": 3}}))
    breaks: dict[str, dict[str, Any]] = {
        "nothing": {},
        "drained": {"pending": 0, "ack_pending": 0},
        "in delivery": {"ack_pending": 0},
        "waiting": {"pending": {"at_least": 1}},
    }
    answers = {
        name: consumer.growth_can_break(ConsumerArguments.model_validate({"stream": "R", "name": "roy", **given}))
        for name, given in breaks.items()
    }
    assert answers == {"nothing": False, "drained": False, "in delivery": True, "waiting": True}


def test_a_subject_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="is no subject"):
        StreamArguments.model_validate({"name": "S", "subjects": ["a..b"]})
