"""The plain log of a coding agent, read where there are no events: entries with their lines kept together. [C9, J19]

An entry begins at a line with a time (`[2025-05-16T12:00:00] …`), and, in a log with the agent's banner, at a line that
is one of its headings (`user`, `thinking`, `exec`, `codex` …). Anything else belongs to the entry before it. Of a log
with neither, the whole is told as it stands, in parts of at most `MAX_ENTRY` characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft
from pytest_agog.reference.comms.backfill.files import MAX_LINE_BYTES, Line
from pytest_agog.wire.times import parse_time

MAX_ENTRY: Final = 64_000
"""Characters in one message; a longer entry goes on in the next."""
_STAMP: Final = re.compile(
    r"\[?(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?)(?:\]\s?|\s|$)", re.ASCII
)
_BANNER: Final = re.compile(r"(?:\[[^\]]*\]\s*)?OpenAI Codex\b")
_BANNER_WITHIN: Final = 20
_BARE: Final = frozenset({"user", "thinking", "codex", "exec", "tokens used"})
_TOKENS: Final = re.compile(r"tokens used:?\s*([\d,]{1,15})", re.IGNORECASE)
_EXEC: Final = re.compile(r"exec\s+(?P<command>\S.*)", re.DOTALL)
_ENDED: Final = re.compile(
    r"(?:(?P<command>.*?)\s)?(?:(?P<good>succeeded)|exited\s+(?P<code>-?\d{1,9}))\s+in\s+[\d.]+\s?m?s:?\s*", re.ASCII
)
_ERROR: Final = re.compile(r"(?:ERROR|error|Error|FATAL|fatal|panic):?\s")


@dataclass(slots=True)
class _Entry:
    line: int
    at: datetime | None = None
    heading: str | None = None
    lines: list[str] = field(default_factory=list)
    size: int = 0


def parse(lines: Iterable[Line]) -> Iterator[Draft | BadLine]:
    """The messages that a log tells, and the lines that cannot be read. Holds one entry at a time."""
    entry: _Entry | None = None
    banner = False
    command = ""
    for line in lines:
        if line.data is None:
            yield BadLine(line.number, f"it has {line.size} bytes, at most {MAX_LINE_BYTES} are read")
            continue
        try:
            text = line.data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield BadLine(line.number, f"it is no UTF-8 (byte {line.data[error.start]:#04x})")
            continue
        banner = banner or (line.number <= _BANNER_WITHIN and _BANNER.match(text) is not None)
        begun = _begins(line.number, text, banner=banner)
        full = entry is not None and entry.size + len(text) > MAX_ENTRY
        if begun is not None or full or entry is None:
            if entry is not None:
                for draft in _told(entry, command):
                    command = draft.content if draft.kind == "tool_call" else command
                    yield draft
            # The rest of a long entry has its time, but no heading of its own.
            entry = begun or _Entry(line.number, entry.at if entry is not None else None)
        if begun is None:
            entry.lines.append(text)
            entry.size += len(text) + 1
    if entry is not None:
        yield from _told(entry, command)


def _begins(number: int, text: str, *, banner: bool) -> _Entry | None:
    stamp = _STAMP.match(text)
    # A log with the banner has its times in brackets; others stand in what commands printed.
    if stamp is not None and (not banner or text.startswith("[")):
        rest = text[stamp.end() :]
        entry = _Entry(number, _time(stamp.group(1)), rest.strip() if banner else None)
        if not banner or rest.strip() not in _BARE:
            entry.lines.append(rest)
            entry.size = len(rest)
        return entry
    if banner and text in _BARE:
        return _Entry(number, heading=text)
    return None


def _told(entry: _Entry, command: str) -> Iterator[Draft]:
    """The messages of one entry; `command` is the last one that was run."""
    text = "\n".join(entry.lines).strip("\n")
    heading = entry.heading
    if not text.strip():
        return
    if heading == "codex":
        yield _draft(entry, "message", text)
    elif heading == "thinking":
        yield _draft(entry, "message", text, attrs={"item_type": "reasoning"})
    elif heading == "user" or (heading or "").startswith("User instructions:"):
        yield _draft(entry, "message", text.removeprefix("User instructions:").strip("\n"), role="user")
    elif heading == "exec":
        yield from _executed(entry, text)
    elif heading == "tokens used" or (heading is not None and _TOKENS.fullmatch(heading)):
        count = _TOKENS.search(f"tokens used {text}" if heading == "tokens used" else text)
        usage = {"usage": {"total_tokens": int(count.group(1).replace(",", "") or 0)}} if count else {}
        yield _draft(entry, "status", "Tokens used", role="system", attrs=usage)
    elif heading and (called := _EXEC.fullmatch(heading)):
        yield _call(entry, _without_folder(called["command"]))
    elif heading and (ended := _ENDED.fullmatch(heading)):
        yield _result(entry, ended, _after_first(text), command)
    else:
        yield _draft(entry, "error" if _ERROR.match(text) else "log", text, role="system")


def _executed(entry: _Entry, text: str) -> Iterator[Draft]:
    """A call and its result in one block: the command's line ends with how it went."""
    first, _, rest = text.partition("\n")
    ended = _ENDED.fullmatch(first)
    if ended is None and (ended := _ENDED.fullmatch(rest.partition("\n")[0])) is not None:
        rest = _after_first(rest)
    told = ended["command"] if ended is not None and ended["command"] else first
    yield _call(entry, _without_folder(told))
    if ended is not None:
        yield _result(entry, ended, rest, _without_folder(told))
    elif rest:
        yield _draft(entry, "log", rest, role="tool", part="output")


def _call(entry: _Entry, command: str) -> Draft:
    tool = {"name": "command_execution", "command": command}
    return _draft(entry, "tool_call", command, part="call", fields={"tool": tool})


def _result(entry: _Entry, ended: re.Match[str], output: str, command: str) -> Draft:
    code = 0 if ended["good"] else int(ended["code"])
    fields = {
        "exit_code": code,
        "status": "completed" if code == 0 else "failed",
        "tool": {"name": "command_execution", "command": command},
    }
    return _draft(entry, "tool_result", output, role="tool", part="result", fields=fields)


def _draft(
    entry: _Entry, kind: str, content: str, *, role: str = "assistant", part: str = "",
    fields: dict[str, Any] | None = None, attrs: dict[str, Any] | None = None,
) -> Draft:  # fmt: skip
    return Draft(entry.line, kind, content, role, part, "", entry.at, fields or {}, attrs or {})


def _after_first(text: str) -> str:
    return text.partition("\n")[2]


def _without_folder(command: str) -> str:
    """`bash -lc ls in /workspace`, without where."""
    return re.sub(r"\s+in\s+/\S*$", "", command)


def _time(text: str) -> datetime | None:
    try:
        return parse_time(text)
    except ValueError:
        return None
