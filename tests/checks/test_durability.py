from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.checks.evidence.accounting import account_for
from pytest_agog.ledger.answers import ConsumerSeen, StreamSeen
from pytest_agog.ledger.facts import Barrier, ComponentActed, PublishAcked, PublishAttempted, ServerSeen
from tests.checks.builders import Book, told

SUBJECT = "results.roy.REQ-1"
SOUND = {"storage": "file", "discard": "old", "max_msgs": -1, "max_bytes": -1, "max_age": 0, "num_replicas": 1}


def test_nothing_is_lost(book: Book) -> None:
    for number in range(3):
        book.publish(SUBJECT, f"message {number}")
    book.fact(Barrier({"RESULTS": 3}))
    verdict = book.judge("no_loss")
    assert verdict.passed, told(verdict)
    assert verdict.observed == "3 acknowledged, 3 in the streams, 0 lost; no crash was played"
    assert verdict.evidence[0].details["acked"] == 3


def test_losses_are_split_and_shown(book: Book) -> None:
    for number in range(6):
        book.publish(SUBJECT, f"message {number}", store=number in (1, 3))
    verdict = book.judge("no_loss", subjects=["results.>"])
    assert not verdict.passed
    assert "4 of 6 acknowledged lost (1 prefix, 1 middle, 2 suffix)" in verdict.observed
    shown = verdict.evidence[1]
    assert shown.details["sequence"] == 1
    assert "lost (prefix): results.roy.REQ-1" in shown.text
    assert shown.excerpt == "message 0"


def test_other_subjects_are_not_judged(book: Book) -> None:
    book.publish(SUBJECT, "kept")
    book.publish("requirements.backend.REQ-1", "lost", store=False)
    assert book.judge("no_loss", subjects=["results.>"]).passed
    assert not book.judge("no_loss").passed


def test_what_was_seen_and_then_rolled_back_is_lost(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.publish(SUBJECT, "two")
    book.fact(Barrier({"RESULTS": 1}))
    verdict = book.judge("no_loss")
    assert not verdict.passed
    assert "RESULTS #2 is past the end of the stream, #1" in verdict.observed


def test_a_sequence_that_was_given_twice(book: Book) -> None:
    first = book.publish(SUBJECT, "same")
    book.sequences["RESULTS"] = first - 1
    book.publish(SUBJECT, "same")
    account = account_for(book.ledger)
    assert [loss.why for loss in account.lost] == [f"another message stands at RESULTS #{first}"]
    other = Book()
    other.publish(SUBJECT, "mine", store=False)
    other.stored(SUBJECT, "yours", sequence=1)
    assert not other.judge("no_loss").passed


def test_a_stream_that_is_gone_has_lost_everything(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.fact(StreamSeen("stream:RESULTS", "RESULTS", exists=False, reason="connection refused"))
    assert book.judge("no_loss").passed, "not looked up is not gone"
    book.fact(StreamSeen("stream:RESULTS", "RESULTS", exists=False))
    assert "is gone with its stream" in book.judge("no_loss").observed


def _three(book: Book, **state: Any) -> None:
    for number in range(3):
        book.publish(SUBJECT, f"message {number}")
    book.stream("RESULTS", config=SOUND, state={"first_seq": 1, "last_seq": 3, "messages": 3, **state})


@pytest.mark.parametrize(
    ("state", "lost"),
    [
        ({"deleted": [2], "messages": 2}, "RESULTS #2 was deleted from the stream"),
        (
            {"first_seq": 3, "messages": 1},
            "RESULTS #1 was purged, deleted or dropped at a limit: the stream begins at #3",
        ),
        ({"first_seq": 4, "messages": 0}, "3 of 3 acknowledged lost (0 prefix, 0 middle, 3 suffix)"),
    ],
)
def test_what_is_deleted_or_purged_is_lost(book: Book, state: dict[str, Any], lost: str) -> None:
    _three(book, **state)
    book.fact(Barrier({"RESULTS": 3}))  # tells the end only, and must not hide what a look at the stream told
    verdict = book.judge("no_loss")
    assert not verdict.passed
    assert lost in verdict.observed
    assert "stored twice" not in verdict.observed


def test_what_was_published_after_the_look_is_not_judged_by_it(book: Book) -> None:
    _three(book, first_seq=4, messages=0)
    book.publish("results.jen.REQ-2", "later")
    assert book.judge("no_loss", subjects=["results.jen.*"]).passed


@pytest.mark.parametrize(
    ("config", "headers"),
    [
        ({"retention": "workqueue"}, {}),
        ({"retention": "interest"}, {}),
        ({"max_msgs_per_subject": 1}, {}),
        ({}, {"Nats-Rollup": "sub"}),
        ({}, {"Nats-TTL": "1s"}),
    ],
)
def test_what_made_room_as_meant_is_not_lost(book: Book, config: dict[str, Any], headers: dict[str, str]) -> None:
    for number in range(3):
        book.publish(SUBJECT, f"message {number}", headers=headers)
    book.stream("RESULTS", config={**SOUND, **config}, state={"first_seq": 3, "last_seq": 3, "messages": 1})
    verdict = book.judge("no_loss")
    assert verdict.passed, told(verdict)


def test_an_older_message_of_another_subject_did_not_make_room(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.publish("results.jen.REQ-2", "two")
    config = {**SOUND, "max_msgs_per_subject": 1}
    book.stream("RESULTS", config=config, state={"first_seq": 2, "last_seq": 2, "messages": 1})
    assert "1 of 2 acknowledged lost" in book.judge("no_loss").observed


def test_a_server_that_stays_away_shows_nothing(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.fact(ComponentActed("nats", "killed", "KILL"))
    assert "nobody saw what it kept" in book.judge("no_loss").observed
    book.fact(ComponentActed("nats", "restarted"))
    book.fact(Barrier({"RESULTS": 1}))
    assert book.judge("no_loss").passed


def test_a_duplicate_may_be_acknowledged_after_the_original(book: Book) -> None:
    """Publishes that are under way at once are acknowledged in any order."""
    headers = {"Nats-Msg-Id": "a"}
    for number in range(3):
        book.publish(SUBJECT, "one", headers=headers, duplicate_of=1 if number else None)
    verdict = book.judge("no_loss")
    assert verdict.passed, told(verdict)


def test_a_retry_that_was_recognised_is_stored_once(book: Book) -> None:
    headers = {"Nats-Msg-Id": "a"}
    book.publish(SUBJECT, "one", headers=headers, ack=False)
    book.publish(SUBJECT, "one", headers=headers, duplicate_of=1)
    verdict = book.judge("no_loss")
    assert verdict.passed, told(verdict)
    assert account_for(book.ledger).suppressed == 1


def test_copies_with_one_message_id_are_duplicates(book: Book) -> None:
    headers = {"Nats-Msg-Id": "a"}
    book.publish(SUBJECT, "one", headers=headers, ack=False)
    book.publish(SUBJECT, "one", headers=headers)
    verdict = book.judge("no_loss")
    assert not verdict.passed
    assert "1 message stored twice" in verdict.observed


def test_outside_the_window_a_message_id_is_new(book: Book) -> None:
    for time in (0.0, 121.0):
        book.stored(SUBJECT, "one", headers={"Nats-Msg-Id": "a"}, time=1e9 + time)
    assert account_for(book.ledger).duplicated == ()


def test_a_copy_that_nobody_attempted_is_a_duplicate(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.stored(SUBJECT, "one")
    assert not book.judge("no_loss").passed


def test_what_nobody_attempted_is_told_and_does_not_fail(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.stored(SUBJECT, "of an agent's own client")
    verdict = book.judge("no_loss")
    assert verdict.passed
    assert verdict.evidence[0].details["unexpected"] == 1
    assert "unexpected (published by a client" in verdict.evidence[0].excerpt


def test_unknown_ones_are_legal_either_way(book: Book) -> None:
    book.publish(SUBJECT, "one")
    book.publish(SUBJECT, "two", ack=False)
    book.publish(SUBJECT, "three", ack=False, store=False)
    verdict = book.judge("no_loss")
    assert verdict.passed
    assert verdict.nearest == "2 publishes without acknowledgement, 1 of them stored"


@pytest.mark.parametrize("core", [True, False])
def test_nothing_to_judge(book: Book, core: bool) -> None:
    assert "nothing was published" in book.judge("no_loss").observed
    book.publish(SUBJECT, "one", core=core, ack=False)
    verdict = book.judge("no_loss")
    assert not verdict.passed
    assert "1 published, none with an acknowledgement" in verdict.observed


def test_the_older_requirement_subject_is_routed(book: Book) -> None:
    attempt = book.fact(PublishAttempted("work.requirements.backend.REQ-1", book.put("{}"), "step 1"))
    book.stored("requirements.backend.REQ-1", "{}")
    book.fact(PublishAcked(attempt, "REQUIREMENTS", 1))
    account = account_for(book.ledger, ["work.requirements.>"])
    assert (account.observed, account.duplicated, account.unexpected) == (1, (), ())


def test_committed_messages_are_not_lost(book: Book) -> None:
    book.publish("argo.workflow.general.status", "{}", store=False)
    assert not book.judge("no_loss").passed
    book.rows([{"stream_seq": 1}])
    assert book.judge("no_loss").passed
    queue = Book()
    queue.publish(SUBJECT, "work", store=False)
    queue.stream("RESULTS", config={"retention": "workqueue"}, state={"last_seq": 1, "messages": 0})
    queue.fact(ConsumerSeen("consumer:RESULTS:c", "RESULTS", "c", exists=True, state={"ack_floor": {"stream_seq": 1}}))
    assert queue.judge("no_loss").passed


# --- grade ------------------------------------------------------------------------------------------------------------
def _kill(book: Book, how: str) -> None:
    book.fact(ComponentActed("nats", "killed", how))
    book.fact(ComponentActed("nats", "restarted"))


def _run(book: Book, *, config: dict[str, Any] | None = None, sync: bool = True, servers: int = 1) -> None:
    book.fact(ServerSeen("nats://h", "2.15.1", 12_000_000, sync, servers))
    book.publish(SUBJECT, "one")
    book.stream("RESULTS", config={**SOUND, **(config or {})}, state={"last_seq": 1, "messages": 1, "bytes": 3})


def test_a_process_crash_is_what_was_played(book: Book) -> None:
    _kill(book, "KILL")
    _run(book)
    assert not book.judge("no_loss", grade="process-crash").passed, "killed before anything was acknowledged"
    _kill(book, "TERM")
    book.fact(ComponentActed("postgres", "killed", "KILL"))
    assert not book.judge("no_loss", grade="process-crash").passed, "a server that shuts down is no crash"
    _kill(book, "KILL")
    verdict = book.judge("no_loss", grade="process-crash")
    assert verdict.passed, told(verdict)
    assert verdict.observed.endswith("tested against process crash (1x)")


def test_that_no_crash_was_played_is_told_once(book: Book) -> None:
    _run(book)
    verdict = book.judge("no_loss", grade="power-loss")
    assert not verdict.passed
    assert verdict.observed.count("no crash was played") == 1


def test_a_process_crash_is_no_power_loss(book: Book) -> None:
    _run(book)
    _kill(book, "KILL")
    verdict = book.judge("no_loss", grade="power-loss")
    assert not verdict.passed
    assert verdict.observed.endswith("; tested against process crash (1x)")
    assert "only a process crash was played, no power loss was simulated" in verdict.observed
    _kill(book, "power loss")
    assert book.judge("no_loss", grade="power-loss").passed


@pytest.mark.parametrize(
    ("config", "hazard"),
    [
        ({"storage": "memory"}, "RESULTS is kept in memory"),
        ({"persist_mode": "async"}, "RESULTS has persist_mode async"),
        ({"no_ack": True}, "RESULTS has no_ack"),
        ({"max_msgs": 1}, "discards old messages at max_msgs 1"),
        ({"max_bytes": 3}, "discards old messages at max_bytes 3"),
        ({"max_age": 0.5}, "discards old messages at max_age 500ms"),
    ],
)
def test_hazards_of_the_configuration(book: Book, config: dict[str, Any], hazard: str) -> None:
    _run(book, config=config)
    _kill(book, "power loss")
    verdict = book.judge("no_loss", grade="power-loss")
    assert not verdict.passed
    assert hazard in verdict.observed
    assert book.judge("no_loss").passed, "a hazard is told, and fails only the grade that it forbids"
    assert hazard in verdict.evidence[0].excerpt


def test_limits_out_of_reach_are_no_hazard(book: Book) -> None:
    _run(book, config={"max_msgs": 10_000, "max_bytes": 10**9, "max_age": 604800.0})
    _kill(book, "power loss")
    assert book.judge("no_loss", grade="power-loss").passed


def test_a_server_that_syncs_late_shows_no_power_loss(book: Book) -> None:
    _run(book, sync=False)
    _kill(book, "power loss")
    assert "acknowledges before it syncs" in book.judge("no_loss", grade="power-loss").observed


def test_replica_loss(book: Book) -> None:
    _run(book, servers=3)
    book.fact(ComponentActed("nats-2", "killed", "KILL"))
    assert "RESULTS has 1 of 3 copies" in book.judge("no_loss", grade="replica-loss").observed
    book.stream("RESULTS", config={**SOUND, "num_replicas": 3}, state={"last_seq": 1})
    assert book.judge("no_loss", grade="replica-loss").passed
    alone = Book()
    _run(alone)
    _kill(alone, "KILL")
    assert "no single server" in alone.judge("no_loss", grade="replica-loss").observed


# --- the account against a plain count --------------------------------------------------------------------------------
FATES = st.lists(
    st.tuples(
        st.sampled_from(["kept", "lost", "unknown kept", "unknown lost", "doubled", "foreign", "core"]),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(FATES)
def test_the_account_agrees_with_a_plain_count(fates: list[tuple[str, int]]) -> None:
    book = Book()
    expected = dict.fromkeys(("acked", "lost", "unknown", "unknown_observed", "duplicated", "unexpected", "core"), 0)
    for number, (fate, name) in enumerate(fates):
        data, headers = f"payload {name}", {"Nats-Msg-Id": str(number)}
        if fate == "foreign":
            book.stored(SUBJECT, f"foreign {number}")
            expected["unexpected"] += 1
            continue
        expected["acked"] += fate in ("kept", "lost", "doubled")
        expected["lost"] += fate == "lost"
        expected["unknown"] += fate.startswith("unknown")
        expected["unknown_observed"] += fate == "unknown kept"
        expected["core"] += fate == "core"
        expected["duplicated"] += fate == "doubled"
        if fate.startswith("unknown") or fate in ("doubled", "core"):
            data = f"payload of {number}"  # its own content, so that one fate cannot stand in for another
        acked, kept = fate in ("kept", "lost", "doubled"), fate not in ("lost", "unknown lost")
        book.publish(SUBJECT, data, headers=headers, ack=acked, store=kept, core=fate == "core")
        if fate == "doubled":
            book.stored(SUBJECT, data, headers=headers)
    account = account_for(book.ledger)
    found = {
        "acked": len(account.acked),
        "lost": len(account.lost),
        "unknown": len(account.unknown),
        "unknown_observed": account.unknown_observed,
        "duplicated": len(account.duplicated),
        "unexpected": len(account.unexpected),
        "core": account.core,
    }
    assert found == expected
    assert account.observed == expected["acked"] - expected["lost"]
    there = [
        place
        for place, (fate, _) in enumerate(f for f in fates if f[0] in ("kept", "lost", "doubled"))
        if fate != "lost"
    ]
    parts = [loss.part for loss in account.lost]
    order = {"prefix": 0, "middle": 1, "suffix": 2}
    assert parts == sorted(parts, key=order.__getitem__)
    assert there or set(parts) <= {"suffix"}


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_parts_against_a_plain_definition(kept: list[bool]) -> None:
    book = Book()
    for number, there in enumerate(kept):
        book.publish(SUBJECT, f"message {number}", store=there)
    parts = {loss.attempt.ack.sequence: loss.part for loss in account_for(book.ledger).lost if loss.attempt.ack}
    for place, there in enumerate(kept):
        if not there:
            before, after = any(kept[:place]), any(kept[place:])
            assert parts[place + 1] == ("suffix" if not after else "middle" if before else "prefix")
