"""What a service counts of those whom it did not let in, as Prometheus reads it (text format 0.0.4). [C11]"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal

Limited = Literal["requests", "streams", "all_streams", "sign_ins"]
Refused = Literal["no_token", "wrong_token", "sign_in"]
_LIMITED: Final[tuple[Limited, ...]] = ("requests", "streams", "all_streams", "sign_ins")
_REFUSED: Final[tuple[Refused, ...]] = ("no_token", "wrong_token", "sign_in")


class DoorCounts:
    """Counts of one service, since its start."""

    def __init__(self) -> None:
        self.limited: Counter[Limited] = Counter()
        self.refused: Counter[Refused] = Counter()

    def text(self) -> str:
        """All series; those that never happened are zero, so that an alert on them has something to look at."""
        lines = [
            "# HELP agog_http_limited_total Requests that were refused because of a limit.",
            "# TYPE agog_http_limited_total counter",
            *(f'agog_http_limited_total{{limit="{limit}"}} {self.limited[limit]}' for limit in _LIMITED),
            "# HELP agog_http_refused_total Requests that were refused for want of a token.",
            "# TYPE agog_http_refused_total counter",
            *(f'agog_http_refused_total{{why="{why}"}} {self.refused[why]}' for why in _REFUSED),
        ]
        return "\n".join(lines) + "\n"
