"""Claims about Postgres: `table`, `rows`."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence import feeding
from pytest_agog.checks.evidence.conditions import Columns, fitting, nearest
from pytest_agog.checks.evidence.feeding import Matched, Row
from pytest_agog.checks.evidence.telling import close_names, described, excerpt, listed, of_message, short
from pytest_agog.checks.messages import AT_LEAST_ONE
from pytest_agog.ledger.answers import RowsSeen, TableSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import Probe, RowsProbe, TableProbe
from pytest_agog.values import Bound, Strict, Where, look_up, plural

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class TableArguments(Strict):
    """A table, and the columns and indexes that it must have. Others may stand beside them."""

    name: Identifier
    """The table, with its schema: `workflow_comms.agent_messages`."""
    columns: dict[Identifier, Identifier] | None = None
    """Columns and their types, as Postgres or SQL name them (`timestamptz` or `timestamp with time zone`)."""
    indexes: tuple[Annotated[tuple[Identifier, ...], Field(min_length=1)], ...] | None = None
    """Indexes, each as its columns in order; primary key and unique constraints count."""


class RowsArguments(Strict):
    """Rows of a table: which, how many, and whether every message has its own."""

    table: Identifier = feeding.MESSAGES_TABLE
    """The table, with its schema."""
    where: Where | None = None
    """What must stand in the columns (`attrs.exit_code` looks into a JSON column); narrows `count`."""
    count: Count | None = None
    """How many rows fit; at least one when neither this nor `exactly_once` is given."""
    exactly_once: bool | None = None
    """Every message of the stream that feeds the table has exactly one row, and no row is without its message."""

    @model_validator(mode="after")
    def _asks(self) -> RowsArguments:
        if self.exactly_once is False:
            raise ValueError("exactly_once can only be true; leave it out otherwise")
        return self

    @property
    def bound(self) -> Bound | None:
        """How many rows must fit."""
        return AT_LEAST_ONE if self.count is None and (not self.exactly_once or self.where) else self.count


# --- table ------------------------------------------------------------------------------------------------------------
_ALIASES: Final = {
    "int": "integer", "int2": "smallint", "int4": "integer", "int8": "bigint", "serial": "integer",
    "bigserial": "bigint", "bool": "boolean", "varchar": "character varying", "char": "character",
    "bpchar": "character", "decimal": "numeric", "float4": "real", "float8": "double precision",
    "float": "double precision", "double": "double precision", "varbit": "bit varying",
}  # fmt: skip
_TYPE: Final = re.compile(r"([^(\[]*?)\s*(\([^)]*\))?\s*((?:with|without) time zone)?\s*((?:\[\d*\])*)")


def plain_type(name: str) -> str:
    """A column type as `format_type` writes it: `timestamptz(3)` is `timestamp(3) with time zone`."""
    text = " ".join(name.strip().lower().split())
    found = _TYPE.fullmatch(text)
    if found is None:
        return text
    base, modifier, zone, array = found[1], (found[2] or "").replace(" ", ""), found[3] or "", found[4]
    if base.endswith((" with time zone", " without time zone")):
        base, _, rest = base.partition(" with")
        zone = f"with{rest}"
    if base in ("timestamptz", "timetz"):
        base, zone = base.removesuffix("tz"), "with time zone"
    elif base in ("timestamp", "time") and not zone:
        zone = "without time zone"
    return f"{_ALIASES.get(base, base)}{modifier}{' ' + zone if zone else ''}{'[]' * array.count('[')}"


def judge_table(ledger: Ledger, arguments: TableArguments) -> Verdict:
    """The table is there with the given columns, types and indexes."""
    expected = _table_expected(arguments)
    seen = ledger.answer(TableProbe(arguments.name).key, TableSeen)
    if seen is None or seen.reason:
        why = f": {short(seen.reason)}" if seen is not None else ""
        return nothing_to_judge(expected, f"table {short(arguments.name)} was not looked up{why}")
    if not seen.exists:
        known = sorted({item.fact.table for item in ledger.of(TableSeen) if item.fact.exists})
        near = f"there are {listed(known)}" if known else ""
        return failed(expected=expected, observed=f"there is no table {short(arguments.name)}", nearest=near)
    problems: list[str] = []
    alike: list[str] = []
    for name, wanted in (arguments.columns or {}).items():
        if name not in seen.columns:
            problems.append(f"there is no column {short(name)}")
            alike += close_names(name, seen.columns)
        elif plain_type(seen.columns[name]) != plain_type(wanted):
            problems.append(f"column {short(name)} is {seen.columns[name]}, not {short(wanted)}")
    for index in arguments.indexes or ():
        if tuple(index) not in seen.indexes:
            problems.append(f"there is no index on ({', '.join(index)})")
    columns = ", ".join(f"{name} {kind}" for name, kind in seen.columns.items())
    indexes = "; ".join(f"({', '.join(index)})" for index in seen.indexes)
    text = f"table {seen.table}: {plural(len(seen.columns), 'column')}, {plural(len(seen.indexes), 'index', 'indexes')}"
    told = Evidence("table", None, text, excerpt(f"columns: {columns}\nindexes: {indexes}"), {"table": seen.table})
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join(problems) or f"{plural(len(seen.columns), 'column')}, all as claimed",
        evidence=[told],
        nearest=f"did you mean column {listed(dict.fromkeys(alike), 3)}?" if alike else "",
    )


def _table_expected(arguments: TableArguments) -> str:
    parts = [f"table {short(arguments.name)}"]
    if arguments.columns:
        parts.append("with columns " + ", ".join(f"{name} {kind}" for name, kind in arguments.columns.items()))
    if arguments.indexes:
        parts.append("with indexes on " + ", ".join(f"({', '.join(index)})" for index in arguments.indexes))
    return " ".join(parts) if parts[1:] else f"{parts[0]} exists"


_REJECTED: Final = RowsProbe(feeding.REJECTED_TABLE, ("stream", "stream_seq", "reason"))


# --- rows -------------------------------------------------------------------------------------------------------------
def judge_rows(ledger: Ledger, arguments: RowsArguments) -> Verdict:
    """As many rows fit as given; with `exactly_once` messages and rows match one to one (see `checks.feeding`)."""
    expected = _rows_expected(arguments)
    seen = ledger.answer(RowsProbe(arguments.table).key, RowsSeen)
    if seen is None:
        return nothing_to_judge(expected, f"table {short(arguments.table)} was not looked up")
    if seen.payload is None:
        return failed(expected=expected, observed=f"the table cannot be read: {short(seen.reason)}")
    rows = feeding.rows_of(ledger, seen.payload)
    problems: list[str] = []
    evidence: list[Evidence] = []
    summary, near = [], ""
    if arguments.bound is not None:
        columns = _columns(ledger, seen.payload)
        found = [rows[place] for place in fitting(arguments.where or {}, columns, len(rows))]
        holds = arguments.bound.holds(len(found))
        summary.append(
            f"{plural(len(found), 'row')} of {len(rows):,} fit" if arguments.where else plural(len(rows), "row")
        )
        problems += [] if holds else [summary[-1]]
        evidence += [_told_row(arguments.table, row) for row in found[:3]]
        if not holds and not found:
            near, place = _nearest_row(arguments.where, columns, len(rows))
            evidence += [_told_row(arguments.table, rows[place], "nearest miss")] if place is not None else []
    if arguments.exactly_once:
        matched = ledger.derived(
            ("matched", arguments.table, seen.payload),
            lambda: feeding.match(ledger, arguments.table, rows, _rejected(ledger, arguments)),
        )
        if not matched.problem and not matched.messages and not rows:
            return nothing_to_judge(expected, f"there is no message and no row ({matched.how})")
        problems += _unmatched(arguments.table, matched)
        evidence += _match_evidence(ledger, arguments.table, matched)
        summary.append(f"{plural(matched.messages, 'message')}, each with exactly one row ({matched.how})")
        near = near or (f"{plural(matched.loose, 'row')} without stream_seq or message id" if matched.loose else "")
    observed = "; ".join(problems or summary)
    return verdict(not problems, expected=expected, observed=observed, evidence=evidence, nearest=near)  # fmt: skip


def _rejected(ledger: Ledger, arguments: RowsArguments) -> list[Row]:
    """What could not be stored, where the system keeps that apart."""
    if arguments.table != feeding.MESSAGES_TABLE:
        return []
    seen = ledger.answer(_REJECTED.key, RowsSeen)
    return feeding.rows_of(ledger, seen.payload) if seen is not None and seen.payload is not None else []


def _rows_probes(arguments: RowsArguments) -> list[Probe]:
    found: list[Probe] = [RowsProbe(arguments.table)]
    if arguments.exactly_once and arguments.table == feeding.MESSAGES_TABLE:
        found.append(_REJECTED)
    return found


def _columns(ledger: Ledger, payload: str) -> Columns:
    def read(path: str) -> list[Any]:
        return [look_up(row, path) for row in feeding.rows_of(ledger, payload)]

    return lambda path: ledger.derived(("rows column", payload, path), lambda: read(path))


def _rows_expected(arguments: RowsArguments) -> str:
    parts = []
    if arguments.bound is not None:
        where = f" where {described(arguments.where)}" if arguments.where else ""
        parts.append(f"{arguments.bound} rows{where}")
    if arguments.exactly_once:
        parts.append("exactly one row for every message")
    return f"in {short(arguments.table)}: {', and '.join(parts)}"


def _unmatched(table: str, matched: Matched) -> list[str]:
    if matched.problem:
        return [matched.problem]
    problems = []
    if matched.missing:
        problems.append(f"{len(matched.missing):,} of {plural(matched.messages, 'message')} without a row")
    if matched.duplicated:
        most = max(count for _, count in matched.duplicated)
        problems.append(f"{plural(len(matched.duplicated), 'message')} with several rows (up to {most})")
    if matched.strange:
        problems.append(f"{plural(len(matched.strange), 'row')} of a message that the stream never held")
    if matched.loose and table != feeding.MESSAGES_TABLE:  # there a row may come from a log that was never published
        problems.append(f"{plural(matched.loose, 'row')} that {'names' if matched.loose == 1 else 'name'} no message")
    if not problems and not matched.messages:
        problems.append("there are rows, but no message that they could belong to")
    return problems


def _match_evidence(ledger: Ledger, table: str, matched: Matched) -> list[Evidence]:
    told = [of_message(ledger, message, "no row") for message in matched.missing[:4]]
    told += [of_message(ledger, message, f"{count} rows") for message, count in matched.duplicated[:4]]
    told += [_told_row(table, row) for row in matched.strange[:2]]
    return told


def _told_row(table: str, row: Row, note: str = "") -> Evidence:
    keys = ("seq", "id", "stream_seq", "message_id")
    name = next((f"{key} {row[key]}" for key in keys if row.get(key) is not None), "a row")
    body = excerpt(json.dumps(row, ensure_ascii=False), lines=4)
    text = f"{short(table)} · {short(name)}" + (f" · {note}" if note else "")
    return Evidence("rows", None, text, body, {"table": table})


def _nearest_row(where: Where | None, columns: Columns, rows: int) -> tuple[str, int | None]:
    """What the row that meets most conditions lacks, and its place."""
    if not rows:
        return "the table is empty", None
    miss = nearest(where or {}, columns, rows)
    return (f"one row {miss.said}", miss.place) if miss is not None else ("", None)


def _rows_vacuous(arguments: RowsArguments) -> str | None:
    if arguments.where is not None and not arguments.where:
        return "where: {} fits every row; say what must stand there, or leave it out"
    if arguments.count is not None and arguments.count.cannot_fail and not arguments.exactly_once:
        return f"count: {arguments.count} holds for any number of rows"
    return None


def _rows_can_break(arguments: RowsArguments) -> bool:
    return bool(arguments.exactly_once) or (arguments.count is not None and arguments.count.has_upper_limit)


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "table",
        "A Postgres table exists with the given columns and indexes.",
        TableArguments,
        judge_table,
        "- id: messages-table\n"
        "  claim: Runs are read by their cursor\n"
        "  check: table\n"
        "  with:\n"
        "    name: workflow_comms.agent_messages\n"
        "    columns: {seq: bigint, timestamp: timestamptz}\n"
        "    indexes: [[run_id, seq]]",
        probes=lambda arguments: (TableProbe(arguments.name),),
        kills=("comms.missing-index",),
    ),
    Check(
        "rows",
        "A Postgres table has the given rows; with `exactly_once` one for every message.",
        RowsArguments,
        judge_rows,
        "- id: rows\n"
        "  claim: Every published message has exactly one row\n"
        "  check: rows\n"
        "  with: {exactly_once: true}\n"
        "  within: 5s",
        probes=_rows_probes,
        growth_can_break=_rows_can_break,
        vacuous=_rows_vacuous,
        kills=("comms.duplicate-on-redelivery", "comms.drop-poison-batch"),
    ),
)
