"""What a rule is: a name that stays, a reason, and a pure function from stacks to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_agog.stacks.interpolation import shown
from pytest_agog.stacks.model import Finding, Said, Severity, Stack


@dataclass(frozen=True, slots=True)
class Remark:
    """What a rule says of one place, before its name is added."""

    file: str
    line: int
    text: str
    remedy: str
    severity: Severity = "finding"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of [X2]."""

    name: str
    reason: str
    """Why it is one: what goes wrong otherwise. One sentence."""
    judge: Callable[[list[Stack]], Iterator[Remark]]

    def findings(self, stacks: list[Stack]) -> Iterator[Finding]:
        """What it finds in these stacks, which are meant to run side by side."""
        for one in self.judge(stacks):
            yield Finding(one.file, one.line, self.name, one.severity, shown(one.text), shown(one.remedy))


def at(place: Said, text: str, remedy: str, severity: Severity = "finding") -> Remark:
    """A remark on `place`."""
    return Remark(place.file, place.line, text, remedy, severity)


def each(judge: Callable[[Stack], Iterator[Remark]]) -> Callable[[list[Stack]], Iterator[Remark]]:
    """A rule that looks at one stack at a time."""

    def judge_all(stacks: list[Stack]) -> Iterator[Remark]:
        for stack in stacks:
            yield from judge(stack)

    return judge_all
