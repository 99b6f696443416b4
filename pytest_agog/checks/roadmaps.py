"""Claims about a roadmap that the orchestrator keeps: `roadmap`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.evidence import roadmap_text
from pytest_agog.checks.evidence.orchestrated import revisions_of
from pytest_agog.checks.evidence.roadmap_text import STATUS, Roadmap
from pytest_agog.checks.evidence.telling import close_names, excerpt, listed, short
from pytest_agog.checks.requirements import RequirementId
from pytest_agog.ledger.answers import FileSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import FileProbe
from pytest_agog.values import DataFile, Strict

KEPT_IN: Final = "$AGENT_OUTPUT_DIR/roadmap/"
"""Where the step `submit` puts the copy that the orchestrator reads and writes."""
_HELD: Final = frozenset({"BLOCKED", "ESCALATED"})


class RoadmapArguments(Strict):
    """An entry of a roadmap, and what became of it."""

    file: DataFile
    """The roadmap, as a `submit` step names it. What is looked at is the copy that the orchestrator keeps."""
    id: RequirementId
    """The entry."""
    status: Annotated[str, StringConstraints(min_length=1)]
    """Its status, as the file writes it."""
    rest_unchanged: Literal[True] | None = None
    """Byte for byte nothing else differs from the scenario's file: not the text, not line endings, not the status of an
    entry that nobody worked on. What may differ: statuses of requirements that have a state in `agog_state`, and
    `Blockers` of those that were blocked or escalated."""

    @property
    def probes(self) -> tuple[FileProbe, FileProbe]:
        """The file as it was, and as it is."""
        return FileProbe(self.file), FileProbe(KEPT_IN + PurePosixPath(self.file).name)


def judge_roadmap(ledger: Ledger, arguments: RoadmapArguments) -> Verdict:
    """The entry's status in the orchestrator's copy, and the rest of the copy against the file."""
    expected = f"{arguments.id} in {short(arguments.file)} has the status {short(arguments.status)!r}"
    expected += ", and nothing else differs" if arguments.rest_unchanged else ""
    texts: list[bytes] = []
    for probe, what in zip(arguments.probes, ("the file", "the orchestrator's copy of it"), strict=True):
        seen = ledger.answer(probe.key, FileSeen)
        if seen is None or seen.payload is None:
            why = f": {short(seen.reason)}" if seen is not None and seen.reason else ""
            hint = "" if what == "the file" else f"`submit: {{file: {arguments.file}}}` makes it"
            return nothing_to_judge(expected, f"{what} is not there{why}", nearest=hint)
        texts.append(ledger.payloads[seen.payload])
    before, after = map(roadmap_text.read, texts)
    entry = after.entries.get(arguments.id)
    if entry is None:
        near = close_names(arguments.id, after.entries)
        hint = f"did you mean {listed(near)}?" if near else f"entries are there for {listed(after.entries)}"
        lost = "there is no such entry any more" if arguments.id in before.entries else "there is no such entry"
        return failed(expected=expected, observed=lost, nearest=hint, evidence=[_told(after, 0, "it begins")])
    problems, evidence, near_miss = _status(arguments, after)
    if arguments.rest_unchanged:
        wrong, shown = _rest(ledger, arguments, before, after)
        problems += wrong
        evidence += shown
    told = f"{arguments.id} has the status {short(arguments.status)!r}"
    told += "; the rest is as it was" if arguments.rest_unchanged else ""
    return verdict(
        not problems, expected=expected, observed="; ".join(problems) or told, evidence=evidence, nearest=near_miss
    )


def _status(arguments: RoadmapArguments, after: Roadmap) -> tuple[list[str], list[Evidence], str]:
    entry = after.entries[arguments.id]
    found = entry.fields.get(STATUS)
    if found is None:
        return [f"{arguments.id} has no status"], [_told(after, entry.first, "the entry")], ""
    evidence = [_told(after, found.line, "its status")]
    if found.value == arguments.status:
        return [], evidence, ""
    near = "only case differs" if found.value.casefold() == arguments.status.casefold() else ""
    return [f"{arguments.id} has the status {short(found.value)!r}"], evidence, near


def _rest(
    ledger: Ledger, arguments: RoadmapArguments, before: Roadmap, after: Roadmap
) -> tuple[list[str], list[Evidence]]:
    def may_change(identity: str, field: str) -> bool:
        states = {revision.state for revision in revisions_of(ledger, identity)}
        if field == STATUS:
            return identity == arguments.id or bool(states)
        return bool(states & _HELD)

    found = roadmap_text.difference(before, after, may_change)
    if found is None:
        return [], []
    said = f"line {found.line} is {_shown(found.after)} and was {_shown(found.before)}"
    body = excerpt(f"- {found.before.strip()}\n+ {found.after.strip()}")
    return [said], [Evidence("file", None, f"the first difference, at line {found.line}", body)]


def _shown(line: str) -> str:
    """A line with its ending written out, so that a difference of endings is seen."""
    return f"“{short(line.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace'), 80)}”" if line else "not there"


def _told(roadmap: Roadmap, line: int, what: str) -> Evidence:
    lines = [text.strip("\r\n") for text in roadmap.lines[line : line + 3]]
    body = excerpt("\n".join(lines).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return Evidence("file", None, f"{what}, at line {line + 1}", body, {"line": line + 1})


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "roadmap",
        "An entry of the roadmap has a status, and the orchestrator changed nothing else in the file.",
        RoadmapArguments,
        judge_roadmap,
        "- id: roadmap-kept\n"
        "  claim: The roadmap says Complete, and not a byte else differs\n"
        "  check: roadmap\n"
        "  with: {file: plans/roadmap.md, id: REQ-042, status: Complete, rest_unchanged: true}\n"
        "  within: 5s",
        probes=lambda arguments: arguments.probes,
        growth_can_break=lambda _: True,
        kills=("orchestrator.rewrite-roadmap",),
    ),
)
