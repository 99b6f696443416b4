"""Durations and times as Go writes them, which is how NACK's manifests have them. [C12]"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
                 "h": 3600 * 10**9}  # fmt: skip
_PIECE: Final = r"(?:\d{1,19}(?:\.\d{0,9})?|\.\d{1,9})(?:ns|us|µs|μs|ms|s|m|h)"
_WHOLE: Final = re.compile(rf"\+?((?:{_PIECE})+)", re.ASCII)
_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
LARGEST: Final = 2**63 - 1
"""Of Go's whole numbers, which the server has."""


def duration(text: object) -> int:
    """Nanoseconds of a duration as Go writes it: `168h`, `1h30m`, `1.5h`, `.5s`, `0`. Empty is 0. ValueError otherwise.

    Go knows negative ones, too; no field of a stream or consumer takes one.
    """
    if text in ("", "0", "+0"):
        return 0
    match = _WHOLE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        days = re.fullmatch(r"(\d{1,6})d", text) if isinstance(text, str) else None
        remedy = f"; Go has no days, write {int(days[1]) * 24}h" if days else ""
        raise ValueError(f"expected a duration of Go's, such as 30s, 2m or 168h{remedy}")
    found = sum(
        int(whole or "0") * _UNITS[unit] + (int(part) * _UNITS[unit] // 10 ** len(part) if part else 0)
        for whole, part, unit in _PART.findall(match[1])
    )
    if found > LARGEST:
        raise ValueError("longer than Go's durations go, about 292 years; write 0s for no limit")
    return found


def moment(text: object) -> str:
    """A time as RFC 3339 has it, in the one form in which servers give it back. Empty stays so. ValueError otherwise.

    Servers write UTC with a Z and no zeros at the end of a fraction: compared as text, `+00:00` would differ for ever.
    """
    if text == "":
        return ""
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("expected a time as RFC 3339 has it, such as 2026-01-31T12:00:00Z")
    try:
        whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")).astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999") from None
    fraction = (match[2] or "").rstrip("0")
    return f"{whole.isoformat()[:19]}{'.' + fraction if fraction else ''}Z"
