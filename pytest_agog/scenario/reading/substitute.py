"""`${name}`: variables, matrix values and `env:NAME`, put in their places once, after every file was read.

A value is never looked at again after it was put in, so neither included data nor the environment can smuggle in names.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.budget import Budget
from pytest_agog.scenario.reading.nodes import Entry, Include, Mapping, Node, Scalar, Sequence, children, plain
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.words import did_you_mean, listed, shown

MAX_RUNS: Final = 1_000
"""How many runs a matrix may make."""
MAX_RUN_NODES: Final = 1_000_000
"""How many values all runs of a file may hold together."""

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^${}]*)\}|\$\{")
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECRET_NAME: Final = re.compile(r"pass|secret|token|key|cred|dsn|auth|seed", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._]+")
_NOT_SUBSTITUTED: Final = frozenset({"agog", "name", "vars", "matrix"})
_LONGEST_SUFFIX: Final = 40


@dataclass(frozen=True)
class Combination:
    """One run of the matrix: a value for each of its names, and the suffix of its test ids."""

    values: MappingABC[str, Node] = field(default_factory=dict)
    suffix: str = ""


def combinations(root: Mapping, problems: Problems) -> list[Combination]:
    """The runs that `matrix:` makes of a file; one without a suffix when there is none.

    Raises:
        ScenarioErrors: so many that reading them would take minutes.
    """
    entry = root.entries.get("matrix")
    if entry is None or not isinstance(entry.value, Mapping):
        return [Combination()]
    nodes = measure(root)[0]
    names = {
        name: lists.value.items
        for name, lists in entry.value.entries.items()
        if isinstance(lists.value, Sequence) and lists.value.items
    }
    runs = 1
    for items in names.values():
        runs *= len(items)
        if runs > MAX_RUNS or runs * nodes > MAX_RUN_NODES:
            problems.fatal(entry.key, f"the matrix makes too many runs; a file of this size may have {_most(nodes)}")
    taken: set[str] = set()
    made = []
    for values in itertools.product(*names.values()):
        suffix = _unique("-".join(map(_safe, values)), taken) if names else ""
        made.append(Combination(dict(zip(names, values, strict=True)), suffix))
    return made


def _most(nodes: int) -> int:
    return max(1, min(MAX_RUNS, MAX_RUN_NODES // max(nodes, 1)))


def _safe(node: Node) -> str:
    """A matrix value as part of a test id: letters, digits, dots and underscores."""
    text = _as_text(plain(node))
    return _UNSAFE.sub("_", text)[:_LONGEST_SUFFIX].strip("_") or "empty"


def _unique(suffix: str, taken: set[str]) -> str:
    name, number = suffix, 1
    while name in taken:
        number += 1
        name = f"{suffix}_{number}"
    taken.add(name)
    return name


def _as_text(value: Any) -> str:
    """A value inside text: as JSON would write it, but text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Substitution:
    """Puts variables in their places, for one combination."""

    def __init__(
        self, root: Mapping, combination: Combination, environment: MappingABC[str, str], problems: Problems
    ) -> None:
        self._definitions: dict[str, Node] = {}
        declared = root.entries.get("vars")
        if declared is not None and isinstance(declared.value, Mapping):
            self._definitions.update((name, entry.value) for name, entry in declared.value.entries.items())
        self._definitions.update(combination.values)
        self._environment = environment
        self._problems = problems
        self._budget = Budget(problems)
        self._resolved: dict[str, Node] = {}
        self._resolving: list[str] = []
        self.used: set[str] = set()
        """Names that something refers to."""
        self.secrets: set[str] = set()
        """Values of environment variables whose names sound secret; no message may show them."""

    def variables(self) -> dict[str, Any]:
        """Every variable's value as plain data, those that nothing uses too."""
        used = set(self.used)
        values = {name: plain(self._variable(name, 2)) for name in self._definitions}
        self.used = used
        return values

    def root(self, root: Mapping) -> Mapping:
        """The whole scenario. Keys, `name` and the ids of proof entries stay as they are."""
        entries: dict[str, Entry] = {}
        for key, entry in root.entries.items():
            if key in _NOT_SUBSTITUTED:
                entries[key] = entry
            elif key == "proof" and isinstance(entry.value, Sequence):
                items = [self._proof_entry(item) for item in entry.value.items]
                entries[key] = Entry(entry.key, Sequence(entry.value.place, items))
            else:
                entries[key] = Entry(entry.key, self._node(entry.value, 2))
        return Mapping(root.place, entries)

    def _proof_entry(self, node: Node) -> Node:
        made = self._node(node, 3)
        if isinstance(node, Mapping) and isinstance(made, Mapping) and "id" in node.entries:
            return Mapping(made.place, {**made.entries, "id": node.entries["id"]})
        return made

    def _node(self, node: Node, depth: int) -> Node:
        """`node` with its variables; the same object when it has none."""
        self._budget.deep(node.place, depth)
        if isinstance(node, Scalar):
            text = node.value
            self._budget.spend(node.place, 1, len(text) if isinstance(text, str) else 0)
            return self._scalar(node, text, depth) if isinstance(text, str) and "${" in text else node
        if isinstance(node, Include):
            return node
        if isinstance(node, Sequence):
            self._budget.spend(node.place, 1, 0)
            items = [self._node(item, depth + 1) for item in node.items]
            same = all(new is old for new, old in zip(items, node.items, strict=True))
            return node if same else Sequence(node.place, items)
        self._budget.spend(node.place, 1 + len(node.entries), 0)
        entries = {key: Entry(e.key, self._node(e.value, depth + 1)) for key, e in node.entries.items()}
        same = all(entries[key].value is node.entries[key].value for key in entries)
        return node if same else Mapping(node.place, entries)

    def _scalar(self, node: Scalar, text: str, depth: int) -> Node:
        match = _REFERENCE.fullmatch(text)
        if match is not None and match[1] is not None:
            value = self._reference(match[1], node.place, text, depth)
            if value is None:
                return node
            if self._problems.is_spoilt(value.place):
                self._problems.mark_spoilt(node.place)
            nodes, characters, height = measure(value)
            self._budget.spend(node.place, nodes, characters)
            self._budget.deep(node.place, depth + height)
            return value._replace(place=node.place)
        parts: list[str] = []
        end = 0
        for match in _REFERENCE.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            part = self._part(match, node, depth)
            self._budget.spend(node.place, 0, len(part))
            parts.append(part)
        return Scalar(node.place, "".join(parts) + text[end:])

    def _part(self, match: re.Match[str], node: Scalar, depth: int) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            self._problems.spoil(
                _within(node.place, match[0]), "`${` without a name and `}`", "write $${ for the text itself"
            )
            self._problems.mark_spoilt(node.place)
            return match[0]
        value = self._reference(match[1], node.place, match[0], depth)
        return match[0] if value is None else _as_text(plain(value))

    def _reference(self, name: str, place: Place, written: str, depth: int) -> Node | None:
        """What `${name}` stands for; None, with the problem noted, when nothing is known of it."""
        if name.startswith("env:"):
            return self._from_environment(name.removeprefix("env:"), place, written)
        if name in self._definitions:
            if name in self._resolving:
                circle = " → ".join([*self._resolving[self._resolving.index(name) :], name])
                self._refuse(place, written, f"variables refer to one another in a circle: {circle}")
                return None
            return self._variable(name, depth + 1)
        if not VARIABLE_NAME.fullmatch(name):
            inside = name.partition(".")[0] in self._definitions
            hint = "a variable is taken whole, not by parts" if inside else "write $${ for the text itself"
            self._refuse(place, written, f"{shown(written)} names no variable", hint)
            return None
        near = did_you_mean(name, self._definitions)
        if not near and name in self._environment:
            near = f"; did you mean '${{env:{name}}}'?"
        known = f"known: {listed(sorted(self._definitions))}" if self._definitions else "vars: declares variables"
        self._refuse(place, written, f"unknown variable {shown(name)}{near}", f"{known}; $${{ is the text itself")
        return None

    def _from_environment(self, name: str, place: Place, written: str) -> Node | None:
        value = self._environment.get(name)
        if value is None:
            near = did_you_mean(name, self._environment) if name else ""
            self._refuse(place, written, f"the environment has no variable {shown(name)}{near}")
            return None
        if _SECRET_NAME.search(name) and len(value) >= 4:
            self.secrets.add(value)
        return Scalar(place, value)

    def _variable(self, name: str, depth: int) -> Node:
        self.used.add(name)
        if name not in self._resolved:
            self._resolving.append(name)
            self._resolved[name] = self._node(self._definitions[name], depth)
            self._resolving.pop()
        return self._resolved[name]

    def _refuse(self, place: Place, written: str, message: str, hint: str = "") -> None:
        self._problems.spoil(_within(place, written), message, hint)
        self._problems.mark_spoilt(place)


def _within(place: Place, written: str) -> Place:
    """Where in a scalar `written` stands; the scalar's own place when it is written with escapes."""
    offset = place.source.text.find(written, place.start, place.end)
    return Place(place.source, offset, offset + len(written)) if offset >= 0 else place


def measure(node: Node) -> tuple[int, int, int]:
    """How many nodes and characters a tree has, and how deep it is."""
    if isinstance(node, Scalar):
        return 1, len(node.value) if isinstance(node.value, str) else 0, 0
    nodes, text, height = 1, 0, 0
    for child in children(node):
        more, characters, below = measure(child)
        nodes, text, height = nodes + more, text + characters, max(height, below + 1)
    if isinstance(node, Mapping):
        nodes += len(node.entries)
    return nodes, text, height


def references(text: str) -> Iterator[str]:
    """The names in `${name}` anywhere in `text`."""
    for match in _REFERENCE.finditer(text):
        if match[1]:
            yield match[1]
