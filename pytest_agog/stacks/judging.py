"""All rules on all files: the one entrance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agog.stacks.layering import stacks
from pytest_agog.stacks.model import Finding, Stack
from pytest_agog.stacks.rules import clashes, forms, health, isolation, messaging, mounts, secrets
from pytest_agog.stacks.rules.base import Rule

RULES: Final[tuple[Rule, ...]] = (
    *isolation.RULES, *health.RULES, *secrets.RULES, *clashes.RULES, *mounts.RULES, *messaging.RULES,
    *forms.RULES,
)  # fmt: skip
"""Every rule, in the order in which people read about them."""
_WHOSE: Final = re.compile(r"^service \S+")
"""Services that share a part by an anchor break a rule together, in one line, once."""
File = tuple[str, str]
"""A name, as it is shown, and the text."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the rules say of some files."""

    stacks: tuple[Stack, ...]
    findings: tuple[Finding, ...]
    """What is wrong, by file and line."""
    notes: tuple[Finding, ...]
    """What is worth knowing, and nobody's fault."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that found something, in alphabetical order."""
        return tuple(sorted({one.rule for one in self.findings}))


def judge(files: Sequence[File], *, app: Sequence[File] = (), agents: Sequence[File] = ()) -> Judged:
    """[X2] Judge compose files. Pure: names and texts in, findings out.

    `files` are stacks of their own, unless one overrides another; those of `app` are the application's, those of
    `agents` the agents', each read on top of the other. Which of `files` is which, their names and contents say.

    Raises:
        ComposeUnreadable: one of them is no compose file.
    """
    found = stacks(files, app, agents)
    order = {name: at for at, (name, _) in enumerate((*app, *agents, *files))}
    said = sorted(
        {finding for rule in RULES for finding in rule.findings(found)},
        key=lambda one: (order.get(one.file, 0), one.line, one.rule, one.text),
    )
    said = list(
        {(one.file, one.line, one.rule, _WHOSE.sub("", one.text, count=1)): one for one in reversed(said)}.values()
    )[::-1]
    return Judged(
        tuple(found),
        tuple(one for one in said if one.severity == "finding"),
        tuple(one for one in said if one.severity == "note"),
    )
