"""How two byte strings differ, told so that the cause can be guessed."""

from __future__ import annotations

import hashlib

from pytest_agog.checks.evidence.telling import visible
from pytest_agog.masking import mask
from pytest_agog.values import format_size

_AROUND = 2000
_SIDE = 70


def first_difference(left: bytes, right: bytes) -> int:
    """The offset of the first byte that differs; the shorter length when one begins with the other."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def difference(found: bytes, wanted: bytes) -> str:
    """One line: sizes, place of the first difference, the likely cause."""
    offset = first_difference(found, wanted)
    line = wanted.count(b"\n", 0, offset) + 1
    sizes = (
        f"{len(found):,} bytes instead of {len(wanted):,}"
        if len(found) != len(wanted)
        else f"{len(wanted):,} bytes, as many as wanted"
    )
    return f"{sizes}; first difference at byte {offset:,}, line {line:,}{_cause(found, wanted, offset)}"  # fmt: skip


def _cause(found: bytes, wanted: bytes, offset: int) -> str:
    if offset == len(found):
        return f" (cut: {format_size(len(wanted) - offset)} are missing at the end)"
    if offset == len(wanted):
        return f" ({format_size(len(found) - offset)} too many at the end)"
    if found.replace(b"\r\n", b"\n") == wanted.replace(b"\r\n", b"\n"):
        return " (only line endings differ)"
    if found.strip() == wanted.strip():
        return " (only white space at beginning or end differs)"
    if found.removeprefix(b"\xef\xbb\xbf") == wanted.removeprefix(b"\xef\xbb\xbf"):
        return " (only a byte order mark differs)"
    return ""


def side_by_side(found: bytes, wanted: bytes) -> str:
    """Both texts around the first difference, and both digests."""
    offset = first_difference(found, wanted)
    return "\n".join(
        (
            f"wanted  {_around(wanted, offset)}",
            f"found   {_around(found, offset)}",
            f"wanted  {len(wanted):,} bytes, SHA-256 {hashlib.sha256(wanted).hexdigest()}",
            f"found   {len(found):,} bytes, SHA-256 {hashlib.sha256(found).hexdigest()}",
        )
    )


def _around(data: bytes, offset: int) -> str:
    """The text around `offset`; a wide window is masked before a narrow one is cut out, so no secret loses its head."""
    start = max(0, offset - _AROUND)
    window = mask(data[start : offset + _AROUND].decode("utf-8", "replace"))
    place = min(len(mask(data[start:offset].decode("utf-8", "replace"))), len(window))
    before, after = window[max(0, place - _SIDE) : place], window[place : place + _SIDE]
    return f"{visible(before)}▸{visible(after)}" if after else f"{visible(before)}▸ (end)"
