"""The report as Markdown. Names come from containers, streams and servers: they are escaped, never obeyed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pytest_agog.masking import mask
from pytest_agog.reference.operations.reporting.model import ContainerSeen, Reached, Report
from pytest_agog.values import format_size

_STYLE: Final = re.compile(r"[\\`*{}~#$^]|(?<![^\W_])_|_(?![^\W_])")
"""What a backslash makes plain. An underscore inside a word is plain already."""
_ACTIVE: Final = re.compile(r"[\[\]<>&|@]")
"""What tables, mentions and renderers with rules of their own see even behind a backslash."""
_LINK: Final = re.compile(r"(?:(?<=https)|(?<=http)|(?<=ftp)):(?=//)|(?<=www)\.", re.IGNORECASE)
_HIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def escaped(text: str) -> str:
    """`text` on one line, for a table cell or a list item: no markup, HTML, link or mention comes of it."""
    plain = _HIDDEN.sub("\ufffd", " ".join(mask(text).split()))
    plain = _ACTIVE.sub(lambda found: f"&#{ord(found[0])};", _STYLE.sub(r"\\\g<0>", plain))
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", plain)


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def summary(report: Report) -> str:
    """One or two sentences for the completion notice."""
    running = sum(one.state == "running" for one in report.containers.found)
    parts = [f"{running} of {len(report.containers.found)} containers run"] if report.containers.found else []
    if report.streams.reason:
        parts.append("streams are not known" if parts else "Streams are not known")
    else:
        streams, messages = len(report.streams.found), sum(one.messages for one in report.streams.found)
        held = f"{messages:,} message{'' if messages == 1 else 's'}"
        parts.append(f"{streams} stream{' holds' if streams == 1 else 's hold'} {held}")
    wrong = len(report.unwell)
    needs = "1 thing needs somebody." if wrong == 1 else f"{wrong} things need somebody."
    return f"{', '.join(parts)}. {needs if wrong else 'Nothing is wrong.'}"


def _lines(report: Report) -> Iterator[str]:
    yield from (
        "# Infrastructure report",
        "",
        f"As of {escaped(report.at)}.",
        "",
        "## Summary",
        "",
        summary(report),
        "",
    )
    if report.unwell:
        yield from (*(f"- {escaped(line)}" for line in report.unwell), "")
    yield from ("## Container status", "")
    if report.containers.reason:
        yield from (f"Not known: {escaped(report.containers.reason.rstrip('.'))}.", "")
    else:
        rows = [_container(one) for one in report.containers.found]
        yield from _table(("container", "image", "state", "health", "exit code", "restarts"), rows)
    yield from _mounts(report)
    yield from ("## Network connectivity", "")
    yield from _table(("from", "to", "result"), [(one.origin, one.target, _result(one)) for one in report.reached])
    yield from _streams(report)
    yield from ("## Performance metrics", "")
    if report.measured.reason:
        yield from (f"Of NATS not known: {escaped(report.measured.reason)}.", "")
    else:
        yield from _table(("NATS", "value"), report.measured.values)
    used = [
        (one.name, one.cpu, one.memory)
        for one in report.containers.found
        if one.state == "running" and (one.cpu or one.memory)
    ]
    if used:
        yield from _table(("container", "CPU", "memory"), used)
    yield from _further(report)


def _container(one: ContainerSeen) -> tuple[str, ...]:
    code = str(one.exit_code) if one.state != "running" else ""
    health = one.health or ("no healthcheck" if one.state == "running" else "")
    return one.name, one.image, one.state, health, code, str(one.restarts)


_ACCESS: Final = {True: "read and write", False: "read"}


def _mounts(report: Report) -> Iterator[str]:
    yield from ("## Volume mounts", "")
    if report.containers.reason:
        yield from (f"Not known: {escaped(report.containers.reason.rstrip('.'))}.", "")
        return
    rows = [
        (one.container, one.kind, one.source, one.target, _ACCESS[one.writable], one.problem or "there")
        for container in report.containers.found for one in container.mounts
    ]  # fmt: skip
    yield from _table(("container", "kind", "source", "target", "access", "result"), rows)


def _result(one: Reached) -> str:
    if one.well is None:
        return one.detail
    return "reached" if one.well else f"NOT reached: {one.detail}"


def _streams(report: Report) -> Iterator[str]:
    yield from ("## NATS streams", "")
    if report.streams.reason:
        yield from (f"Not known: {escaped(report.streams.reason)}", "")
        return
    yield from _table(
        ("stream", "messages", "bytes", "first", "last", "consumers"),
        [
            (
                one.name,
                f"{one.messages:,}",
                format_size(one.bytes),
                str(one.first),
                str(one.last),
                str(len(one.consumers)),
            )
            for one in report.streams.found
        ],
    )
    consumers = [
        (stream.name, one.name, f"{one.lag:,}", f"{one.pending:,}", f"{one.ack_pending:,}", f"{one.redelivered:,}")
        for stream in report.streams.found for one in stream.consumers
    ]  # fmt: skip
    if consumers:
        yield from _table(("stream", "consumer", "lag", "pending", "unacknowledged", "redelivered"), consumers)


def _further(report: Report) -> Iterator[str]:
    if report.checks:
        yield from ("## Checks", "")
        yield from _table(("check", "outcome", "found", "remedy"), report.checks)
    if report.compose is not None:
        yield from ("## Compose files", "")
        yield from (*(f"- {escaped(line)}" for line in report.compose), "") if report.compose else ("No findings.", "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    rows = list(rows)
    if not rows:
        yield from ("None.", "")
        return
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(escaped(cell) or '-' for cell in row)} |"
    yield ""
