"""`agog lint`, `agog schema`, `agog new`, `agog explain`: for those who write scenarios."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_agog.cli.options import Json
from pytest_agog.errors import BadInput, Exit, NoScenario, WouldOverwrite

if TYPE_CHECKING:
    from pytest_agog.scenario.linting.lint import Report
    from pytest_agog.scenario.vocabulary import Vocabulary

Data = Annotated[
    list[Path] | None,
    typer.Option("--data", help="A further folder in which scenarios may name files (as the ini option agog_data)."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("lint")(lint)
    app.command("schema")(schema)
    app.command("new")(new)
    app.command("explain")(explain)


def _vocabulary() -> Vocabulary:
    from pytest_agog.play.vocabulary import vocabulary

    return vocabulary()


def lint(
    files: Annotated[
        list[Path],
        # What cannot be read is told as any other problem of a file.
        typer.Argument(help="Scenario files, or folders of them.", show_default=False, readable=False),
    ],
    data: Data = None,
    as_json: Json = False,
) -> int:
    """Say what is wrong with scenarios, and what is doubtful. Nothing is played.

    One line each: file:line:column: message. Exit 1 when a file is wrong; warnings alone are exit 0; exit 2 when a file
    does not exist.

    Example: agog lint scenarios/
    """
    from pytest_agog.scenario.linting.lint import lint as look

    paths, missing = _scenario_files(files)
    words = _vocabulary()
    reports = [look(path, words, tuple(data or ())) for path in paths]
    if as_json:
        told = _reports_as_json(paths, reports)
        print(json.dumps({**told, "ok": told["ok"] and not missing}, ensure_ascii=False, indent=2))
    else:
        for report in reports:
            _print_report(report)
    if missing:
        raise missing[0]
    return Exit.OK if all(report.sound for report in reports) else Exit.CLAIM_FAILED


def _scenario_files(given: Sequence[Path]) -> tuple[list[Path], list[NoScenario]]:
    """The files to look at, and what is said of those that are not there."""
    from pytest_agog.scenario.finding import find
    from pytest_agog.scenario.problems import shown_path

    paths: list[Path] = []
    missing: list[NoScenario] = []
    for path in given:
        if path.is_dir():
            inside = find(path)
            paths.extend(inside)
            if not inside:
                missing.append(NoScenario(path=shown_path(path), reason="holds no scenario (a file with `agog: 1`)"))
        elif path.exists():
            paths.append(path)
        else:
            missing.append(NoScenario(path=shown_path(path), reason="does not exist"))
    return list(dict.fromkeys(paths)), missing


def _print_report(report: Report) -> None:
    for problem in report.problems:
        print(problem.one_line)
    for warning in report.warnings:
        print(warning.as_warning)


def _reports_as_json(paths: Sequence[Path], reports: Sequence[Report]) -> dict[str, object]:
    from pytest_agog.scenario.problems import shown_path

    return {
        "ok": all(report.sound for report in reports),
        "files": [
            {
                "path": shown_path(path),
                "problems": [problem.as_json() for problem in report.problems],
                "warnings": [warning.as_json() for warning in report.warnings],
            }
            for path, report in zip(paths, reports, strict=True)
        ],
    }


def schema(
    out: Annotated[Path | None, typer.Option("--out", help="Write it to this file; stdout otherwise.")] = None,
) -> int:
    """Print the JSON Schema (2020-12) of scenario files, for editors.

    Example: agog schema --out scenario.schema.json
    """
    from pytest_agog.scenario.describing.schema import schema as made

    text = json.dumps(made(_vocabulary()), ensure_ascii=False, indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return Exit.OK
    from pytest_agog.cli.console import write_text

    write_text(out, text)
    print(out)
    return Exit.OK


def new(
    name: Annotated[str, typer.Argument(help="The scenario's name.")],
    theme: Annotated[str, typer.Option("--theme", help="deliverables, messages or commands.")] = "deliverables",
    out: Annotated[
        Path | None, typer.Option("--out", help="The file; NAME.yaml otherwise.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a commented scenario that can be played as it is. A file that exists is left alone.

    Example: agog new customer-search --theme messages --out scenarios/search.yaml
    """
    from pytest_agog.scenario.describing.starter import starter
    from pytest_agog.scenario.problems import shown_path

    text = starter(name, theme)
    path = Path(f"{name}.yaml") if out is None else out
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise WouldOverwrite(path=shown_path(path)) from None
    except OSError as error:
        raise BadInput(
            f"{shown_path(path)} cannot be written: {error.strerror or error}. Choose another place with --out."
        ) from None
    shown = shown_path(path)
    if as_json:
        print(json.dumps({"path": shown, "name": name, "theme": theme}))
    else:
        print(f"{shown}: play it with `pytest --agog-scenario={shown}`")
    return Exit.OK


def explain(
    word: Annotated[str | None, typer.Argument(help="A check, a step, or `format`.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything: the format, all steps, all checks.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, as on the reference page.")] = False,
    as_json: Json = False,
) -> int:
    """Say what a check claims or a step does: its arguments, an example, and the faults that a check rejects.

    Without a word: all words.

    Example: agog explain deliverable
    """
    from pytest_agog.scenario.describing import explain as explaining
    from pytest_agog.scenario.describing.reference_page import markdown as as_markdown
    from pytest_agog.scenario.describing.reference_page import reference_page

    words = _vocabulary()
    if word is None and not every and not as_json:
        sys.stdout.write(explaining.overview(words))
        return Exit.OK
    every = every or word is None
    if every and markdown and not as_json:
        sys.stdout.write(reference_page(words))
        return Exit.OK
    names = [explaining.FORMAT, *words.steps, *words.checks] if every else [word or ""]
    found = [explaining.explain(name, words) for name in names]
    if as_json:
        shown = [explanation.as_json() for explanation in found]
        print(json.dumps(shown if every else shown[0], ensure_ascii=False, indent=2))
    else:
        text = as_markdown if markdown else explaining.as_text
        sys.stdout.write("\n".join(text(explanation) for explanation in found))
    return Exit.OK
