"""`agog demo`: the bundled six-agent hand-over, played without pytest."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from pytest_agog.cli.options import Json
from pytest_agog.errors import Exit, ServiceError

if TYPE_CHECKING:
    from pytest_agog.play.result import PlayResult
    from pytest_agog.report.view import ScenarioView
    from pytest_agog.scenario.scenario import Scenario

DEMO: Final = "deliverables/six-agent-handover.yaml"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)


def demo(as_json: Json = False) -> int:
    """Play the six-agent hand-over on an embedded nats-server; ends with its checklist and token table.

    Six agents hand one feature on by URL: their full reports stay on JetStream, only small notices travel. With --json
    the result has the form of report.json. Nothing is left behind. Exit 1 when a claim fails, 3 when nats-server does
    not start.

    Example: agog demo
    """
    from pytest_agog import selection

    path = selection.bundled_scenarios() / DEMO
    with _ended_by_signals(), _progress() as progress:
        result = play_file(path, progress)
    return _tell(result, as_json=as_json)


def play_file(path: Path, progress: Callable[[str], None]) -> PlayResult:
    """Play the one scenario in `path` on embedded services, and clean up after it however it ends.

    Raises:
        ScenarioErrors: the file is wrong.
    """
    from pytest_agog.play.vocabulary import vocabulary
    from pytest_agog.scenario.load import load
    from pytest_agog.session.looping import BackgroundLoop

    [scenario] = load(path, vocabulary(), ())
    loop = BackgroundLoop()
    try:
        with _folder() as folder:
            return loop.call(_play(scenario, folder, progress))
    finally:
        loop.close()


async def _play(scenario: Scenario, folder: Path, progress: Callable[[str], None]) -> PlayResult:
    import asyncio

    from pytest_agog.play.play import PlayOptions, play
    from pytest_agog.stage.servers.pgcache import Template
    from pytest_agog.stage.servers.pool import PostgresPool
    from pytest_agog.stage.servers.postgres import PostgresOptions
    from pytest_agog.stage.stage import StageOptions
    from pytest_agog.stage.target.targets import REFERENCE

    # Started only if the scenario needs it.
    postgres = PostgresPool(
        folder / "postgres", PostgresOptions(template=Template(*REFERENCE.template_migrations()))
    )  # fmt: skip
    try:
        stage = StageOptions(folder=folder / "play", postgres=postgres)
        return await play(scenario, PlayOptions(stage=stage, progress=progress))
    finally:
        await asyncio.to_thread(postgres.stop)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder; should the process be killed, its watchdog removes it."""
    from pytest_agog.stage.machine.spawning import SPAWNER

    folder = Path(tempfile.mkdtemp(prefix="agog-demo-"))
    SPAWNER.watchdog.add_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        SPAWNER.watchdog.remove_folder(folder)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end what happens inside as Ctrl-C does, so that it cleans up."""
    from pytest_agog.session.stopping import Stopping

    stopping = Stopping()
    stopping.begin(worker=False)
    try:
        yield
    finally:
        stopping.end()


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows what happens on a line of stderr; where that is no terminal, now and then when it takes long."""
    from pytest_agog.report.progress import Progress
    from pytest_agog.report.screen import Screen

    line = Progress(sys.stderr, Screen.of(sys.stderr))
    try:
        yield line.update
    finally:
        line.clear()


def _tell(result: PlayResult, *, as_json: bool) -> int:
    """Print what came of it.

    Raises:
        ServiceError: services did not start.
    """
    from pytest_agog.report.view import view
    from pytest_agog.selection import bundled_root

    seen = view(result, base=bundled_root())
    if as_json:
        _print_json(seen)
    elif result.outcome != "error":
        from pytest_agog.report.screen import Screen
        from pytest_agog.report.terminal import summary

        sys.stdout.write(summary([seen], Screen.of(sys.stdout), verbose=True))
    if result.outcome == "error":
        raise ServiceError(seen.play.observed)
    return Exit.OK if seen.outcome == "passed" else Exit.CLAIM_FAILED


def _print_json(seen: ScenarioView) -> None:
    from pytest_agog.cli.console import print_text
    from pytest_agog.report import json_report

    found = json_report.report(
        [seen], started_at=seen.started_at, duration=seen.duration, environment=seen.environment
    )  # fmt: skip
    print_text(json_report.to_bytes(found).decode())
