"""The geometry of a timeline: where every lane, span, mark and link stands in an SVG drawing. No text is escaped here;
the template does that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from pytest_agog.report.text import one_line, shorten
from pytest_agog.report.timeline import Link, Mark, Span, Timeline
from pytest_agog.values import format_duration

WIDTH: Final = 1000.0
_LEFT: Final = 150.0
_RIGHT: Final = 24.0
_TOP: Final = 34.0
LANE: Final = 44.0
_BAR: Final = 19.0
_MARK: Final = 13.0
"""How far below the middle marks stand, so that they never cover a label."""
_THIN: Final = 4.0
"""A span is at least this wide, so that a millisecond is seen."""
_LETTER: Final = 6.4
"""Width of a letter of a label, on average."""


@dataclass(frozen=True)
class Row:
    """A lane's name and its middle."""

    name: str
    full_name: str
    kind: str
    y: float
    """Where spans and names stand."""
    top: float

    @property
    def mark_y(self) -> float:
        """Where marks and links stand."""
        return self.y + _MARK


@dataclass(frozen=True)
class Tick:
    """A line of the time axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Bar:
    """A span."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    """What fits into it; may be empty."""
    tip: str


@dataclass(frozen=True)
class Dot:
    """A mark."""

    x: float
    y: float
    radius: float
    kind: str
    tip: str


@dataclass(frozen=True)
class Curve:
    """A link, as the `d` of a path."""

    d: str
    kind: str
    tip: str


@dataclass(frozen=True)
class Drawing:
    """Everything that the template draws."""

    width: float
    height: float
    lane_height: float
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    dots: tuple[Dot, ...]
    curves: tuple[Curve, ...]
    left_out: int


def draw(timeline: Timeline) -> Drawing:
    """The drawing of `timeline`."""
    rows = {
        lane.name: Row(
            shorten(one_line(lane.name), 20),
            lane.name,
            lane.kind,
            _TOP + number * LANE + LANE / 2 - 5,
            _TOP + number * LANE,
        )
        for number, lane in enumerate(timeline.lanes)
    }
    scale = _Scale(timeline.duration)
    return Drawing(
        width=WIDTH,
        height=_TOP + LANE * max(len(rows), 1) + 8,
        lane_height=LANE,
        rows=tuple(rows.values()),
        ticks=tuple(Tick(scale.x(at), _time_label(at)) for at in ticks(timeline.duration)),
        bars=tuple(_bar(span, rows[span.lane], scale) for span in timeline.spans),
        dots=tuple(_dot(mark, rows[mark.lane], scale) for mark in timeline.marks),
        curves=tuple(_curve(link, rows, scale) for link in timeline.links),
        left_out=timeline.left_out,
    )


@dataclass(frozen=True)
class _Scale:
    duration: float

    def x(self, at: float) -> float:
        """Where `at` seconds stand."""
        share = at / self.duration if self.duration > 0 else 0.0
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)


def ticks(duration: float) -> list[float]:
    """Round times from 0 to `duration`, five to ten of them."""
    if duration <= 0:
        return [0.0]
    raw = duration / 8
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    return [number * step for number in range(math.floor(duration / step + 1e-9) + 1)]


def _time_label(at: float) -> str:
    return "0" if at == 0 else format_duration(at)


def _bar(span: Span, row: Row, scale: _Scale) -> Bar:
    x = scale.x(span.start)
    width = round(max(scale.x(span.end) - x, _THIN), 1)
    label = span.label if len(span.label) * _LETTER + 8 <= width else ""
    took = format_duration(span.end - span.start)
    ends = {"passed": "", "failed": ", failed", "open": ", its end was not seen"}[span.outcome]
    kind = span.outcome if span.outcome != "passed" else row.kind
    return Bar(x, round(row.y - _BAR / 2, 1), width, _BAR, kind, label, f"{row.full_name}: {span.label}, {took}{ends}")


def _dot(mark: Mark, row: Row, scale: _Scale) -> Dot:
    tip = f"{format_duration(mark.at)}: {mark.label}" + (f" and {mark.count - 1:,} more" if mark.count > 1 else "")
    radius = min(3.5 + math.log2(mark.count), 9.0)
    return Dot(scale.x(mark.at), row.mark_y, round(radius, 1), mark.kind, tip)


def _curve(link: Link, rows: dict[str, Row], scale: _Scale) -> Curve:
    """From lane to lane, leaving and arriving level, so that links of one pair of lanes do not hide each other."""
    x1, y1 = scale.x(link.source_at), rows[link.source].mark_y
    x2, y2 = scale.x(link.target_at), rows[link.target].mark_y
    bend = max((x2 - x1) / 2, 12.0)
    d = f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return Curve(d, link.kind, link.label)
