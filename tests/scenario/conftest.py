"""A small vocabulary, so that reading scenarios is tested apart from the checks that ship, and files to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field

from pytest_agog.scenario.load import load
from pytest_agog.scenario.model import TokenClaim
from pytest_agog.scenario.problems import ScenarioErrors
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.scenario.vocabulary import STEPS, Vocabulary
from pytest_agog.values import Bound, DataFile, Size, Strict, Where


class MessageArguments(Strict):
    """Arguments of the fake `message`."""

    subject: str
    """Which messages."""
    where: Where = Field(default_factory=dict)
    """What they hold."""
    count: Bound | None = None
    """How many."""


class NeverArguments(Strict):
    """Arguments of the fake `never`."""

    subject: str
    where: Where = Field(default_factory=dict)


class DeliverableArguments(Strict):
    """Arguments of the fake `deliverable`."""

    agent: str
    type: str
    feature: str
    equals: DataFile | None = None
    tokens: Bound | None = None


class StreamArguments(Strict):
    """Arguments of the fake `stream`."""

    name: str
    subjects: tuple[str, ...] | None = None
    storage: Literal["file", "memory"] | None = None
    max_bytes: Size | None = None
    sealed: bool = False


class ProcessArguments(Strict):
    """Arguments of the fake `process`."""

    name: str


@dataclass(frozen=True)
class Word:
    """A check as the reader knows it."""

    name: str
    arguments: type[Strict]
    claims: str = "Something holds"
    example: str = "- {id: a, claim: b, check: c}"
    kills: Sequence[str] = ()
    growth_can_break: Callable[[Any], bool] = field(default=lambda _: False)
    holds_of_nothing: Callable[[Any], bool] = field(default=lambda _: False)
    vacuous: Callable[[Any], str | None] = field(default=lambda _: None)


@pytest.fixture(scope="session")
def words() -> Vocabulary:
    """Eight checks, all steps, the agents cynthia, sylvia and roy, one fault."""
    checks = [
        Word(
            "message",
            MessageArguments,
            claims="A message came",
            example="- id: a\n  claim: b\n  check: message\n  with: {subject: results.>}",
            kills=("comms.lose",),
            growth_can_break=lambda a: a.count is not None and a.count.has_upper_limit,
            holds_of_nothing=lambda a: a.count is not None and a.count.holds(0),
            vacuous=lambda a: "zero or more is always true" if a.count is not None and a.count.cannot_fail else None,
        ),
        Word("never", NeverArguments, growth_can_break=lambda _: True, holds_of_nothing=lambda _: True),
        Word("deliverable", DeliverableArguments),
        Word("stream", StreamArguments),
        Word("process", ProcessArguments),
        *(Word(f"tokens.{name}", TokenClaim) for name in ("spawn_savings", "net_savings", "notice")),
    ]
    return Vocabulary(
        checks={check.name: check for check in checks},
        steps={step.verb: step for step in STEPS},
        agents=frozenset({"cynthia", "sylvia", "roy"}),
        faults=frozenset({"comms.lose"}),
    )


class Desk:
    """A folder to write scenarios in and to read them from."""

    def __init__(self, folder: Path, words: Vocabulary) -> None:
        self.folder = folder
        self.words = words

    def write(self, text: str | bytes, name: str = "s.yaml") -> Path:
        """A file; folders in its name are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, text: str | bytes, **more: Any) -> list[Scenario]:
        """The scenarios in `text`."""
        return load(self.write(text), self.words, **more)

    def one(self, text: str, **more: Any) -> Scenario:
        """The only scenario in `text`."""
        (scenario,) = self.load(text, **more)
        return scenario

    def wrong(self, text: str | bytes, **more: Any) -> list[str]:
        """What is wrong with `text`, as `line:column: message`; the file's name is left off, that of others is not."""
        with pytest.raises(ScenarioErrors) as caught:
            self.load(text, **more)
        return [
            f"{'' if p.file.name == 's.yaml' else p.file.name + ':'}{p.line}:{p.column}: {p.message}"
            for p in caught.value.problems
        ]

    def wrong_at(self, marked: str) -> list[str]:
        """The messages about `marked`, in which a » stands before every place that one of them must point at."""
        text = marked.replace("»", "")
        places = []
        for number, line in enumerate(marked.split("\n"), start=1):
            parts = line.split("»")
            places += [(number, len("".join(parts[:index])) + 1) for index in range(1, len(parts))]
        with pytest.raises(ScenarioErrors) as caught:
            self.load(text)
        problems = caught.value.problems
        assert [(problem.line, problem.column) for problem in problems] == places
        return [problem.message for problem in problems]


@pytest.fixture
def desk(tmp_path: Path, words: Vocabulary) -> Desk:
    """An empty folder with the small vocabulary."""
    return Desk(tmp_path, words)
