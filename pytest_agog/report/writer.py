"""Write everything that `--agog-report DIR` promises."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytest_agog.ledger import bundle
from pytest_agog.play.result import Environment, PlayResult
from pytest_agog.report import html, json_report
from pytest_agog.report import summary as summary_report
from pytest_agog.report.excerpt import show_path
from pytest_agog.report.json_report import rfc3339
from pytest_agog.report.text import masked
from pytest_agog.report.view import ScenarioView

BUNDLES = "bundle"


def write_reports(folder: Path, views: Sequence[ScenarioView], additions: Sequence[str] = ()) -> list[Path]:
    """Write `report.json`, `report.html` and `summary.md` into `folder`, and append to `$GITHUB_STEP_SUMMARY` where it
    is set. Returns the files. `additions` are paragraphs of Markdown for the summary. OSError as it comes.

    Ledgers are written by `write_bundle`, right after each play and in the process that played.
    """
    started_at, duration = span(views)
    surroundings = environment(views)
    found = json_report.report(views, started_at=started_at, duration=duration, environment=surroundings)
    written = [
        json_report.write(folder, found),
        html.write(folder, views, started_at=started_at, duration=duration, environment=surroundings),
        summary_report.write(folder, views, duration=duration, additions=additions),
    ]
    appended = summary_report.append_step_summary(views, duration=duration, additions=additions)
    return [*written, appended] if appended is not None else written


def write_bundle(folder: Path, result: PlayResult, *, base: Path | None = None) -> Path:
    """Write the ledger of one play to `folder/bundle/SCENARIO`, with what is needed to judge it again offline.

    Returns that folder. A bundle of the same scenario file is replaced; a file with the same scenario name gets a
    folder of its own, with a part of its path's digest. Paths are relative to `base` (the working directory when
    None). OSError as it comes.
    """
    told = meta(result, base if base is not None else Path.cwd())
    target = _bundle_folder(folder / BUNDLES, result.scenario.title, told["path"])
    bundle.write(target, result.ledger, told)
    return target


def _bundle_folder(parent: Path, title: str, path: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:100] or "scenario"
    plain = parent / name
    try:
        plain.mkdir()  # the first one takes the name, also when xdist's workers come at the same time
    except FileExistsError:
        if _path_in(plain) != path:
            return parent / f"{name}-{hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return plain


def _path_in(folder: Path) -> str | None:
    """The scenario file whose bundle is in `folder`; None when there is none, or one that cannot be read."""
    try:
        document = json.loads((folder / bundle.META).read_bytes())
    except (OSError, ValueError):
        return None
    return document.get("path") if isinstance(document, dict) else None


def meta(result: PlayResult, base: Path) -> dict[str, Any]:
    """What a bundle says beside its ledger: the claims, so that they can be judged again, and what was said of them."""
    scenario = result.scenario

    def location(position: Any) -> dict[str, Any]:
        return {"file": show_path(position.file, base), "line": position.line, "column": position.column}

    data: dict[str, Any] = masked({
        "scenario": scenario.title,
        "path": show_path(scenario.path, base),
        "started_at": rfc3339(result.started_at),
        "duration_s": round(result.duration, 3),
        "outcome": result.outcome,
        "failure": None if result.failure is None else result.failure.message,
        "claims": [
            {
                "id": judgement.claim.id,
                "check": judgement.claim.check,
                "with": dict(judgement.claim.raw),
                "claim": judgement.claim.claim,
                "location": location(judgement.claim.position),
            }
            for judgement in result.judgements
        ],
        "verdicts": [
            {
                "id": judgement.claim.id,
                "outcome": judgement.verdict.outcome,
                "expected": judgement.verdict.expected,
                "observed": judgement.verdict.observed,
            }
            for judgement in result.judgements
        ],
        "environment": dataclasses.asdict(result.environment),
    })  # fmt: skip
    return data


def span(views: Sequence[ScenarioView]) -> tuple[float, float]:
    """When the first play began (seconds since the epoch), and how long it took until the last one ended."""
    if not views:
        return 0.0, 0.0
    start = min(view.started_at for view in views)
    return start, max(view.started_at + view.duration for view in views) - start


def environment(views: Sequence[ScenarioView]) -> Environment:
    """What the plays ran on; where they differ, all of it. A play that did not start may not know."""

    def told(of: Callable[[Environment], str | None]) -> str:
        return ", ".join(dict.fromkeys(value for view in views if (value := of(view.environment))))

    return Environment(
        python=told(lambda e: e.python) or platform.python_version(),
        nats_server=told(lambda e: e.nats_server),
        postgres=told(lambda e: e.postgres) or None,
        backend=told(lambda e: e.backend),
        target=told(lambda e: e.target),
    )
