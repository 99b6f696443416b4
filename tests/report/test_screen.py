from __future__ import annotations

import io

import pytest
from rich.text import Text

from pytest_agog.report.screen import MAX_WIDTH, MIN_WIDTH, Screen


class FakeTerminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Screen.of(FakeTerminal()).color
    assert not Screen.of(io.StringIO()).color
    assert not Screen.of(FakeTerminal(), color=False).color
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Screen.of(FakeTerminal()).color
    assert Screen.of(FakeTerminal(), color=True).color, "--color=yes is the stronger word"


def test_a_dumb_terminal_has_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen.of(FakeTerminal()).color


def test_a_closed_file_is_no_terminal() -> None:
    file = io.StringIO()
    file.close()
    assert not Screen.of(file).color


@pytest.mark.parametrize(("given", "width"), [(5, MIN_WIDTH), (100, 100), (1000, MAX_WIDTH)])
def test_width_stays_readable(given: int, width: int) -> None:
    assert Screen.of(io.StringIO(), width=given).width == width


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "no-such-encoding"])
def test_signs_fall_back_to_ascii(encoding: str) -> None:
    screen = Screen(encoding=encoding)
    assert screen.glyphs.passed == "+"
    assert screen.glyphs.failed == "x"
    assert screen.fold("a → b…") == "a -> b..."


def test_what_cannot_be_written_is_escaped_before_it_is_measured() -> None:
    assert Screen(encoding="ascii").line("größe 表") == r"gr\xf6\xdfe \u8868"
    assert Screen(encoding="latin-1").line("größe 表") == r"größe \u8868"
    assert Screen().line("größe 表") == "größe 表"


def test_render_has_escape_codes_only_with_colour() -> None:
    line = Text("red", "bold red")
    assert Screen().render([line]) == "red\n"
    assert "\x1b[" in Screen(color=True).render([line])


def test_render_keeps_long_lines_whole_and_markup_literal() -> None:
    text = "[bold]x[/bold] :smile: " + "y" * 200
    assert Screen(width=80).render([Text(text)]) == text + "\n"


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("line", ["::error::gotcha", "   ::stop-commands::x", "a ##[add-mask]b"])
def test_no_line_is_a_command_to_a_ci_runner(line: str, color: bool) -> None:
    import re

    shown = re.sub(r"\x1b\[[0-9;]*m", "", Screen(color=color).render([Text(line, "red")]))
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
