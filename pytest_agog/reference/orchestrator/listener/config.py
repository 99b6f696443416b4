"""Tables `[agents.NAME]` and `[listener]` of `agog.toml`. [O10]"""

from __future__ import annotations

from pydantic import Field

from pytest_agog.reference.orchestrator.command_fields import CommandWords, Name, Time, Variables, Word
from pytest_agog.values import Duration, Strict


class AgentConfig(Strict):
    """How one agent is run."""

    run: CommandWords
    """The command, word by word; never through a shell. `python` and `agog` are the listener's own."""
    timeout: Time | None = None
    """What it may take at most; the stage's own timeout holds too."""
    env: Variables = Field(default_factory=dict)
    """Further variables of its environment."""
    cwd: Word | None = None
    """Where it runs, relative to the settings file; that file's folder without it."""


class ListenerConfig(Strict):
    """The host listener itself."""

    concurrency: int = Field(default=4, ge=1, le=256)
    """Agents at the same time."""
    ack_wait: Time | None = None
    """Of the consumer, when the listener creates it; the contract's 30 s without it."""
    data: Name | None = None
    """Folder for locks and for what agents print and leave, relative to the settings file. Listeners that share it take
    over from each other at once."""
    grace: Duration = 0.0
    """How long running agents may go on when the listener is told to stop."""
    lease: Time = 300.0
    """NATS away for longer than this: agents are killed, since listeners elsewhere may start them again by then."""
    keep: Time = 7 * 86_400.0
    """How long outputs are kept."""
    pass_env: list[Name] = Field(default_factory=list)
    """Variables of the listener's own environment that agents get besides PATH, HOME and the like."""
    agent_nats_url: Name | None = None
    """What agents get as NATS_URL: the agents' user and password, or another address than the listener's own. Without
    it they get the listener's address, never its user and password."""
    agent_nats_creds: Name | None = None
    """What agents get as NATS_CREDS, relative to the settings file: the agents' own, never the listener's."""
    agent_nats_nkey: Name | None = None
    """What agents get as NATS_NKEY, relative to the settings file."""
