"""`report.html`: the whole run on one page that needs no network, no script and no other file.

Escaping is by construction: the template engine escapes every value, and every value has its control characters made
visible before that. The content security policy allows one style sheet, by its hash, and images that stand in the page
itself; so even markup that slipped through could load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_agog.play.result import Environment as Surroundings
from pytest_agog.report.atomic import write_atomically
from pytest_agog.report.failure import clock
from pytest_agog.report.json_report import rfc3339
from pytest_agog.report.screen import Glyphs
from pytest_agog.report.swimlane import draw
from pytest_agog.report.text import clean
from pytest_agog.report.token_view import AgentTokens, TokenView, percent, total
from pytest_agog.report.totals import WORDS, Totals
from pytest_agog.report.view import ScenarioView
from pytest_agog.values import format_duration, format_size, plural

MAX_EVIDENCE: Final = 50
"""Pieces of evidence of one claim on the page; report.json has them all."""


@dataclass(frozen=True)
class Segment:
    """A piece of a token bar: where it begins and how long it is, in percent of the bar."""

    kind: str
    start: float
    length: float
    tip: str


def html(
    views: Sequence[ScenarioView],
    *,
    started_at: float,
    duration: float,
    environment: Surroundings,
) -> str:
    """The page; `started_at` in seconds since the epoch, `duration` in seconds."""
    style = resources.files("pytest_agog.report").joinpath("templates/report.css").read_text("utf-8")
    tokens = [view.tokens for view in views if view.tokens is not None]
    return (
        _engine()
        .get_template("report.html.j2")
        .render(
            views=views,
            totals=Totals.of(views),
            tokens=total(tokens) if tokens else None,
            started_at=started_at,
            duration=duration,
            environment=environment,
            # Written by us and never mixed with data: the one thing on the page that is not escaped.
            style=Markup(style),  # noqa: S704
            policy=policy(style),
            max_evidence=MAX_EVIDENCE,
        )
    )


def write(
    folder: Path, views: Sequence[ScenarioView], *, started_at: float, duration: float, environment: Surroundings
) -> Path:
    """Write `report.html` into `folder`."""
    page = html(views, started_at=started_at, duration=duration, environment=environment)
    return write_atomically(folder / "report.html", page.encode("utf-8", "replace"))


def policy(style: str) -> str:
    """The content security policy of a page with this style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def segments(tokens: TokenView | AgentTokens) -> list[Segment]:
    """A token bar: notices, what was fetched, and what was saved; the whole is what inline hand-overs would cost."""
    spent = tokens.notices + tokens.fetched
    whole = max(tokens.inline, spent, 1)
    parts = (("notices", tokens.notices), ("fetched", tokens.fetched), ("saved", max(tokens.inline - spent, 0)))
    out: list[Segment] = []
    start = 0.0
    for kind, number in parts:
        length = number / whole * 100
        out.append(Segment(kind, round(start, 3), round(length, 3), f"{kind}: {number:,} tokens"))
        start += length
    return out


def _engine() -> Environment:
    engine = Environment(
        loader=PackageLoader("pytest_agog.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters.update(
        duration=format_duration,
        size=format_size,
        percent=percent,
        plural=plural,
        clock=clock,
        rfc3339=rfc3339,
        number=lambda value: f"{value:,}",
        sign=Glyphs().mark,
        word=lambda outcome: WORDS[outcome],
        segments=segments,
        plain=_plain,
        draw=draw,
    )
    return engine


def _plain(value: Any) -> str:
    """A detail of evidence as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> Any:
    """Every value on its way into the page: text is masked and its control characters are made visible."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
