"""A target file: which parts of the system under test come from where. `agog_target: 1`"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from pytest_agog.scenario import shape
from pytest_agog.scenario.data_files import DataRoots
from pytest_agog.scenario.model import Name
from pytest_agog.scenario.nodes import Entry, Mapping, Scalar, plain
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.sharing import read_tree
from pytest_agog.scenario.source import Place, Unreadable, read
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.stage.targets import REFERENCE, Target
from pytest_agog.values import Strict

COMPONENTS: Final = ("deliverables", "comms", "orchestrator", "listener")
_REMEDY: Final = "leave it out or write `reference`"


class TargetModel(Strict):
    """A target file."""

    agog_target: Literal[1]
    """Version of the format."""
    name: Name
    """Stands in reports."""
    components: dict[str, Any] = Field(default_factory=dict)
    """Where each part comes from; the reference system where nothing is said."""


def read_target(path: Path) -> Target:
    """The target that the file at `path` describes. This version plays parts of the reference system alone.

    Raises:
        ScenarioErrors: the file is wrong, or wants a part that is not the reference system's; all errors at once.
    """
    problems = Problems()
    tree = _tree(path, problems)
    found = shape.validate(TargetModel, plain(tree), tree, problems)
    components = tree.entries.get("components")
    if components is not None and isinstance(components.value, Mapping):
        _check_components(components.value.entries, problems)
    problems.raise_if_any()
    assert found is not None
    return replace(REFERENCE, name=found.name)


def _tree(path: Path, problems: Problems) -> Mapping:
    try:
        source = read(path)
    except Unreadable as error:
        problems.fatal(error.place, error.message, error.hint)
    tree = read_tree(source, DataRoots(source.path.parent), problems)
    if not isinstance(tree, Mapping):
        place = tree.place if tree is not None else Place(source, 0, 0)
        problems.fatal(place, "a target is a mapping", "it begins with `agog_target: 1`")
    return tree


def _check_components(entries: MappingABC[str, Entry], problems: Problems) -> None:
    for name, entry in entries.items():
        if name not in COMPONENTS:
            hint = f"there are {listed(COMPONENTS)}"
            problems.add(entry.key, f"unknown component {shown(name)}{did_you_mean(name, COMPONENTS)}", hint)
        elif not isinstance(entry.value, Scalar) or entry.value.value != "reference":
            problems.add(entry.value.place, f"this version plays the reference system's {name} and no other", _REMEDY)
