"""What the gate judges, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pytest_agog.wire.notices import Notice
from pytest_agog.wire.orchestration import CommandRun

_MOST_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class GateWork:
    """One attempt's work."""

    requirement: str
    stage: str
    agent: str
    attempt: int
    lane: str | None
    """Of the stage, which decides what is run; all commands are without one."""
    notice: Notice | None = None
    report: str | None = None
    """What the agent reports; without it, what the notice's deliverable says."""
    acceptance: tuple[str, ...] = ()
    """Acceptance criteria of the requirement."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says."""

    accepted: bool
    commands: tuple[CommandRun, ...] = ()
    """What was run, in order. Each has the further fields `name`, `proves`, `passed`, `why` (not passed) and `tests`
    (what ran, when it proves tests)."""
    missing: tuple[str, ...] = ()
    """What has to be added or put right besides what failed."""
    reason: str = ""
    """The verdict in one line."""
    unable: bool = False
    """A command cannot be started on this machine: nothing that the author does will help."""
    tampered: tuple[str, ...] = ()
    """What was changed of the gate's own files, a line each."""
    acceptance: tuple[str, ...] = field(default=(), repr=False)

    def feedback(self) -> str:
        """What the author is told: the reason, the failed command with the exact end of its output, what is missing."""
        parts = [f"{'Accepted' if self.accepted else 'Rejected'} by the gate: {self.reason}"]
        for run in self.commands:
            if not failed(run):
                continue
            words = run.command if isinstance(run.command, str) else " ".join(run.command)
            head = f"Command {name_of(run)} ({words}) ended with exit status {run.exit} after {run.seconds:.1f} s."
            parts += [head, "Its output ends with:", run.output_tail.rstrip("\n") or "(it printed nothing)"]
        if self.missing:
            parts += ["Missing:", *(f"- {one}" for one in self.missing)]
        if not self.accepted and self.acceptance:
            parts += ["Acceptance criteria:", *(f"- {one}" for one in self.acceptance[:_MOST_LISTED])]
        return "\n".join(parts)


def name_of(run: CommandRun) -> str:
    """What the settings call a command that was run."""
    return str((run.model_extra or {}).get("name", "?"))


def failed(run: CommandRun) -> bool:
    """Whether a command that was run did not pass."""
    return not (run.model_extra or {}).get("passed", run.exit == 0)


def why(run: CommandRun) -> str:
    """Why it did not pass; empty when it did."""
    return str((run.model_extra or {}).get("why") or "")
