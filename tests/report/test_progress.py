from __future__ import annotations

import io

import pytest

from pytest_agog.report.progress import Progress
from pytest_agog.report.screen import Screen


class FakeTerminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_one_line_that_is_rewritten() -> None:
    file = FakeTerminal()
    progress = Progress(file, Screen(80))
    progress.update("step 1 of 3: chain")
    progress.update("step 2 of 3: publish")
    progress.clear()
    assert file.getvalue() == "\rstep 1 of 3: chain\x1b[K\rstep 2 of 3: publish\x1b[K\r\x1b[K"


def test_nothing_to_clear_writes_nothing() -> None:
    file = FakeTerminal()
    Progress(file, Screen(80)).clear()
    assert file.getvalue() == ""


def test_a_line_never_reaches_the_last_column_and_never_paints() -> None:
    file = FakeTerminal()
    Progress(file, Screen(40)).update("\x1b[31m" + "x\n" * 100)
    line = file.getvalue().removeprefix("\r").removesuffix("\x1b[K")
    assert 36 <= len(line) <= 39
    assert "\x1b" not in line
    assert "\n" not in line


def test_elsewhere_a_line_comes_seldom() -> None:
    file, clock = io.StringIO(), Clock()
    progress = Progress(file, Screen(80), plain_every=30, clock=clock)
    for second in range(70):
        clock.now = 100.0 + second
        progress.update(f"second {second}")
    progress.clear()
    assert file.getvalue() == "second 30 (30s)\nsecond 60 (1m)\n"


def test_elsewhere_it_can_be_silent() -> None:
    file, clock = io.StringIO(), Clock()
    progress = Progress(file, Screen(80), plain_every=None, clock=clock)
    clock.now += 1000
    progress.update("still here")
    assert file.getvalue() == ""


def test_a_dumb_terminal_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not Progress(FakeTerminal(), Screen(80)).live
