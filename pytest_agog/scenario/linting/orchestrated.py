"""Doubts about scenarios with an orchestrator: names that nothing gave, roadmaps and clocks that nobody looks at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence as SequenceABC
from pathlib import Path
from typing import Any, Final

from pytest_agog.scenario import model
from pytest_agog.scenario.orchestrator_steps import Advance, Submit
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Mapping, locate
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.scenario import Scenario, Step
from pytest_agog.scenario.words import did_you_mean, listed, shown

FURTHER_AGENTS: Final = ("database", "documentation", "review", "release", "todd", "vic")
"""Agents of an orchestrator besides the seven of the contract; they need no declaration either."""
_REQUIREMENT_OF: Final = {"spawn": "requirement", "requirement": "id", "gate": "requirement"}
"""Under which argument a check names a requirement."""
_AGENTS_OF: Final = {"spawn": ("agent", "after"), "requirement": ("agent",)}
_MARKDOWN: Final = (".md", ".markdown")
_LARGEST: Final = 10_000_000


def runs_agents(scenario: Scenario) -> bool:
    """Whether the host listener runs the scenario's agents."""
    services = scenario.services
    if services.listener is not None:
        return services.listener.instances > 0
    if services.orchestrator is not None:
        return True
    if {"orchestrator", "listener"} & set(services.components):
        return True
    return any(_concerns_crew(step) for step in scenario.steps)


def _concerns_crew(step: Step) -> bool:
    arguments = step.arguments
    if isinstance(arguments, (model.Kill, model.Restart)):
        return arguments.component in ("orchestrator", "listener")
    return isinstance(arguments, (Submit, Advance))


def agents_at_work(scenario: Scenario) -> set[str]:
    """The agents that an orchestrator can give work to: those it knows, and those that a submission assigns."""
    assigned = {one.get("assignedAgent") for one in _submitted(scenario)}
    return {*FURTHER_AGENTS, *(name for name in assigned if isinstance(name, str))}


def doubts(scenario: Scenario, tree: Mapping, agents: Iterable[str], warnings: Problems) -> None:
    """Note what is doubtful about claims, waits and steps that concern an orchestrator."""
    known = {*agents, *scenario.agents, *agents_at_work(scenario)}
    requirements = _requirements(scenario)
    files = {step.arguments.file for step in scenario.steps if isinstance(step.arguments, Submit)} - {None}
    for check, arguments, place in _asked(scenario, tree):
        for name in _names(check, arguments):
            if name not in known and not _anything_may_be_said(scenario):
                warnings.add(place, f"nothing runs an agent {shown(name)}{did_you_mean(name, known)}")
        identity = arguments.get(_REQUIREMENT_OF.get(check, ""))
        if requirements is not None and isinstance(identity, str) and identity not in requirements:
            near = did_you_mean(identity, requirements)
            there = f"known: {listed(sorted(requirements))}" if requirements else ""
            warnings.add(place, f"no step submits {shown(identity)}{near}", there)
        file = arguments.get("file")
        if check == "roadmap" and file not in files and not _anything_may_be_said(scenario):
            warnings.add(
                place, f"no step submits {shown(str(file))}{did_you_mean(str(file), map(str, files))}",
                "the check looks at the orchestrator's copy, which `submit: {file: …}` makes",
            )  # fmt: skip
    _second_roadmap(scenario, tree, warnings)
    _clock_of_nobody(scenario, tree, warnings)


def _asked(scenario: Scenario, tree: Mapping) -> Iterator[tuple[str, MappingABC[str, Any], Place]]:
    """Every check that claims and waits use, its arguments as they stand in the file, and where that is."""
    proof = tree.entries.get("proof")
    places = {}
    for index, item in enumerate(getattr(proof.value, "items", ()) if proof is not None else ()):
        entry = item.entries.get("id") if isinstance(item, Mapping) else None
        places[getattr(entry.value, "value", None) if entry is not None else None] = index
    for claim in scenario.claims:
        if claim.id in places:
            yield claim.check, claim.raw, locate(tree, ("proof", places[claim.id], "with")).place
    for step in scenario.steps:
        if isinstance(step.arguments, model.Wait):
            for check, arguments in step.arguments.until.items():
                at = locate(tree, ("steps", step.number - 1, step.verb, "until", check)).place
                yield check, arguments if isinstance(arguments, MappingABC) else {}, at


def _names(check: str, arguments: MappingABC[str, Any]) -> Iterator[str]:
    for key in _AGENTS_OF.get(check, ()):
        given = arguments.get(key)
        for name in [given] if isinstance(given, str) else given if isinstance(given, SequenceABC) else ():
            if isinstance(name, str):
                yield name


def _submitted(scenario: Scenario) -> Iterator[MappingABC[str, Any]]:
    for step in scenario.steps:
        if isinstance(step.arguments, Submit) and step.arguments.requirement is not None:
            yield step.arguments.requirement


def _anything_may_be_said(scenario: Scenario) -> bool:
    """A published message, a command or the step of a plugin may name whatever it likes."""
    from pytest_agog.scenario.vocabulary import STEPS

    own = {word.verb for word in STEPS} - {"publish", "run"}
    return any(step.verb not in own for step in scenario.steps)


def _requirements(scenario: Scenario) -> set[str] | None:
    """The requirements that steps bring; None when others may come too, from agents and commands."""
    if _anything_may_be_said(scenario) or any(agent.run or agent.prints for agent in scenario.agents.values()):
        return None
    found: set[str] = set()
    for step in scenario.steps:
        if isinstance(step.arguments, model.Chain):
            found.add(step.arguments.feature)
        elif isinstance(step.arguments, Submit) and step.arguments.file is not None:
            found |= _ids_in(scenario.files.get(step.arguments.file))
    for one in _submitted(scenario):
        if not isinstance(one.get("id"), str):
            return None  # the orchestrator gives it one
        found.add(str(one["id"]))
    return found


def _ids_in(path: Path | None) -> set[str]:
    """Everything in a file that looks like the id of a requirement."""
    import re

    try:
        if path is None or path.stat().st_size > _LARGEST:
            return set()
        return set(re.findall(r"REQ-[A-Za-z0-9-]*[A-Za-z0-9]", path.read_text("utf-8", "replace")))
    except OSError:
        return set()


def _second_roadmap(scenario: Scenario, tree: Mapping, warnings: Problems) -> None:
    first: str | None = None
    for step in scenario.steps:
        file = step.arguments.file if isinstance(step.arguments, Submit) else None
        if file is None or not file.lower().endswith(_MARKDOWN):
            continue
        if first is not None and file != first:
            warnings.add(
                locate(tree, ("steps", step.number - 1, step.verb, "file")).place,
                f"the orchestrator keeps one roadmap, {shown(first)}; nobody reads this one",
            )
        first = first or file


def _clock_of_nobody(scenario: Scenario, tree: Mapping, warnings: Problems) -> None:
    killed: int | None = None
    for step in scenario.steps:
        arguments = step.arguments
        if isinstance(arguments, (model.Kill, model.Restart)) and arguments.component == "orchestrator":
            gone = isinstance(arguments, model.Kill) and arguments.server is None
            killed = step.position.line if gone else None
        elif isinstance(arguments, Advance) and killed is not None:
            place = locate(tree, ("steps", step.number - 1)).place
            warnings.add(
                place, f"nobody will answer: the orchestrator was killed in line {killed} and not started again"
            )
