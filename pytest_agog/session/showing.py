"""A progress line on the terminal, past pytest's capture, below the line that pytest is writing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest


@contextlib.contextmanager
def progress_line(config: pytest.Config) -> Iterator[Callable[[str], None]]:
    """Gives what shows a text; nothing is shown where there is no terminal reporter (a worker of xdist)."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    if reporter is None:
        yield lambda _: None
        return
    from pytest_agog.report.progress import Progress
    from pytest_agog.report.screen import Screen

    # pytest offers no other way to the terminal behind its capture, and to the column where it stands.
    writer = reporter._tw  # noqa: SLF001
    file: TextIO = writer._file  # noqa: SLF001
    with _uncaptured(capture):  # captured, the terminal does not look like one
        progress = Progress(file, Screen.of(file))
    column: int = writer.width_of_current_line
    below = False

    def show(text: str) -> None:
        nonlocal below
        with _uncaptured(capture):
            if progress.live and column and not below:
                file.write("\n")
                below = True
            progress.update(text)

    try:
        yield show
    finally:
        with _uncaptured(capture):
            progress.clear()
            if below:
                file.write(f"\x1b[A\x1b[{column}C")
                file.flush()


def _uncaptured(capture: pytest.CaptureFixture[str] | None) -> contextlib.AbstractContextManager[None]:
    if capture is None:
        return contextlib.nullcontext()
    disabled: contextlib.AbstractContextManager[None] = capture.global_and_fixture_disabled()  # type: ignore[attr-defined]
    return disabled
