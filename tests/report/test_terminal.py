from __future__ import annotations

from pathlib import Path

import pytest
from rich.cells import cell_len

from pytest_agog.report.screen import Screen
from pytest_agog.report.terminal import checklist, summary
from pytest_agog.report.token_table import token_table
from tests.report.builders import chain_ledger, claim, judged, play, views
from tests.report.conftest import Snapshot


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_the_end_of_a_run(file: Path, snapshot: Snapshot, width: int, verbose: bool) -> None:
    name = f"summary-{width}{'-verbose' if verbose else ''}.txt"
    snapshot(name, summary(views(file), Screen(width), verbose=verbose, took=12.34))


def test_the_end_of_a_run_in_ascii(file: Path, snapshot: Snapshot) -> None:
    text = summary(views(file), Screen(80, encoding="ascii"), took=12.34)
    text.encode("ascii")
    snapshot("summary-ascii.txt", text)


def test_the_end_of_a_run_in_colour(file: Path, snapshot: Snapshot) -> None:
    snapshot("summary-color.ansi", summary(views(file), Screen(80, color=True), took=12.34))


def test_forty_scenarios_take_a_line_each(file: Path, snapshot: Snapshot) -> None:
    many = [
        play(f"scenario-{number:02}", file, tuple(judged(claim(f"c{n}", "It holds", file)) for n in range(number)))
        for number in range(1, 41)
    ]
    broken = play("broken", file, (judged(claim("bad", "It does not hold", file), "failed"),))
    text = checklist(views(file, [*many[:20], broken, *many[20:]]), Screen(80))
    lines = text.splitlines()
    assert len(lines) == 40 + 5 + 2
    assert lines[39].startswith("✓ scenario-40")
    assert lines[40].startswith("✗ broken"), "what needs attention stands last"
    snapshot("forty-scenarios.txt", text)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_fit_the_width(file: Path, width: int) -> None:
    text = summary(views(file), Screen(width), verbose=True)
    # Ids, places and counts are never cut: they are there to be copied.
    whole = ("tokens.spawn_savings", "scenarios/", "close call", "plays broken off")
    too_long = [line for line in text.splitlines() if cell_len(line) > width]
    assert [line for line in too_long if not any(word in line for word in whole) and width >= 60] == []


def test_wide_characters_keep_columns_aligned(file: Path) -> None:
    plays = [
        play("検索", file, (judged(claim("a", "全文が届く", file)), judged(claim("b", "It holds", file)))),
        play("search", file, (judged(claim("a", "It holds", file)),)),
    ]
    lines = checklist(views(file, plays), Screen(80)).splitlines()
    assert cell_len(lines[0].partition("claims")[0].rstrip(" 2")) <= cell_len("✓ search")
    assert cell_len(lines[0].partition(" 2 claims")[0]) == cell_len(lines[1].partition(" 1 claim")[0])


def test_untrusted_text_cannot_paint(file: Path) -> None:
    nasty = judged(
        claim("a", "\x1b[2J::error::x [red]boo[/red]", file), "failed", observed="\x1b]0;title\x07\n::debug::"
    )
    text = summary(views(file, [play("\x1b[31mred", file, (nasty,))]), Screen(80))
    assert "\x1b" not in text
    assert "[red]boo[/red]" in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_no_scenario_is_no_text() -> None:
    assert summary([], Screen(80)) == ""


def test_one_of_each_is_counted_in_the_singular(file: Path) -> None:
    text = checklist(views(file, [play("a", file, (judged(claim("b", "c", file)),))]), Screen(80))
    assert text.splitlines()[-1] == "1 scenario, 1 claim: 1 passed"


def test_savings_are_of_the_bytes_in_the_ledger(file: Path) -> None:
    one = play("chain", file, ledger=chain_ledger(1000))
    text = token_table(views(file, [one]), Screen(80))
    # 1000, 2000 and 3000 words of earlier reports; 300 sections of two words were fetched.
    assert "chain" in text.splitlines()[1]
    assert "6,000" in text.splitlines()[1]
    assert "600" in text.splitlines()[1]
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["cynthia", "sylvia", "roy", "jen"]


def test_agents_are_left_out_of_many_scenarios_unless_asked_for(file: Path) -> None:
    plays = [play(f"chain-{number}", file, ledger=chain_ledger(50)) for number in range(5)]
    assert "sylvia" not in token_table(views(file, plays), Screen(80))
    assert "sylvia" in token_table(views(file, plays), Screen(80), verbose=True)


def test_more_spent_than_saved_is_negative(file: Path) -> None:
    text = token_table(views(file, [play("chain", file, ledger=chain_ledger(10))]), Screen(120))
    assert "-" in text.splitlines()[1]
    assert "█" not in text.splitlines()[1]


def test_nothing_handed_over_is_no_table(file: Path) -> None:
    assert token_table(views(file, [play("a", file)]), Screen(80)) == ""
