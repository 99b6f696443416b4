"""However and whenever a run is ended, nothing of it is left: no process, no folder."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin.processes import Started, wait_until

PLAYING = """\
agog: 1
name: playing
services: {postgres: {}}
steps:
  - run: {command: [sh, -c, "touch THERE; sleep 100"], timeout: 100s}
proof:
  - {id: rows, claim: There are rows, check: rows, with: {count: {at_least: 1}}}
"""
CHECKING = """\
agog: 1
name: checking
services: {postgres: {}}
steps:
  - run: {command: [sh, -c, "touch THERE"]}
proof:
  - {id: rows, claim: There are rows, check: rows, with: {count: {at_least: 1}}, within: 100s}
"""
Start = Callable[..., Started]


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Starts runs, and ends what a failed test leaves of them."""
    running: list[Started] = []

    def begin(text: str, *arguments: str) -> Started:
        there = project / "there"
        (project / "one.yaml").write_text(text.replace("THERE", str(there)))
        running.append(Started(project, "--agog-scenario=one.yaml", *arguments))
        return running[-1]

    yield begin
    for run in running:
        run.end()


def there(project: Path, run: Started) -> bool:
    return wait_until(lambda: (project / "there").exists() or run.process.poll() is not None)


def nothing_left(run: Started) -> bool:
    return wait_until(lambda: not run.marked() and not run.folders())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_mid_play(start: Start, project: Path, number: signal.Signals) -> None:
    run = start(PLAYING)
    assert there(project, run)
    # The shell says that it is there just before it starts the command that stays.
    assert wait_until(lambda: {"nats-server", "postgres", "sleep"} <= set(run.marked().values()))
    run.process.send_signal(number)
    assert "KeyboardInterrupt" in run.output()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert run.folders() == []
    assert nothing_left(run)


def test_while_services_start(start: Start) -> None:
    run = start(PLAYING)
    assert wait_until(lambda: "postgres" in run.marked().values() or run.process.poll() is not None)
    run.process.send_signal(signal.SIGTERM)
    run.output()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert nothing_left(run)


def test_while_a_claim_is_waited_for(start: Start, project: Path) -> None:
    run = start(CHECKING)
    assert there(project, run)
    run.process.send_signal(signal.SIGTERM)
    run.output()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert nothing_left(run)


def test_what_was_to_be_kept_is_not_when_its_play_is_interrupted(start: Start, project: Path) -> None:
    run = start(PLAYING, "--agog-keep")
    assert there(project, run)
    run.process.send_signal(signal.SIGINT)
    run.output()
    assert nothing_left(run)


def test_killed_at_once(start: Start, project: Path) -> None:
    run = start(PLAYING)
    assert there(project, run)
    run.process.kill()
    assert nothing_left(run)


def test_a_controller_of_workers_that_is_killed(start: Start, project: Path) -> None:
    run = start(PLAYING, "-n", "1")
    assert there(project, run)
    run.process.kill()
    assert nothing_left(run)


def test_ctrl_c_reaches_workers(start: Start, project: Path) -> None:
    run = start(PLAYING, "-n", "1")
    assert there(project, run)
    os.killpg(run.process.pid, signal.SIGINT)
    run.output()
    assert run.process.returncode == pytest.ExitCode.INTERRUPTED
    assert nothing_left(run)
