"""The steps that agent comms brings: readers of its events and pages, backfill, and links that are cut."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pytest_agog.scenario.model import Name
from pytest_agog.values import DataFolder, Duration, Strict


class EventSelector(Strict):
    """Which events a reader gets: those of one run, of one workflow, or of the global channel."""

    run_id: str | None = Field(default=None, alias="runId")
    """A run."""
    workflow_uid: str | None = Field(default=None, alias="workflowUid")
    """A workflow."""
    workflow_namespace: str | None = Field(default=None, alias="workflowNamespace")
    """Its namespace."""
    channel: Literal["general"] | None = None
    """The global channel."""
    limit: int | None = Field(default=None, ge=1, le=10_000)
    """The newest n of the history."""
    since: str | None = None
    """Only what is not older than this time (RFC 3339)."""
    last_event_id: int | None = Field(default=None, alias="lastEventId", ge=0)
    """Resume after this event."""
    drop_after: int | None = Field(default=None, ge=1)
    """The reader drops its connection after every n events, and resumes with `Last-Event-ID`."""

    @model_validator(mode="after")
    def _one_selector(self) -> EventSelector:
        given = [key for key in (self.run_id, self.workflow_uid, self.channel) if key is not None]
        if len(given) != 1:
            raise ValueError("give one of runId, workflowUid and channel")
        if self.workflow_namespace is not None and self.workflow_uid is None:
            raise ValueError("workflowNamespace belongs to workflowUid")
        return self


class Open(Strict):
    """Open a reader that stays until the end of the play: of server-sent events, or a page in a browser."""

    sse: EventSelector | None = None
    """Read the target's events; what is lost in between is asked for again, as browsers do."""
    page: str | None = Field(default=None, pattern=r"^/")
    """Look at this path in a real browser."""
    as_: Name = Field(alias="as")
    """The reader's name in the checks `sse` and `page`."""
    instance: int = Field(default=1, ge=1, le=4)
    """Which instance of comms it asks."""

    @model_validator(mode="after")
    def _one_kind(self) -> Open:
        if (self.sse is None) == (self.page is None):
            raise ValueError("give one of sse and page")
        return self


class Backfill(Strict):
    """Store the messages of a run that are missing, out of the files that its agent left behind."""

    dir: DataFolder
    """The folder with `.codex-implementation-events.jsonl` or `.codex-implementation-agent.log`."""
    run_id: str | None = None
    """The run."""
    workflow_uid: str | None = None
    """Its workflow's uid."""
    workflow_name: str | None = None
    """Its workflow's name."""
    workflow_namespace: str | None = None
    """Its workflow's namespace."""
    agent_id: str | None = None
    """The agent that spoke."""
    expect_exit: int = 0
    """The exit status that makes the step pass."""


class Cut(Strict):
    """Cut a network link: nothing passes, and connections over it are reset. The play goes on at once."""

    link: Literal["comms-nats", "comms-postgres", "reader-comms"]
    """Between which two."""
    for_: Duration | None = Field(default=None, alias="for")
    """It heals after this long; without it, when `heal` is played or the play ends."""
    heal: bool = False
    """Heal the link instead of cutting it."""

    @model_validator(mode="after")
    def _either(self) -> Cut:
        if self.heal and self.for_ is not None:
            raise ValueError("`for` belongs to a cut, not to healing")
        return self
