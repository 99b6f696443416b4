"""Claims about compose files: `compose`. [X2]"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count
from pytest_agog.checks.evidence.telling import listed, short
from pytest_agog.ledger.answers import FileSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import FileProbe, Probe
from pytest_agog.stacks.judging import RULES, File, Judged, judge
from pytest_agog.stacks.model import Finding
from pytest_agog.stacks.tree import ComposeUnreadable
from pytest_agog.values import DataPath, Strict, plural

_WRITTEN: Final = "$AGENT_OUTPUT_DIR/"
_SHOWN: Final = 12


def _compose_file(path: str) -> str:
    """A file of the scenario's data root, which must exist when the scenario is read, or one that the play writes."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is no path relative to the scenario; agents write below {_WRITTEN}")
    if not path.startswith(_WRITTEN):
        return DataPath(path)
    below = posixpath.normpath(path.removeprefix(_WRITTEN))
    if below == ".." or below.startswith(("../", "/")):
        raise ValueError(f"{path!r} leaves the folder that it begins in")
    return path


def _rule(name: str) -> str:
    if name not in {rule.name for rule in RULES}:
        raise ValueError(f"there is no rule {name!r}; there are {', '.join(sorted(rule.name for rule in RULES))}")
    return name


ComposeFile = Annotated[str, StringConstraints(min_length=1), AfterValidator(_compose_file)]
RuleName = Annotated[str, AfterValidator(_rule)]
Files = Annotated[tuple[ComposeFile, ...], Field(min_length=1)]


class ComposeArguments(Strict):
    """Compose files that are judged together, and what the rules find in them. Notes are no findings."""

    files: Files | None = None
    """The files. Which is the application's stack and which the agents', their names and contents say. Relative to the
    scenario, or `$AGENT_OUTPUT_DIR/…`."""
    app: Files | None = None
    """Files of the application's stack, where names and contents do not tell."""
    agents: Files | None = None
    """Files of the agents' stack, where names and contents do not tell."""
    findings: Count | None = None
    """How many findings."""
    rules: tuple[RuleName, ...] | None = None
    """Exactly these rules find something; none with an empty list."""
    notes: tuple[RuleName, ...] | None = None
    """Exactly these rules have notes."""

    @model_validator(mode="after")
    def _something_to_judge(self) -> ComposeArguments:
        if not (self.files or self.app or self.agents):
            raise ValueError("give files, or app and agents")
        if self.findings is None and self.rules is None and self.notes is None:
            raise ValueError("give findings: n, rules: [name, …] or notes: [name, …]")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """All files, each once."""
        return tuple(dict.fromkeys((*(self.app or ()), *(self.agents or ()), *(self.files or ()))))


def judge_compose(ledger: Ledger, arguments: ComposeArguments) -> Verdict:
    """The rules find what is claimed in the files, as they were when they were looked up."""
    expected = _expected(arguments)
    texts: dict[str, str] = {}
    for path in arguments.paths:
        seen = ledger.answer(FileProbe(path).key, FileSeen)
        if seen is None or seen.payload is None:
            why = short(seen.reason) if seen is not None and seen.reason else "it is not there"
            return nothing_to_judge(expected, f"{short(path)} was not read: {why}")
        texts[path] = ledger.payloads[seen.payload].decode("utf-8", "replace")

    def files(paths: Sequence[str] | None) -> list[File]:
        return [(path, texts[path]) for path in dict.fromkeys(paths or ())]

    try:
        judged = judge(files(arguments.files), app=files(arguments.app), agents=files(arguments.agents))
    except ComposeUnreadable as error:
        return nothing_to_judge(expected, str(error))
    problems = _problems(judged, arguments)
    count = plural(len(judged.findings), "finding")
    found = f"{count}: {listed(judged.rules, _SHOWN)}" if judged.findings else "no findings"
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join([*problems, found]),
        evidence=[_evidence(one) for one in (*judged.findings, *judged.notes)[:_SHOWN]]
        or [Evidence("file", None, f"{listed([short(path) for path in arguments.paths])}: no findings and no notes")],
    )


def _problems(judged: Judged, arguments: ComposeArguments) -> list[str]:
    problems = []
    if arguments.findings is not None and not arguments.findings.holds(len(judged.findings)):
        problems.append(f"{len(judged.findings)}, not {arguments.findings}")
    pairs = (
        (arguments.rules, set(judged.rules), "finds"),
        (arguments.notes, {one.rule for one in judged.notes}, "notes"),
    )
    for wanted, found, verb in pairs:
        if wanted is None:
            continue
        if missing := sorted(set(wanted) - found):
            problems.append(f"{listed(missing)} {verb} nothing")
        if further := sorted(found - set(wanted)):
            problems.append(f"{listed(further)} {verb} something, too")
    return problems


def _evidence(one: Finding) -> Evidence:
    details = {"file": one.file, "line": one.line, "rule": one.rule, "severity": one.severity}
    return Evidence("file", None, short(one.one_line, 400), details=details)


def _expected(arguments: ComposeArguments) -> str:
    parts = []
    if arguments.findings is not None:
        parts.append(f"findings: {arguments.findings}")
    if arguments.rules is not None:
        parts.append(f"findings of {listed(sorted(set(arguments.rules)), _SHOWN, 'no rule')}")
    if arguments.notes is not None:
        parts.append(f"notes of {listed(sorted(set(arguments.notes)), _SHOWN, 'no rule')}")
    return f"{listed([short(path) for path in arguments.paths])} with {' and '.join(parts)}"


def _probes(arguments: ComposeArguments) -> Sequence[Probe]:
    return tuple(FileProbe(path) for path in arguments.paths)


def _vacuous(arguments: ComposeArguments) -> str | None:
    bound = arguments.findings
    if arguments.rules is None and arguments.notes is None and bound is not None and bound.at_least == 0:
        return "there are always 0 findings or more"
    return None


CHECKS: Final = (
    Check(
        name="compose",
        claims="Compose files keep the rules of two stacks, or break exactly these.",
        arguments=ComposeArguments,
        judge=judge_compose,
        example="""- id: stacks-are-sound
  claim: The application and the agents stand apart, and both start
  check: compose
  with: {files: [compose/app.yaml, compose/agents.yaml], findings: 0}""",
        probes=_probes,
        growth_can_break=lambda arguments: any(path.startswith(_WRITTEN) for path in arguments.paths),
        vacuous=_vacuous,
        kills=("compose.healthcheck-without-its-tool", "compose.application-needs-agents"),
    ),
)  # fmt: skip
