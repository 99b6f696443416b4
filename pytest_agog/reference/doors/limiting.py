"""How often a client may ask, and how many streams it may hold."""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pytest_agog.errors import UsageError

_RATE: Final = re.compile(r"(?P<count>[1-9][0-9]{0,6})/(?P<unit>s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_OFF: Final = "off"
_MOST_CLIENTS: Final = 20_000
"""Buckets that are remembered; of more, those that were longest without a request are forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second on the average, and so many at once."""

    per_second: float
    at_once: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed. None is no limit."""

    requests: Rate | None = Rate(200, 2000)
    """Of one client."""
    streams: int | None = 2000
    """Of events, of one client at a time."""
    all_streams: int | None = 10_000
    """Of events, of all clients."""
    sign_ins: Rate | None = Rate(10 / 60, 10)
    """Attempts of one address."""
    for_local: bool = False
    """Whether clients of this machine are held to `requests` and `streams` too. As long as nobody has set these limits
    they are not: test beds and benchmarks ask more than people do."""


def read_limits(requests: str | None, streams: str | None, all_streams: str | None) -> Limits:
    """Limits out of options: `50/s`, `300/m`, a number of streams, or `off`; None is the default.

    Raises:
        UsageError: it is none of these.
    """
    standard = Limits()
    return Limits(
        standard.requests if requests is None else _rate(requests),
        standard.streams if streams is None else _number("--readers", streams),
        standard.all_streams if all_streams is None else _number("--all-readers", all_streams),
        for_local=requests is not None or streams is not None,
    )


def _rate(text: str) -> Rate | None:
    if text == _OFF:
        return None
    given = _RATE.fullmatch(text)
    if given is None:
        raise UsageError(f"--rate-limit {text!r}: write 50/s, 300/m, 1000/h or off")
    count = int(given["count"])
    return Rate(count / _SECONDS[given["unit"]], count)


def _number(option: str, text: str) -> int | None:
    if text == _OFF:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 1_000_000):
        raise UsageError(f"{option} {text!r}: write a number from 1 to 1000000, or off")
    return int(text)


class Buckets:
    """A bucket for each client, which fills at a rate. [RFC 6585, section 4]"""

    def __init__(self, rate: Rate | None, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was in a bucket, and when."""

    def take(self, name: str) -> int:
        """Take one from a client's bucket: 0, or in how many whole seconds there is one again."""
        rate = self._rate
        if rate is None:
            return 0
        now = self._now()
        left, then = self._left.pop(name, (float(rate.at_once), now))
        left = min(rate.at_once, left + (now - then) * rate.per_second)
        wait = 0 if left >= 1 else max(1, math.ceil((1 - left) / rate.per_second))
        self._left[name] = (left if wait else left - 1, now)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return wait

    def give_back(self, name: str) -> None:
        """What was taken did not count."""
        if (found := self._left.get(name)) is not None and self._rate is not None:
            self._left[name] = (min(self._rate.at_once, found[0] + 1), found[1])


class Streams:
    """How many streams are open."""

    def __init__(self) -> None:
        self.open = 0
        self._of: dict[str, int] = {}

    def of(self, name: str) -> int:
        """Of one client."""
        return self._of.get(name, 0)

    @contextlib.contextmanager
    def one_more(self, name: str) -> Iterator[None]:
        """While the block runs there is one more."""
        self.open += 1
        self._of[name] = self.of(name) + 1
        try:
            yield
        finally:
            self.open -= 1
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]
