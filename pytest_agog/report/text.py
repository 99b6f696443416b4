"""Text from anywhere, made fit for a reader: secrets masked, control characters visible, cut and wrapped by cells.

Order matters: masking comes first and works on whole text, because a secret that was cut in two is not recognised.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from rich.cells import cell_len

from pytest_agog.masking import MASK, is_secret_name, mask

TAB_SIZE: Final = 4
LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML readers count as the end of a line."""
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but some scripts and emoji are misspelt without them."""


def visible(text: str) -> str:
    """`text` with control characters, bidirectional overrides and lone surrogates as `\\x1b`, `\\u202e` … .

    Line feeds stay; CR LF becomes one; tabs are the caller's to expand.
    """
    text = text.replace("\r\n", "\n")
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t" or character in _JOINERS:
        return character
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character


def clean(text: str) -> str:
    """`text` masked, and with nothing in it that a terminal or a browser would obey."""
    return visible(mask(text))


def one_line(text: str) -> str:
    """`clean(text)` on one line: white space in a row counts as one space."""
    return " ".join(clean(text).split())


def expand_tabs(line: str) -> str:
    """`line` with tabs as spaces up to the next stop, counted in cells (a wide character takes two)."""
    if "\t" not in line:
        return line
    out = ""
    for part in line.split("\t")[:-1]:
        out += part
        out += " " * (TAB_SIZE - cell_len(out) % TAB_SIZE)
    return out + line.rsplit("\t", 1)[-1]


def shorten(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells, the end replaced by `ellipsis` where it does not fit."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room <= 0:
        return ellipsis[: max(width, 0)]
    return _head(text, room).rstrip() + ellipsis


def shorten_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """`text` in at most `width` cells, the middle left out: both ends of a subject or path tell most."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room < 2:
        return shorten(text, width, ellipsis)
    tail = _head(text[::-1], room // 2)[::-1]
    return _head(text, room - cell_len(tail)) + ellipsis + tail


def _head(text: str, width: int) -> str:
    """The longest beginning of `text` that fits `width` cells; at least nothing."""
    if text.isascii():
        return text[: max(width, 0)]
    taken = 0
    for position, character in enumerate(text):
        taken += cell_len(character)
        if taken > width:
            return text[:position]
    return text


def pad(text: str, width: int, *, right: bool = False) -> str:
    """`text` filled with spaces up to `width` cells; with `right` they come first, as for numbers."""
    spaces = " " * max(width - cell_len(text), 0)
    return spaces + text if right else text + spaces


def wrap(text: str, width: int) -> list[str]:
    """`text` as lines of at most `width` cells, broken between words; a word that is too long is broken itself.

    Line feeds and the spaces at the beginning of a line are kept. Empty text is one empty line.
    """
    width = max(width, 8)
    return [line for paragraph in text.split("\n") for line in _wrap_paragraph(expand_tabs(paragraph), width)]


def _wrap_paragraph(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text.rstrip()]
    indent = min(len(text) - len(text.lstrip(" ")), width // 2)
    lines: list[str] = []
    current = " " * indent
    empty = True
    for word in text.split():
        separator = "" if empty else " "
        if cell_len(current) + len(separator) + cell_len(word) <= width:
            current += separator + word
            empty = False
            continue
        if not empty:
            lines.append(current)
        rest = word
        while cell_len(rest) > width:
            piece = _head(rest, width) or rest[0]
            lines.append(piece)
            rest = rest[len(piece) :]
        current, empty = rest, not rest
    if not empty:
        lines.append(current)
    return lines or [""]


def masked(value: Any) -> Any:
    """`value` as plain JSON data with every secret masked, also where only its key tells that it is one.

    Lone surrogates become the replacement character and numbers that JSON does not know become null, so that every
    reader takes the result. Whatever JSON has no word for is written as text.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, Mapping):
        return {masked_text(str(key)): _masked_member(str(key), member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked(member) for member in value]
    if isinstance(value, bytes):
        return masked_text(value.decode("utf-8", "replace"))
    return masked_text(str(value))


def _masked_member(key: str, member: Any) -> Any:
    if is_secret_name(key) or mask(f"{key}=x") != f"{key}=x":
        if isinstance(member, (list, tuple)):
            return [_masked_member(key, one) for one in member]
        if isinstance(member, (str, bytes)) and member:
            return MASK
    return masked(member)


def masked_text(text: str) -> str:
    """`text` masked and valid Unicode, but otherwise as it is: for machines, and for renderers that escape later."""
    return mask(text).encode("utf-8", "replace").decode("utf-8") if text.isascii() else _scalar(mask(text))


def _scalar(text: str) -> str:
    """`text` with lone surrogates replaced."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)
