"""What is shown in fenced blocks is what it claims to be: scenarios lint clean and play, Python compiles."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest
import yaml

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.linting.lint import lint
from pytest_agog.session.handles import Player
from tests.docs.reading import ROOT, Block, blocks, pages, written_pages

EVERY = [block for page in pages() for block in blocks(page)]


def of(language: str) -> list[Block]:
    return [block for block in EVERY if block.language == language]


def is_scenario(block: Block) -> bool:
    return block.text.startswith(("agog: 1", "#")) and "agog: 1\n" in block.text


SCENARIOS = [block for block in of("yaml") if is_scenario(block)]


def place(block: Block) -> str:
    return block.place


@pytest.mark.parametrize("block", SCENARIOS, ids=place)
def test_scenarios_lint_clean(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "shown.yaml"
    path.write_text(block.text, encoding="utf-8")
    report = lint(path, vocabulary(), ())
    assert [problem.one_line for problem in report.problems] == []
    assert [warning.as_warning for warning in report.warnings] == []


@pytest.mark.parametrize(
    "block", [block for block in SCENARIOS if not block.mark and block.page in written_pages()], ids=place
)
def test_scenarios_play_and_their_claims_hold(block: Block, agog_play: Player) -> None:
    result = agog_play(block.text)
    assert result.failure is None
    assert [
        (judged.claim.id, judged.verdict.observed) for judged in result.judgements if judged.verdict.outcome != "passed"
    ] == []


def test_the_readme_shows_a_scenario() -> None:
    assert [block.place for block in SCENARIOS if block.page == ROOT / "README.md"]


@pytest.mark.parametrize("block", [block for block in of("yaml") if not is_scenario(block)], ids=place)
def test_yaml_can_be_read(block: Block) -> None:
    yaml.safe_load(block.text.replace("!include ", ""))


@pytest.mark.parametrize("block", of("python"), ids=place)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", of("json"), ids=place)
def test_json_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("toml"), ids=place)
def test_toml_can_be_read(block: Block) -> None:
    tomllib.loads(block.text)


def test_every_block_says_what_it_is() -> None:
    known = {"yaml", "python", "json", "toml", "console", "sh", "diff", "text", "", "sql"}
    assert {block.language for block in EVERY} <= known
