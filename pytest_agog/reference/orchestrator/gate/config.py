"""Table `[gate]` of `agog.toml`: what work has to pass before it is accepted. [O12]"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from pytest_agog.errors import BadInput
from pytest_agog.masking import mask
from pytest_agog.reference.orchestrator.command_fields import CommandWords, Name, Time, Variables
from pytest_agog.values import Strict

Proof = Literal["build", "tests", "use", "results", "errors"]
"""What can be proven: it builds; automated tests ran and passed; it was really used; results were verified; error cases
were tested."""
PROOFS: Final[tuple[Proof, ...]] = get_args(Proof)
Lane = Literal[
    "backend", "frontend", "database", "documentation", "devops", "review", "release", "research", "critique", "qa",
    "statistics", "performance", "security",
]  # fmt: skip
LANES: Final[tuple[str, ...]] = get_args(Lane)
TESTED: Final = frozenset({"backend", "frontend", "database", "devops"})
"""Lanes whose work has to be proven by tests unless `requires` says otherwise. Documentation has none of its own."""
DEFAULT_TIMEOUT: Final = 1800.0


def _compiles(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if groups < 1:
        raise ValueError(f"{pattern!r} has no group; put one around the number of tests that passed")
    return pattern


class Command(Strict):
    """One command that the gate runs."""

    name: Name
    """What it is called in verdicts."""
    run: CommandWords
    """The command, word by word; never through a shell. `python` and `agog` are the gate's own; the Python of another
    environment is named by its path."""
    cwd: Name = "."
    """Where it runs, relative to the settings file's folder."""
    timeout: Time = DEFAULT_TIMEOUT
    """After this long it is killed, with everything that it started."""
    env: Variables = Field(default_factory=dict)
    """Further variables of its environment."""
    proves: list[Proof] = Field(default_factory=list)
    """What is proven when it passes. One that proves `tests` must show how many ran."""
    lanes: list[Lane] | None = Field(default=None, min_length=1)
    """The lanes whose work it is run for; all without it."""
    tests_pattern: Annotated[str, AfterValidator(_compiles)] | None = None
    """Where its output says how many tests passed, if the gate does not understand it: group `passed`, or the first;
    groups `failed` and `skipped` where there are some."""
    report: Name | None = None
    """A JUnit XML file that it writes, relative to `cwd`; tests are then counted there and not in the output."""

    def is_for(self, lane: str | None) -> bool:
        """Whether it is run for work of `lane`; without a lane, every command is."""
        return lane is None or self.lanes is None or lane in self.lanes


class GateConfig(Strict):
    """What work has to pass. Without commands only its deliverable is looked at."""

    commands: list[Command] = Field(default_factory=list, max_length=64)
    """Run in this order; the first that fails ends the run."""
    requires: list[Proof] | None = None
    """What must be proven. `tests` and `build` only by a command; the rest by a command or with evidence in the report.
    Without it: tests, in the lanes that implement something."""
    protected: list[Name] = Field(default_factory=list)
    """Files that agents must not change, as globs from the settings file's folder: `*`, `?`, `**`. The settings file
    and scripts that commands name always belong to them."""
    deliverable: bool = True
    """Whether the report that the notice names has to be there, whole."""
    pass_env: list[Name] = Field(default_factory=list)
    """Variables of the orchestrator's own environment that commands get besides PATH, HOME and the like."""

    @model_validator(mode="after")
    def _can_be_passed(self) -> Self:
        names = [command.name for command in self.commands]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two commands are called {name[:80]!r}")
        if self.requires is None and not self.commands:
            return self
        for proof in ("tests", "build"):
            needed = proof in self.requires if self.requires is not None else proof == "tests"
            if needed and not any(proof in command.proves for command in self.commands):
                raise ValueError(
                    f'no command proves {proof}, so nothing could ever be accepted: give one with proves = ["{proof}"]'
                    f", or leave {proof} out of requires"
                )
        return self

    def required(self, lane: str | None) -> tuple[Proof, ...]:
        """What work of `lane` has to prove."""
        if self.requires is not None:
            return tuple(proof for proof in PROOFS if proof in self.requires)
        return ("tests",) if self.commands and (lane is None or lane in TESTED) else ()

    def commands_for(self, lane: str | None) -> tuple[Command, ...]:
        """The commands that are run for work of `lane`, in order."""
        return tuple(command for command in self.commands if command.is_for(lane))


def load(path: Path) -> GateConfig:
    """Table `[gate]` of a settings file; the other tables are not looked at.

    Raises:
        BadInput: it cannot be read, has no such table, or a wrong one; `file: gate.key: message`, the first fault.
    """
    try:
        with path.open("rb") as file:
            table: Any = tomllib.load(file).get("gate")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}. Give the settings file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: no TOML: {mask(str(error))}") from None
    if table is None:
        raise BadInput(f"{path}: there is no table [gate]. Say there what work has to pass.")
    try:
        return GateConfig.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(["gate", *map(str, first["loc"])])
        raise BadInput(f"{path}: {where}: {mask(first['msg'])}") from None
