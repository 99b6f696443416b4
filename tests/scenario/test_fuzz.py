"""Whatever stands in a file: it is a scenario, or ScenarioErrors with places inside the file; nothing else, soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_agog.scenario.linting.lint import lint
from pytest_agog.scenario.load import load
from pytest_agog.scenario.problems import Problem, ScenarioErrors
from pytest_agog.scenario.vocabulary import Vocabulary

SOUND = """\
agog: 1
name: sound
vars: {feature: search, n: 3, list: [1, 2]}
matrix: {size: [small, large]}
services: {nats: {max_payload: 12MB, servers: 1}}
agents:
  cynthia: {report: {generate: {tokens: 900, seed: 7}}, notice: {complexity: Medium}}
  roy: &roy
    run: [python, -c, "print('${size}')"]
    timeout: 30s
steps:
  - chain:
      feature: ${feature}
      turns:
        - {agent: cynthia, task: research}
        - {agent: roy, task: backend, fetches: [cynthia, "cynthia#A"]}
  - publish: {subject: argo.workflow.general.status, json: {a: "${list}", b: ~}, times: "${n}"}
  - wait: {until: {message: {subject: results.>}}, within: 10s}
tokens: {spawn_savings: {at_least: 95%}, notice: {at_most: 200}}
proof:
  - id: stored
    claim: The report of ${feature} is there
    check: deliverable
    with: {agent: cynthia, type: research, feature: "${feature}", tokens: {between: [1, 9]}}
  - {id: quiet, claim: No error, check: never, with: {subject: errors.>, where: {x.y: {matches: "a+"}}}, within: 1s}
"""
PIECES = [
    "\t", "  ", "\n", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "*roy", "!include s.yaml", "!!int ", "${", "${n}",
    "$${", "<<: ", "'", '"', "|\n", ">\n", "#", "? ", "---\n", "...\n", "%YAML 1.1\n", "\u2028", "\x85", "\0", "é", "@",
    "agog: 1\n", "extends: s.yaml\n", "null", "~", "1e999", ".nan", "0x", "-", "../x", "/etc/passwd", "\ufeff", "`",
]  # fmt: skip
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(data: bytes, folder: Path, words: Vocabulary) -> tuple[Problem, ...]:
    path = folder / "s.yaml"
    path.write_bytes(data)
    began = time.process_time()
    try:
        assert load(path, words, environment={})
        problems: tuple[Problem, ...] = lint(path, words, environment={}).warnings
    except ScenarioErrors as error:
        problems = error.problems
        assert problems
    assert time.process_time() - began < 2
    lines = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in problems:
        assert problem.file == path
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert "\n" not in str(problem)
        assert problem.message
    return problems


def test_the_sound_file_is_sound(tmp_path: Path, words: Vocabulary) -> None:
    assert len(load_all_of(tmp_path, words)) == 2


def load_all_of(tmp_path: Path, words: Vocabulary) -> list[object]:
    path = tmp_path / "s.yaml"
    path.write_text(SOUND)
    return list(load(path, words))


@SETTINGS
@given(data=st.binary(max_size=300))
def test_any_bytes(data: bytes, tmp_path: Path, words: Vocabulary) -> None:
    read(data, tmp_path, words)


@SETTINGS
@given(text=st.text(st.sampled_from("agonme: 1\n-{}[],&*!'\"|>?#%@$ab\t"), max_size=120))
def test_any_text_of_the_characters_that_mean_something(text: str, tmp_path: Path, words: Vocabulary) -> None:
    read(text.encode(), tmp_path, words)


@SETTINGS
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SOUND)), st.integers(0, 12), st.sampled_from(PIECES) | st.text(max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_a_sound_file_with_a_few_mistakes(edits: list[tuple[int, int, str]], tmp_path: Path, words: Vocabulary) -> None:
    text = SOUND
    for at, drop, piece in edits:
        text = text[:at] + piece + text[at + drop :]
    read(text.encode("utf-8", "surrogatepass"), tmp_path, words)


@SETTINGS
@given(
    swaps=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=3),
    drops=st.sets(st.integers(0, 200), max_size=2),
)
def test_a_sound_file_with_words_in_wrong_places(
    swaps: list[tuple[int, int]], drops: set[int], tmp_path: Path, words: Vocabulary
) -> None:
    import re

    parts = re.split(r"(\w+)", SOUND)
    count = len(parts) // 2
    for one, other in swaps:
        a, b = 1 + 2 * (one % count), 1 + 2 * (other % count)
        parts[a], parts[b] = parts[b], parts[a]
    for drop in drops:
        parts[1 + 2 * (drop % count)] = ""
    read("".join(parts).encode(), tmp_path, words)


@pytest.mark.parametrize("end", range(0, len(SOUND), 7))
def test_a_file_that_was_cut(end: int, tmp_path: Path, words: Vocabulary) -> None:
    read(SOUND[:end].encode(), tmp_path, words)
