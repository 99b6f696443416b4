"""Doubts about a scenario that is not wrong: claims that cannot fail, words that nothing uses, unknown faults."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pytest_agog.scenario import model
from pytest_agog.scenario.linting import orchestrated, readers, slips
from pytest_agog.scenario.load import Loaded, load_all
from pytest_agog.scenario.orchestrator_steps import Submit
from pytest_agog.scenario.problems import Problem, Problems, ScenarioErrors
from pytest_agog.scenario.reading.nodes import Entry, Mapping, Node, Sequence, locate
from pytest_agog.scenario.reading.places import Path_
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.reading.substitute import references
from pytest_agog.scenario.scenario import Claim, Scenario
from pytest_agog.scenario.vocabulary import STEPS, Vocabulary
from pytest_agog.scenario.walking import leaves
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.values import Bound
from pytest_agog.wire import streams, subjects

_OWN_VERBS: Final = frozenset(step.verb for step in STEPS)
_SAVINGS: Final = frozenset({"tokens.spawn_savings", "tokens.net_savings"})
_CONTROL: Final = ("agog.spawn.kill", "agog.control.orchestrator.>")
"""What orchestrator and listener say to each other beside the streams."""
_LONGEST_PRINTS: Final = 1_000_000


@dataclass(frozen=True)
class Report:
    """What lint says of a file. Warnings are only looked for when nothing is wrong."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the file can be played."""
        return not self.problems


def lint(
    path: Path,
    vocabulary: Vocabulary,
    data_roots: SequenceABC[Path] = (),
    environment: MappingABC[str, str] | None = None,
) -> Report:
    """Everything that is wrong with the file, or everything that is doubtful about it."""
    try:
        loaded = load_all(path, vocabulary, data_roots, environment)
    except ScenarioErrors as error:
        return Report(problems=error.problems)
    warnings = Problems()
    try:
        for scenario, tree in zip(loaded.scenarios, loaded.trees, strict=True):
            _Doubts(scenario, tree, vocabulary, warnings).find()
        _unused_variables(loaded, warnings)
    except ScenarioErrors as error:
        return Report(warnings=error.problems)
    return Report(warnings=tuple(warnings))


class _Doubts:
    """Looks at one run of a scenario."""

    def __init__(self, scenario: Scenario, tree: Mapping, vocabulary: Vocabulary, warnings: Problems) -> None:
        self._scenario = scenario
        self._tree = tree
        self._vocabulary = vocabulary
        self._warnings = warnings
        self._nodes = {claim.id: node for claim, node in _claim_nodes(scenario, tree)}

    def find(self) -> None:
        """Note every doubt."""
        if not self._scenario.claims:
            place = self._tree.entries["name"].key
            self._warnings.add(place, "the scenario proves nothing", "add `proof:` or `tokens:`")
        self._unused_agents()
        self._no_faults()
        slips.small_server(self._scenario, self._tree, self._warnings)
        if self._steps_are_ours():
            readers.opened_twice(self._scenario, self._tree, self._warnings)
            readers.unknown_in_waits(self._scenario, self._tree, self._warnings)
        orchestrated.doubts(self._scenario, self._tree, self._vocabulary.agents, self._warnings)
        slips.keys_with_variables(self._tree, self._scenario.variables, self._warnings)
        for claim in self._scenario.claims:
            node = self._nodes[claim.id]
            if not self._vacuous(claim, node):
                self._empty_where(node)
            if claim.check == "never":
                self._never(claim, node)
            slips.operators_from_elsewhere(claim, node, self._warnings)
            slips.one_moment_twice(claim, partial(self._entry, node), self._warnings)
            if self._steps_are_ours():
                place = self._argument(node, ("name",))
                slips.unknown_process(claim, self._scenario, place, self._warnings)
                place = self._argument(node, ("reader",))
                readers.unknown(claim.check, claim.arguments, self._scenario.steps, place, self._warnings)
            self._within(claim, node)
            self._kills(claim, node)
        if not self._may_hand_over() and any(
            claim.id.startswith("tokens.") and not (claim.id == "tokens.notice" and self._may_tell_results())
            for claim in self._scenario.claims
        ):
            self._warnings.add(
                self._tree.entries["tokens"].key,
                "no step hands work from agent to agent, so there are no tokens to count and these claims fail",
            )

    def _steps_are_ours(self) -> bool:
        """The step of a plugin may start, open or publish whatever it likes."""
        return all(step.verb in _OWN_VERBS for step in self._scenario.steps)

    def _may_hand_over(self) -> bool:
        return any(step.verb == "chain" or step.verb not in _OWN_VERBS for step in self._scenario.steps)

    def _may_tell_results(self) -> bool:
        """Whether a notice may come on `results.` without a chain."""
        return any(
            step.verb == "run"
            or isinstance(step.arguments, Submit)
            or (isinstance(step.arguments, model.Publish) and step.arguments.subject.startswith("results."))
            for step in self._scenario.steps
        )

    def _vacuous(self, claim: Claim, node: Mapping) -> bool:
        """Whether the claim cannot fail, which is then noted."""
        word = self._vocabulary.checks.get(claim.check)
        reason = word.vacuous(claim.arguments) if word is not None else None
        if reason:
            place = locate(node, ("check",)).place if "check" in node.entries else node.place
            self._warnings.add(place, f"this claim cannot fail: {reason}")
            return True
        if claim.check in _SAVINGS:
            return False  # savings may be negative, so `at_least: 0` says something
        found = False
        for leaf in leaves(claim.arguments):
            if isinstance(leaf.value, Bound) and leaf.value.cannot_fail:
                place = self._argument(node, leaf.path)
                self._warnings.add(place, "this cannot fail: every count is at least 0", "ask for at least 1")
                found = True
        return found

    def _argument(self, node: Mapping, path: Path_) -> Place:
        return locate(node, ("with", *path) if "with" in node.entries else path).place

    def _entry(self, node: Mapping, index: int) -> Place:
        return self._argument(node, ("sequence", index))

    def _empty_where(self, node: Mapping) -> None:
        for place in _empty_wheres(node.entries["with"].value if "with" in node.entries else node):
            self._warnings.add(
                place, "`where: {}` narrows nothing", "name a path and what must stand there, or drop it"
            )

    def _never(self, claim: Claim, node: Mapping) -> None:
        pattern = getattr(claim.arguments, "subject", None)
        if not isinstance(pattern, str) or pattern[:1] in {"$", "_"} or self._anything_may_be_published():
            return
        reachable = [
            *(subject for stream in streams.STREAMS for subject in stream.subjects),
            subjects.SPAWN_REQUEST,
            *_CONTROL,
            *(step.arguments.subject for step in self._scenario.steps if isinstance(step.arguments, model.Publish)),
        ]
        if not any(subjects.overlap(pattern, subject) for subject in reachable):
            tokens = {part for subject in reachable for part in subject.split(".")} - {"*", ">"}
            near = next((hint for part in pattern.split(".") if (hint := _near_token(part, tokens))), "")
            self._warnings.add(
                self._argument(node, ("subject",)),
                f"this claim cannot fail: no stream and no step reaches {shown(pattern)}{near}",
            )

    def _anything_may_be_published(self) -> bool:
        """A command, or the step of a plugin, may publish whatever it likes."""
        return any(step.verb == "run" or step.verb not in _OWN_VERBS for step in self._scenario.steps) or any(
            agent.run is not None for agent in self._scenario.agents.values()
        )

    def _within(self, claim: Claim, node: Mapping) -> None:
        word = self._vocabulary.checks.get(claim.check)
        if claim.within <= 0 or word is None:
            return
        # A claim that is not true yet is worth waiting for, even if later messages may break it again.
        if word.growth_can_break(claim.arguments) and word.holds_of_nothing(claim.arguments):
            self._warnings.add(
                node.entries["within"].key,
                "waiting does not help this claim: more messages can only break it",
                "`holds_for` says how long it must stay true",
            )

    def _kills(self, claim: Claim, node: Mapping) -> None:
        for index, fault in enumerate(claim.kills):
            if self._vocabulary.faults and fault not in self._vocabulary.faults:
                near = did_you_mean(fault, self._vocabulary.faults)
                self._warnings.add(
                    locate(node, ("kills", index)).place, f"there is no fault {shown(fault)} (yet){near}"
                )

    def _no_faults(self) -> None:
        """One warning for the whole file where this installation has no faults at all."""
        named = [(claim, fault) for claim in self._scenario.claims for fault in claim.kills]
        if named and not self._vocabulary.faults:
            names = listed(sorted({fault for _, fault in named}), limit=6)
            place = self._nodes[named[0][0].id].entries["kills"].key
            self._warnings.add(place, f"there are no faults (yet), so nothing tries these: {names}")

    def _unused_agents(self) -> None:
        if not self._steps_are_ours():
            return
        working = {
            turn.agent
            for step in self._scenario.steps
            if isinstance(step.arguments, model.Chain)
            for turn in step.arguments.turns
        }
        if orchestrated.runs_agents(self._scenario):
            working |= {*self._vocabulary.agents, *orchestrated.agents_at_work(self._scenario)}
            if any(step.verb in ("publish", "run") for step in self._scenario.steps):
                return  # whoever speaks may name any agent
        for name in self._scenario.agents:
            if name not in working:
                place = locate(self._tree, ("agents", name)).key or self._tree.place
                self._warnings.add(place, f"nothing runs the agent {shown(name)}{did_you_mean(name, working)}")


def _near_token(part: str, tokens: set[str]) -> str:
    return "" if part in tokens or part in {"*", ">"} else did_you_mean(part, sorted(tokens))


def _claim_nodes(scenario: Scenario, tree: Mapping) -> Iterator[tuple[Claim, Mapping]]:
    """Each claim with the entry that it was read from; a token claim with one that only holds its bound."""
    entries = {}
    for item in _items(tree, "proof"):
        if isinstance(item, Mapping) and "id" in item.entries:
            entries[getattr(item.entries["id"].value, "value", None)] = item
    for claim in scenario.claims:
        if claim.id in entries:
            yield claim, entries[claim.id]
        else:
            found = locate(tree, ("tokens", claim.id.removeprefix("tokens.")))
            yield claim, Mapping(found.place, {"value": Entry(found.key or found.place, found.node)})


def _items(tree: Mapping, key: str) -> list[Node]:
    entry = tree.entries.get(key)
    return entry.value.items if entry is not None and isinstance(entry.value, Sequence) else []


def _empty_wheres(node: Node) -> Iterator[Place]:
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _empty_wheres(item)
    elif isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if key != "where":
                yield from _empty_wheres(entry.value)
            elif isinstance(entry.value, Mapping) and not entry.value.entries:
                yield entry.key


def _unused_variables(loaded: Loaded, warnings: Problems) -> None:
    used = set(loaded.used)
    for path in {file for scenario in loaded.scenarios for file in _printed(scenario)}:
        try:
            with path.open("rb") as file:
                used.update(references(file.read(_LONGEST_PRINTS).decode("utf-8", "replace")))
        except OSError:
            continue
    for section in ("vars", "matrix"):
        declared = loaded.tree.entries.get(section)
        for name, entry in declared.value.entries.items() if declared and isinstance(declared.value, Mapping) else ():
            if name in used:
                continue
            if section == "vars":
                warnings.add(entry.key, f"nothing uses the variable {shown(name)}{did_you_mean(name, used)}")
            else:
                warnings.add(entry.key, f"every run is the same: nothing uses ${{{name}}}")


def _printed(scenario: Scenario) -> Iterator[Path]:
    for agent in scenario.agents.values():
        if agent.prints is not None and agent.prints in scenario.files:
            yield scenario.files[agent.prints]
