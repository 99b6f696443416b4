"""What a spawn of an agent is about: the work that it is asked to do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import to_json

from pytest_agog.wire import notices, subjects


@dataclass(frozen=True)
class Input:
    """An earlier deliverable, as an agent is told of it."""

    agent: str
    task: str
    url: str

    def as_json(self) -> dict[str, str]:
        """The form in `AGOG_INPUTS` and on stdin."""
        return {"agent": self.agent, "task": self.task, "url": self.url}


@dataclass(frozen=True)
class Work:
    """What one spawn of an agent is asked to do."""

    chain: int
    """Number of the step that holds the chain."""
    agent: str
    task: str
    feature: str
    attempt: int
    """From 1, within its turn."""
    nats_url: str
    output_folder: str
    fetches: tuple[str, ...] = ()
    """What a scripted agent reads."""
    inputs: tuple[Input, ...] = ()

    @property
    def subject(self) -> str:
        """Where its deliverable belongs."""
        return subjects.deliverable(self.agent, self.task, self.feature)

    def prompt(self) -> bytes:
        """What the agent is started with: one JSON object on its stdin, which says what its environment says.

        URLs of earlier reports stand in it, never their text.
        """
        return to_json(
            {
                "agent": self.agent,
                "task": self.task,
                "feature": self.feature,
                "requirement": self.feature,
                "subject": self.subject,
                "inputs": [entry.as_json() for entry in self.inputs],
                "nats_url": self.nats_url,
                "output_dir": self.output_folder,
            }
        )

    def environment(self) -> dict[str, str]:
        """The same as environment variables. In a chain the requirement is the feature."""
        return {
            "NATS_URL": self.nats_url,
            "AGENT_OUTPUT_DIR": self.output_folder,
            "AGOG_AGENT": self.agent,
            "AGOG_TASK": self.task,
            "AGOG_FEATURE": self.feature,
            "AGOG_REQUIREMENT": self.feature,
            "AGOG_SUBJECT": self.subject,
            "AGOG_INPUTS": to_json([entry.as_json() for entry in self.inputs]).decode(),
        }


@dataclass(frozen=True)
class Ran:
    """What came of a spawn: its standard output, and why it failed if it did."""

    output: str
    reason: str = ""
    """Empty when it ended well."""
    detail: str = ""
    """The end of what it printed, for people."""


def parse_notice(work: Work, ran: Ran) -> notices.Parsed:
    """The completion notice in what an agent printed.

    Raises:
        NoticeMissing: there is none; the message says why.
    """
    return notices.parse_output(ran.output, agent=work.agent, requirement=work.feature)
