from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.checks.tables import RowsArguments, plain_type
from pytest_agog.ledger.answers import RowsSeen, TableSeen
from pytest_agog.ledger.facts import Baseline
from tests.checks.builders import CHECKS, Book, told

TABLE = "workflow_comms.agent_messages"
COLUMNS = {"id": "uuid", "seq": "bigint", "timestamp": "timestamp with time zone", "attrs": "jsonb"}


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("int8", "bigint"),
        ("INT", "integer"),
        ("bool", "boolean"),
        ("timestamptz", "timestamp with time zone"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("timestamp", "timestamp without time zone"),
        ("varchar(20)", "character varying(20)"),
        ("text[]", "text[]"),
        ("int4[]", "integer[]"),
        ("numeric(10, 2)", "numeric(10,2)"),
        ("double", "double precision"),
        ("vector(768)", "vector(768)"),
    ],
)
def test_types_have_several_names(short: str, full: str) -> None:
    assert plain_type(short) == plain_type(full)


def test_other_types_stay_apart() -> None:
    assert plain_type("timestamp") != plain_type("timestamptz")
    assert plain_type("text") != plain_type("text[]")
    assert plain_type("int4") != plain_type("int8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, ""),
        ({"columns": {"seq": "int8", "timestamp": "timestamptz"}}, ""),
        ({"columns": {"seq": "integer"}}, "column seq is bigint, not integer"),
        ({"columns": {"sequence": "bigint"}}, "there is no column sequence"),
        ({"indexes": [["run_id", "seq"]]}, ""),
        ({"indexes": [["seq", "run_id"]]}, "there is no index on (seq, run_id)"),
        ({"indexes": [["run_id"]]}, "there is no index on (run_id)"),
    ],
)
def test_a_table(book: Book, arguments: dict[str, Any], problem: str) -> None:
    book.fact(TableSeen(f"table:{TABLE}", TABLE, exists=True, columns=COLUMNS, indexes=(("id",), ("run_id", "seq"))))
    verdict = book.judge("table", name=TABLE, **arguments)
    assert verdict.passed is (problem == ""), told(verdict)
    assert problem in verdict.observed


def test_a_missing_table(book: Book) -> None:
    assert "was not looked up" in book.judge("table", name=TABLE).observed
    book.fact(TableSeen(f"table:{TABLE}", TABLE, exists=False))
    assert book.judge("table", name=TABLE).observed == f"there is no table {TABLE}"
    book.fact(TableSeen(f"table:{TABLE}", TABLE, exists=False, reason="connection refused"))
    assert "connection refused" in book.judge("table", name=TABLE).observed


ROWS = [
    {"seq": 1, "stream_seq": 1, "kind": "message", "attrs": {"exit_code": 0}},
    {"seq": 2, "stream_seq": 2, "kind": "status", "attrs": {}},
]


@pytest.mark.parametrize(
    ("arguments", "passes"),
    [
        ({}, True),
        ({"count": 2}, True),
        ({"count": {"at_most": 1}}, False),
        ({"where": {"kind": "message"}, "count": 1}, True),
        ({"where": {"kind": "log"}}, False),
        ({"where": {"attrs.exit_code": 0}}, True),
        ({"where": {"attrs.exit_code": {"exists": False}}, "count": 2}, False),
    ],
)
def test_rows(book: Book, arguments: dict[str, Any], passes: bool) -> None:
    book.rows(ROWS)
    verdict = book.judge("rows", **arguments)
    assert verdict.passed is passes, told(verdict)


def test_the_nearest_row(book: Book) -> None:
    book.rows(ROWS)
    verdict = book.judge("rows", where={"kind": "status", "attrs.exit_code": 1})
    assert verdict.nearest.startswith("one row meets 1 of 2 conditions: ")
    assert "nearest miss" in verdict.evidence[0].text
    book.rows([])
    assert book.judge("rows", where={"kind": "status"}).nearest == "the table is empty"


def test_a_table_that_cannot_be_read(book: Book) -> None:
    assert "was not looked up" in book.judge("rows").observed
    book.fact(RowsSeen(f"rows:{TABLE}:", TABLE, None, reason='relation "x" does not exist'))
    assert "does not exist" in book.judge("rows").observed


def _comms(book: Book, count: int) -> None:
    for number in range(1, count + 1):
        book.stored("argo.workflow.ns.wf.uid.agent.roy.message", {"message_id": f"m{number}", "content": str(number)})


def _row(sequence: int, **more: Any) -> dict[str, Any]:
    return {"seq": sequence, "stream_seq": sequence, "content": str(sequence), **more}


def test_exactly_one_row_for_every_message(book: Book) -> None:
    _comms(book, 3)
    book.rows([_row(1), _row(2), _row(3)])
    verdict = book.judge("rows", exactly_once=True)
    assert verdict.passed, told(verdict)
    assert "3 messages, each with exactly one row" in verdict.observed


def test_missing_doubled_and_strange_rows_are_listed(book: Book) -> None:
    _comms(book, 3)
    book.rows([_row(1), _row(1), _row(2), _row(9)])
    verdict = book.judge("rows", exactly_once=True)
    assert not verdict.passed
    assert "1 of 3 messages without a row" in verdict.observed
    assert "1 message with several rows (up to 2)" in verdict.observed
    assert "1 row of a message that the stream never held" in verdict.observed
    notes = [item.text.rsplit(" · ", 1)[1] for item in verdict.evidence]
    assert "no row" in notes
    assert "2 rows" in notes
    assert verdict.evidence[0].details["sequence"] == 3


def test_a_copy_on_the_stream_is_the_same_message(book: Book) -> None:
    _comms(book, 1)
    subject = "argo.workflow.ns.wf.uid.agent.roy.message"
    book.stored(subject, {"content": "1", "message_id": "m1"})
    book.rows([_row(1)])
    assert book.judge("rows", exactly_once=True).passed
    book.rows([_row(1), _row(2)])
    assert not book.judge("rows", exactly_once=True).passed, "one message, two rows"
    book.stored("argo.workflow.general.message", {"content": "1", "message_id": "m1"})
    book.rows([_row(1)])
    assert not book.judge("rows", exactly_once=True).passed, "the copy on the general channel is another message"


def test_a_reused_id_does_not_hide_another_message(book: Book) -> None:
    subject = "argo.workflow.ns.wf.uid.agent.roy.message"
    book.stored(subject, {"content": "a", "message_id": "m"})
    book.stored(subject, {"content": "b", "message_id": "m"})
    book.rows([_row(1)])
    assert not book.judge("rows", exactly_once=True).passed


def test_messages_without_an_id_stand_for_themselves(book: Book) -> None:
    for _ in range(2):
        book.stored("argo.workflow.general.status", {"content": "same"})
    book.rows([_row(1)])
    assert not book.judge("rows", exactly_once=True).passed
    book.rows([_row(1), _row(2)])
    assert book.judge("rows", exactly_once=True).passed


def test_backfilled_rows_belong_by_message_id(book: Book) -> None:
    _comms(book, 1)
    row = {"seq": 5, "stream_seq": None, "content": "1", "attrs": {"message_id": "m1"}}
    book.rows([row])
    assert book.judge("rows", exactly_once=True).passed
    book.rows([row, _row(1)])
    assert not book.judge("rows", exactly_once=True).passed, "backfill and live made two rows"
    book.rows([_row(1), {"seq": 6, "stream_seq": None, "content": "x"}])
    verdict = book.judge("rows", exactly_once=True)
    assert verdict.passed
    assert verdict.nearest == "1 row without stream_seq or message id"


def test_rows_from_before_the_play_do_not_count(book: Book) -> None:
    book.fact(Baseline("agent-comms", 10))
    book.stored("argo.workflow.general.status", {"content": "a"}, sequence=11)
    book.rows([_row(3), _row(11)])
    assert book.judge("rows", exactly_once=True).passed


def test_nothing_to_judge(book: Book) -> None:
    book.rows([])
    verdict = book.judge("rows", exactly_once=True)
    assert not verdict.passed
    assert "nothing to judge" in verdict.observed


def test_other_tables_name_their_messages(book: Book) -> None:
    for number in (1, 2):
        book.stored(f"results.roy.REQ-{number}", {"message_id": f"m{number}"})
        book.stored("errors.x", {"a": number}, stream="ERRORS")
    table = "app.results"
    both = [{"stream": "RESULTS", "stream_seq": number} for number in (1, 2)]
    book.rows(both, table)
    assert book.judge("rows", table=table, exactly_once=True).passed
    book.rows(both[:1], table)
    assert not book.judge("rows", table=table, exactly_once=True).passed
    book.rows([{"message_id": "m1"}, {"message_id": "m2"}], table)
    assert book.judge("rows", table=table, exactly_once=True).passed
    book.rows([{"message_id": "m1"}, {"message_id": "m1"}, {"message_id": "m3"}], table)
    verdict = book.judge("rows", table=table, exactly_once=True)
    assert "without a row" in verdict.observed
    assert "several rows" in verdict.observed
    assert "never held" in verdict.observed
    book.rows([{"name": "x"}], table)
    assert "neither stream_seq nor message_id" in book.judge("rows", table=table, exactly_once=True).observed
    book.rows([{"stream_seq": 1}], table)
    assert "several streams could feed it" in book.judge("rows", table=table, exactly_once=True).observed


def test_what_can_never_fail_is_told() -> None:
    rows = CHECKS["rows"]
    assert rows.vacuous(RowsArguments.model_validate({"where": {}}))
    assert rows.vacuous(RowsArguments.model_validate({"count": {"at_least": 0}}))
    assert rows.vacuous(RowsArguments.model_validate({"count": {"at_least": 0}, "exactly_once": True})) is None
    assert rows.growth_can_break(RowsArguments.model_validate({"exactly_once": True}))


def test_a_row_that_names_no_message_has_none(book: Book) -> None:
    """[F14] In the table of agent messages such a row may come from a log that is stored afterwards."""
    book.stored("results.roy.REQ-1", {"message_id": "a"})
    book.rows([{"message_id": "a"}], table="s.delivered")
    assert book.judge("rows", table="s.delivered", exactly_once=True).passed
    book.rows([{"message_id": "a"}, {"message_id": None}], table="s.delivered")
    verdict = book.judge("rows", table="s.delivered", exactly_once=True)
    assert not verdict.passed
    assert "1 row that names no message" in verdict.observed
