"""From a file to scenarios: read, share, substitute, check. Everything that is wrong is told at once."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_agog.scenario import model, rules, shape
from pytest_agog.scenario.data_files import DataRoots
from pytest_agog.scenario.finding import find, is_scenario, name_of
from pytest_agog.scenario.parts import Parts
from pytest_agog.scenario.problems import Problems, ScenarioErrors
from pytest_agog.scenario.reading.nodes import Mapping, Scalar, plain
from pytest_agog.scenario.reading.sharing import read_tree
from pytest_agog.scenario.reading.source import Place, Source, Unreadable, read
from pytest_agog.scenario.reading.substitute import VARIABLE_NAME, Combination, Substitution, combinations
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.scenario.vocabulary import Vocabulary

__all__ = ["Loaded", "ScenarioErrors", "find", "is_scenario", "load", "load_all", "name_of", "plain_data"]


@dataclass(frozen=True)
class Loaded:
    """What a file holds: its scenarios, the tree they came from, and which variables are used."""

    scenarios: tuple[Scenario, ...]
    tree: Mapping
    trees: tuple[Mapping, ...]
    """For each scenario, the tree after substitution."""
    used: frozenset[str]


def load(
    path: Path,
    vocabulary: Vocabulary,
    data_roots: SequenceABC[Path] = (),
    environment: MappingABC[str, str] | None = None,
) -> list[Scenario]:
    """The scenarios in the file at `path`: one, or one for each combination of its matrix.

    Data files are looked for beside the scenario, then in `data_roots`, then among the bundled fixtures.

    Raises:
        ScenarioErrors: the file is wrong; it holds every problem with its place.
    """
    return list(load_all(path, vocabulary, data_roots, environment).scenarios)


def load_all(
    path: Path,
    vocabulary: Vocabulary,
    data_roots: SequenceABC[Path] = (),
    environment: MappingABC[str, str] | None = None,
) -> Loaded:
    """As `load`, with what lint needs beside the scenarios.

    Raises:
        ScenarioErrors: the file is wrong.
    """
    with _collector_resting():
        return _load_all(path, vocabulary, data_roots, os.environ if environment is None else environment)


@contextlib.contextmanager
def _collector_resting() -> Iterator[None]:
    """No garbage collection: a large file makes 200,000 objects without a cycle, and scanning them doubles the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _load_all(
    path: Path, vocabulary: Vocabulary, data_roots: SequenceABC[Path], environment: MappingABC[str, str]
) -> Loaded:
    problems = Problems()
    source, roots, tree = _tree(path, data_roots, problems)
    rules.check_variable_names(tree, VARIABLE_NAME, problems)
    scenarios: list[Scenario] = []
    trees: list[Mapping] = []
    used: set[str] = set()
    for combination in combinations(tree, problems):
        substitution = Substitution(tree, combination, environment, problems)
        made = substitution.root(tree)
        variables = substitution.variables()
        problems.hide(substitution.secrets)
        used |= substitution.used
        scenario = _scenario(source, made, combination, variables, vocabulary, roots, problems)
        if scenario is not None:
            scenarios.append(scenario)
            trees.append(made)
    problems.raise_if_any()
    return Loaded(tuple(scenarios), tree, tuple(trees), frozenset(used))


def plain_data(path: Path, data_roots: SequenceABC[Path] = ()) -> Any:
    """The file as plain data, after includes and extends, before substitution: what the JSON Schema describes.

    Raises:
        ScenarioErrors: it is no YAML, or a shared part is missing.
    """
    problems = Problems()
    _, _, tree = _tree(path, data_roots, problems)
    problems.raise_if_any()
    return plain(tree)


def _tree(path: Path, data_roots: SequenceABC[Path], problems: Problems) -> tuple[Source, DataRoots, Mapping]:
    try:
        source = read(path)
    except Unreadable as error:
        problems.fatal(error.place, error.message, error.hint)
    roots = DataRoots(source.path.parent, data_roots)
    tree = read_tree(source, roots, problems)
    if tree is None or (isinstance(tree, Scalar) and tree.value is None):
        problems.fatal(
            Place(source, 0, 0), "the file is empty", "a scenario begins with `agog: 1`; try `agog new NAME`"
        )
    if not isinstance(tree, Mapping):
        problems.fatal(tree.place, "a scenario is a mapping", "it begins with `agog: 1`; try `agog new NAME`")
    return source, roots, tree


def _scenario(
    source: Source,
    tree: Mapping,
    combination: Combination,
    variables: MappingABC[str, Any],
    vocabulary: Vocabulary,
    roots: DataRoots,
    problems: Problems,
) -> Scenario | None:
    """One run; None when something about it is wrong."""
    data = plain(tree)
    if data.get("agog") is True:
        problems.spoil(tree.entries["agog"].value.place, "expected 1, not true")
    whole = shape.validate(model.ScenarioModel, data, tree, problems)
    parts = Parts(tree, vocabulary, roots, problems)
    agents = parts.agents()
    steps = parts.steps()
    claims = (*parts.claims(), *parts.token_claims())
    if whole is None or problems:
        return None
    return Scenario(
        name=whole.name,
        path=source.path,
        summary=whole.summary,
        tags=whole.tags,
        services=whole.services,
        agents=agents,
        steps=steps,
        claims=claims,
        tokens=whole.tokens,
        position=tree.entries["name"].key.position,
        suffix=combination.suffix,
        variables=variables,
        files=parts.files,
    )
