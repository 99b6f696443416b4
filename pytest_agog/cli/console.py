"""Reading and printing for commands: files and stdin, JSON, tables, text that no terminal should obey."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_agog.errors import BadInput
from pytest_agog.report.text import one_line, visible


def print_json(value: Any) -> None:
    """`value` as JSON, indented; with escapes where stdout cannot take every character, or a terminal might obey it."""
    plain = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
    text = json.dumps(value, ensure_ascii=not plain, indent=2, default=str)
    print(text if text.isascii() else "".join(map(_in_json, text)))


def _in_json(character: str) -> str:
    return character if visible(character) == character else json.dumps(character)[1:-1]


def print_line(text: str) -> None:
    """One line of our own with outside text in it: secrets masked, control characters visible."""
    print(one_line(text))


def print_text(text: str) -> None:
    """Outside text: byte for byte into a file or pipe; on a terminal nothing in it takes effect."""
    if sys.stdout.isatty():
        print(visible(text).rstrip("\n"))
        return
    sys.stdout.flush()
    rest = memoryview(text.encode("utf-8"))
    while rest:  # with PYTHONUNBUFFERED a write may take only a part
        rest = rest[sys.stdout.buffer.write(rest) :]
    sys.stdout.buffer.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[int] = ()) -> None:
    """A table; the columns with an index in `numbers` stand to the right. Plain columns when stdout is no terminal."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False)
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index in numbers else "left", overflow="fold")
        for row in rows:
            # Text objects: nothing in outside text is markup.
            table.add_row(
                *(Text(one_line(str(cell)) if index else visible(str(cell))) for index, cell in enumerate(row))
            )
        Console().print(table)
        return
    cells = [list(columns), *([visible(str(cell)).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    for row in cells:
        padded = (
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(padded).rstrip())


def read_text(path: str, what: str, *, most: int = -1) -> str:
    """The UTF-8 text of a file, or of stdin for `-`; line ends stay as they are.

    Raises:
        BadInput: it cannot be read, has more than `most` bytes, or is no UTF-8.
    """
    try:
        # One byte more tells that there is more; what never ends (a device, a pipe) is not read to its end.
        with contextlib.nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            data = file.read(most + 1 if most >= 0 else -1)
    except OSError as error:
        raise BadInput(
            f"{what} {path} cannot be read: {error.strerror or error}. Give a file, or - for stdin."
        ) from None
    if 0 <= most < len(data):
        raise BadInput(f"{what} {path} has more than {most:,} bytes. Give the file that was meant, or split it.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{what} {path} is no UTF-8 text (byte {data[error.start]:#04x} at {error.start}). Convert it first."
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing: it appears under its name when it is complete.

    Raises:
        BadInput: it cannot be written.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
            mask = os.umask(0)
            os.umask(mask)
            Path(temporary).chmod(0o666 & ~mask)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror or error}. Choose another place with --out."
        ) from None


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` options as a dict.

    Raises:
        BadInput: one has no `=`.
    """
    found = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name:
            raise BadInput(f"{option} {value!r} is not NAME=VALUE.")
        found[name] = rest
    return found
