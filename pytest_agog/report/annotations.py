"""GitHub annotations: one workflow command a failed claim, pointing at its YAML line.

The escapes are those of GitHub's workflow commands: `%`, CR and LF in the message, `:` and `,` in properties too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pytest_agog.report.text import clean, one_line
from pytest_agog.report.view import CheckView, ScenarioView


def github_annotations(views: Sequence[ScenarioView], *, environ: Mapping[str, str] = os.environ) -> list[str]:
    """One `::error …::…` line for every claim and play that did not hold; none outside GitHub Actions."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return []
    return [
        annotation(check, view.name)
        for view in views
        for check in ([view.play] if view.play.outcome == "error" else view.rows)
        if check.outcome in ("failed", "error")
    ]


def annotation(check: CheckView, scenario: str) -> str:
    """The annotation of one claim."""
    properties = {
        "file": check.place.file,
        "line": str(check.place.line),
        "col": str(check.place.column),
        "title": f"{one_line(scenario)}: {one_line(check.claim)}",
    }
    if check.place.end_column is not None:
        properties["endColumn"] = str(check.place.end_column)
    head = ",".join(f"{key}={escape_property(value)}" for key, value in properties.items())
    message = f"expected {clean(check.expected)}\nobserved {clean(check.observed)}"
    if check.nearest:
        message += f"\nnearest {clean(check.nearest)}"
    return f"::error {head}::{escape_data(message)}"


def escape_data(text: str) -> str:
    """`text` as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """`text` as a property of a workflow command."""
    return escape_data(clean(text)).replace(":", "%3A").replace(",", "%2C")
