"""The token table at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from pytest_agog.report.screen import PLAIN, Screen
from pytest_agog.report.text import pad, shorten_middle
from pytest_agog.report.token_view import TokenView, percent, savings, total
from pytest_agog.report.view import ScenarioView

_HEADS: Final = ("inline", "notices", "fetched", "spawn savings", "net savings")
_NUMBER: Final = 7
_BAR: Final = 16
_BAR_FROM: Final = 100
"""Columns from which there is room for bars."""
_FEW: Final = 2
"""Up to so many scenarios their agents are shown too."""


@dataclass(frozen=True)
class _Row:
    name: str
    inline: int
    notices: int
    fetched: int
    style: str = ""
    bar: bool = True

    @property
    def cells(self) -> tuple[str, ...]:
        return (
            f"{self.inline:,}",
            f"{self.notices:,}",
            f"{self.fetched:,}",
            percent(savings(self.inline, self.notices)),
            percent(savings(self.inline, self.notices + self.fetched)),
        )

    @property
    def net(self) -> float | None:
        return savings(self.inline, self.notices + self.fetched)


def token_table(views: Sequence[ScenarioView], screen: Screen = PLAIN, *, verbose: bool = False) -> str:
    """Tokens by scenario and, where there is room for it, by agent; empty when no scenario handed anything over.

    Agents are shown when the scenarios are few, with `verbose`, and under a scenario whose token claims failed.
    """
    shown = [(view, view.tokens) for view in views if view.tokens is not None]
    if not shown:
        return ""
    rows = [row for view, tokens in shown for row in _rows(view, tokens, agents=verbose or len(shown) <= _FEW)]
    if len(shown) > 1:
        whole = total([tokens for _, tokens in shown])
        rows.append(_Row("total", whole.inline, whole.notices, whole.fetched, "bold"))
    return screen.render(_table(rows, screen))


def _rows(view: ScenarioView, tokens: TokenView, *, agents: bool) -> Iterator[_Row]:
    yield _Row(view.name, tokens.inline, tokens.notices, tokens.fetched)
    failed = any(check.id.startswith("tokens.") and check.outcome != "passed" for check in view.checks)
    if agents or failed:
        for part in tokens.agents:
            yield _Row(f"  {part.agent}", part.inline, part.notices, part.fetched, "dim", bar=False)


def _table(rows: Sequence[_Row], screen: Screen) -> Iterator[Text]:
    bars = screen.width >= _BAR_FROM
    widths = [max(_NUMBER, len(head), *(len(row.cells[i]) for row in rows)) + 2 for i, head in enumerate(_HEADS)]
    if screen.width < 80:
        widths = [max(len(row.cells[i]) for row in rows) + 1 for i, _ in enumerate(_HEADS)]
        widths = [max(width, len(head.split()[0]) + 1) for width, head in zip(widths, _HEADS, strict=True)]
    used = sum(widths) + (_BAR + 2 if bars else 0)
    longest = max(cell_len(_name(row, screen)) for row in rows)
    name_width = max(min(longest, screen.width - used - 1), 12)
    heads = _HEADS if screen.width >= 80 else tuple(head.split()[0] for head in _HEADS)
    right = "".join(pad(head, width, right=True) for head, width in zip(heads, widths, strict=True))
    yield Text(pad("tokens", name_width) + right, "dim")
    for row in rows:
        line = Text()
        if row.style == "bold":
            yield Text(screen.glyphs.rule * (name_width + used), "dim")
        line.append(pad(shorten_middle(_name(row, screen), name_width, screen.glyphs.ellipsis), name_width), row.style)
        for position, (cell, width) in enumerate(zip(row.cells, widths, strict=True)):
            line.append(pad(screen.fold(cell), width, right=True), _style(row, position))
        if bars and row.bar:
            line.append("  ")
            line.append_text(_bar(row.net, screen))
        yield line


def _name(row: _Row, screen: Screen) -> str:
    indent = "  " if row.name.startswith("  ") else ""
    return indent + screen.line(row.name)


def _style(row: _Row, position: int) -> str:
    if row.style == "dim" or position < 3:
        return row.style
    share = row.net if position == 4 else savings(row.inline, row.notices)
    colour = "" if share is None else "green" if share > 0 else "red"
    return f"{row.style} {colour}".strip()


def _bar(share: float | None, screen: Screen) -> Text:
    """Net savings as a bar; nothing saved, or more spent than saved, is an empty one."""
    if share is None:
        return Text()
    full = int(max(min(share, 1.0), 0.0) * _BAR)
    return Text.assemble((screen.glyphs.full * full, "green"), (screen.glyphs.empty * (_BAR - full), "dim"))
