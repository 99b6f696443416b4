"""Tables `[agents.NAME]` and `[listener]` of `agog.toml`. [O10]"""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from pytest_agog.values import Duration, Strict

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("a NUL character cannot stand in a command or its environment")
    return value


Word = Annotated[str, AfterValidator(_without_nul)]
Program = Annotated[str, StringConstraints(min_length=1), AfterValidator(_without_nul)]


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("expected a duration above 0")
    return seconds


Time = Annotated[Duration, AfterValidator(_positive)]


class AgentConfig(Strict):
    """How one agent is run."""

    run: list[Word] = Field(min_length=1)
    """The command, word by word; never through a shell. `python` and `agog` are the listener's own."""
    timeout: Time | None = None
    """What it may take at most; the stage's own timeout holds too."""
    env: dict[str, Word] = Field(default_factory=dict)
    """Further variables of its environment."""
    cwd: Word | None = None
    """Where it runs, relative to the settings file; that file's folder without it."""

    @field_validator("run")
    @classmethod
    def _has_a_program(cls, words: list[str]) -> list[str]:
        if not words[0].strip():
            raise ValueError("the first word is the program; it is empty")
        return words

    @field_validator("env")
    @classmethod
    def _names(cls, variables: dict[str, str]) -> dict[str, str]:
        for name in variables:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name[:40]!r} cannot name a variable of the environment")
        return variables


class ListenerConfig(Strict):
    """The host listener itself."""

    concurrency: int = Field(default=4, ge=1, le=256)
    """Agents at the same time."""
    ack_wait: Time | None = None
    """Of the consumer, when the listener creates it; the contract's 30 s without it."""
    data: Program | None = None
    """Folder for locks and for what agents print and leave, relative to the settings file. Listeners that share it take
    over from each other at once."""
    grace: Duration = 0.0
    """How long running agents may go on when the listener is told to stop."""
    lease: Time = 300.0
    """NATS away for longer than this: agents are killed, since listeners elsewhere may start them again by then."""
    keep: Time = 7 * 86_400.0
    """How long outputs are kept."""
    pass_env: list[Program] = Field(default_factory=list)
    """Variables of the listener's own environment that agents get besides PATH, HOME and the like."""
    agent_nats_url: Program | None = None
    """What agents get as NATS_URL: the agents' user and password, or another address than the listener's own. Without
    it they get the listener's address, never its user and password."""
    agent_nats_creds: Program | None = None
    """What agents get as NATS_CREDS, relative to the settings file: the agents' own, never the listener's."""
    agent_nats_nkey: Program | None = None
    """What agents get as NATS_NKEY, relative to the settings file."""
