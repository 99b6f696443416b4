"""The parts of a scenario: agents, steps and claims, each validated by its own model and rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pytest_agog.scenario import comms_steps, model, rules, shape
from pytest_agog.scenario.data_files import DataRoots
from pytest_agog.scenario.limits import check_limits
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Entry, Mapping, Node, Scalar, Sequence, locate, plain
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.scenario import Claim, Step
from pytest_agog.scenario.shape import Named
from pytest_agog.scenario.vocabulary import Vocabulary
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.values import Bound, Strict

_TOKEN_CLAIMS: Final = {
    "spawn_savings": "Handing over by URL saves {share} of the tokens that inline reports would cost",
    "net_savings": "Handing over by URL still saves {share} of the tokens when what agents fetch is counted",
    "notice": "The largest completion notice has {bound} tokens",
}


class Parts:
    """Reads the parts of one run. What is wrong is noted; what is right comes back even beside what is wrong."""

    def __init__(self, tree: Mapping, vocabulary: Vocabulary, roots: DataRoots, problems: Problems) -> None:
        self.files: dict[str, Path] = {}
        """Data files that the parts name, as written, to where they are."""
        self._tree = tree
        self._vocabulary = vocabulary
        self._roots = roots
        self._problems = problems
        declared = self._section("agents")
        self._agents = vocabulary.agents | (declared.entries.keys() if isinstance(declared, Mapping) else set())
        services = self._section("services")
        rules.check_tags(self._section("tags"), problems)
        self._services = shape.quietly(model.Services, plain(services) if services is not None else {})

    def _section(self, key: str) -> Node | None:
        entry = self._tree.entries.get(key)
        return entry.value if entry is not None else None

    def agents(self) -> dict[str, model.Agent]:
        """The agents that are declared."""
        section = self._section("agents")
        agents: dict[str, model.Agent] = {}
        for name, entry in section.entries.items() if isinstance(section, Mapping) else ():
            agent = shape.validate(model.Agent, plain(entry.value), entry.value, self._problems)
            if agent is not None:
                rules.check_agent(agent, entry.value, self._problems)
                self._texts(agent, entry.value)
                agents[name] = agent
        return agents

    def steps(self) -> tuple[Step, ...]:
        """What happens, in order."""
        section = self._section("steps")
        steps: list[Step] = []
        for number, node in enumerate(section.items if isinstance(section, Sequence) else (), start=1):
            if not isinstance(node, Mapping):
                continue  # the model says so
            if len(node.entries) != 1:
                place = list(node.entries.values())[1].key if node.entries else node.place
                self._problems.add(place, "a step has one key, its verb", "begin each step with `- `")
            for verb, entry in node.entries.items():
                arguments = self._step(verb, entry)
                if arguments is not None:
                    steps.append(Step(number, verb, arguments, entry.key.position))
        return tuple(steps)

    def _step(self, verb: str, entry: Entry) -> Strict | None:
        word = self._vocabulary.steps.get(verb)
        if word is None:
            known = self._vocabulary.steps
            self._problems.add(
                entry.key, f"unknown step {shown(verb)}{did_you_mean(verb, known)}", f"allowed: {listed(known)}"
            )
            return None
        node = entry.value
        if word.arguments is model.Chain:
            rules.check_chain(node, frozenset(self._agents), self._problems)
        elif word.arguments is model.Wait and isinstance(node, Mapping) and "until" in node.entries:
            self._until(node.entries["until"].value)
        arguments = shape.validate(word.arguments, plain(node), node, self._problems, Named(f"step {verb}", entry.key))
        if arguments is None:
            return None
        self._texts(arguments, node)
        if isinstance(arguments, model.Publish):
            rules.check_publish(arguments, node, self._problems)
        elif isinstance(arguments, (model.Kill, model.Restart)):
            rules.check_server(arguments, node, self._services, self._problems)
        elif isinstance(arguments, comms_steps.Open):
            rules.check_instance(arguments.instance, locate(node, ("instance",)).place, self._services, self._problems)
        return arguments

    def _until(self, node: Node) -> None:
        for name, entry in node.entries.items() if isinstance(node, Mapping) else ():
            self._arguments(name, entry.key, entry.value)

    def claims(self) -> Iterator[Claim]:
        """The checklist."""
        section = self._section("proof")
        rules.check_ids(section, self._problems)
        for node in section.items if isinstance(section, Sequence) else ():
            if isinstance(node, Mapping) and (claim := self._claim(node)) is not None:
                yield claim

    def _claim(self, node: Mapping) -> Claim | None:
        check = node.entries.get("check")
        if check is None or not isinstance(check.value, Scalar) or not isinstance(check.value.value, str):
            return None  # the model says so
        given = node.entries.get("with")
        arguments = self._arguments(
            check.value.value,
            check.value.place,
            Mapping(check.value.place, {}) if given is None else given.value,
            None if given is None else given.key,
        )
        entry = shape.quietly(model.ProofEntry, plain(node))
        if arguments is None or entry is None:
            return None
        return Claim(
            entry.id,
            entry.claim,
            entry.check,
            arguments,
            node.place.position,
            entry.within,
            entry.holds_for,
            entry.kills,
            entry.with_,
        )

    def _arguments(self, check: str, named: Place, node: Node, at: Place | None = None) -> Strict | None:
        """The arguments of `check`, which is named at `named`; what is wrong with all of them stands at `at`."""
        word = self._vocabulary.checks.get(check)
        if word is None:
            known = self._vocabulary.checks
            if not self._problems.is_spoilt(named):
                self._problems.add(
                    named, f"unknown check {shown(check)}{did_you_mean(check, known)}", f"allowed: {listed(known)}"
                )
            return None
        arguments = shape.validate(
            word.arguments, plain(node), node, self._problems, Named(f"check {check}", at or named)
        )
        if arguments is not None:
            self._texts(arguments, node)
        return arguments

    def token_claims(self) -> Iterator[Claim]:
        """The `tokens:` entries, as claims of the token checks."""
        section = self._section("tokens")
        for key, words in _TOKEN_CLAIMS.items():
            entry = section.entries.get(key) if isinstance(section, Mapping) else None
            if entry is None or plain(entry.value) is None:
                continue
            bound = shape.quietly(model.TokenClaim, {"value": plain(entry.value)})
            word = self._vocabulary.checks.get(f"tokens.{key}")
            if bound is None:
                continue  # the model says so
            kind: type[Strict] = model.TokenClaim if word is None else word.arguments
            data: dict[str, Any] = {"value": plain(entry.value)}
            holder = Mapping(entry.key, {"value": entry})
            arguments = shape.validate(kind, data, holder, self._problems)
            if arguments is not None:
                check_limits(arguments, holder, self._problems)
                claim = words.format(share=_as_shares(bound.value), bound=bound.value)
                position = Place(entry.key.source, entry.key.start, entry.value.place.end).position
                yield Claim(f"tokens.{key}", claim, f"tokens.{key}", arguments, position, raw=data)

    def _texts(self, part: Strict, node: Node) -> None:
        rules.check_texts(part, node, self._roots, self.files, self._problems)
        check_limits(part, node, self._problems)


def _as_shares(bound: Bound) -> str:
    """A bound of fractions in percent."""
    parts = []
    if bound.equals is not None:
        parts.append(f"exactly {bound.equals * 100:.4g} %")
    if bound.at_least is not None:
        parts.append(f"at least {bound.at_least * 100:.4g} %")
    if bound.at_most is not None:
        parts.append(f"at most {bound.at_most * 100:.4g} %")
    if bound.between is not None:
        parts.append(f"between {bound.between[0] * 100:.4g} % and {bound.between[1] * 100:.4g} %")
    return ", ".join(parts)
