"""What an attempt came to, from how its process ended and what it printed. Pure. [O10] [O14]"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pytest_agog.errors import NoticeMissing
from pytest_agog.reference.orchestrator.listener.keeping import Ended
from pytest_agog.wire import notices
from pytest_agog.wire.notices import Notice

Kind = Literal["timeout", "no-notice", "exit", "command", "killed", "deliverable"]
_TEMPORARY: Final = 75
"""EX_TEMPFAIL of sysexits.h: the program itself says that trying again may help."""
_CONNECTION: Final = re.compile(
    r"connection (?:was )?(?:refused|reset|closed|lost|aborted|timed out)|network is unreachable|no route to host"
    r"|temporary failure in name resolution|broken pipe|\b(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|EPIPE)\b"
    r"|NatsUnreachable|NoServersError|cannot be reached",
    re.IGNORECASE,
)
_LAST: Final = 4000
"""Characters at the end of standard error in which trouble with a connection is looked for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt has no result."""

    kind: Kind
    text: str
    """One line: cause and remedy."""
    transient: bool
    """Whether trying again may help. What an exit status means is the agent's secret, so it may."""
    plain: bool = False
    """An exit status that stands for nothing temporary: a notice that says why the work is not done says more."""


def trouble_of(ended: Ended, agent: str, seconds: float, errors: str) -> Trouble | None:
    """What went wrong with the process itself; None when it ended by itself with status 0."""
    match ended.how:
        case "command":
            text = f"{agent} cannot be started: {ended.reason}. Correct [agents.{agent}] in agog.toml"
            return Trouble("command", text, transient=False)
        case "timeout":
            text = f"{agent} ran longer than {seconds:g} s and was killed, with all that it had started"
            return Trouble("timeout", text, transient=True)
        case "killed":
            return Trouble("killed", f"{agent} was killed, as agog.spawn.kill asked for", transient=True)
        case "lost":
            return Trouble("exit", f"the keeper of {agent} was killed, and {agent} with it", transient=True)
    status = ended.status or 0
    if status == 0:
        return None
    if status < 0:
        return Trouble("exit", f"{agent} was ended by signal {-status}", transient=True)
    temporary = status == _TEMPORARY or _CONNECTION.search(errors[-_LAST:]) is not None
    return Trouble("exit", f"{agent} ended with exit status {status}", transient=True, plain=not temporary)


def notice_in(output: str, agent: str, requirement: str) -> Notice | NoticeMissing:
    """The notice in what the agent printed, or why there is none."""
    try:
        return notices.parse_output(output, agent=agent, requirement=requirement).notice
    except NoticeMissing as error:
        return error


def weighed(trouble: Trouble | None, found: Notice | NoticeMissing) -> Notice | Trouble:
    """What counts. An exit status other than 0 outweighs a notice, unless that says too that the work is not done."""
    if isinstance(found, Notice):
        if trouble is None or (trouble.plain and found.status != "COMPLETE"):
            return found
        if trouble.kind == "exit":
            return Trouble("exit", f"{trouble.text}, though its notice says {found.status}", trouble.transient)
    return trouble or Trouble("no-notice", str(found), transient=True)


def reported_tokens(raw: Mapping[str, Any]) -> int | None:
    """What a notice says that the work cost; None when it says nothing of the kind. [O7]"""
    for name in (
        "tokens",
        "tokens_used",
        "tokensUsed",
        "total_tokens",
        "totalTokens",
        "token_usage",
        "tokenUsage",
        "usage",
    ):
        value = raw.get(name)
        found = _total(value) if isinstance(value, Mapping) else _number(value)
        if found is not None:
            return found
    return None


def _total(usage: Mapping[str, Any]) -> int | None:
    for name in ("total_tokens", "totalTokens", "total", "reported", "used"):
        if (found := _number(usage.get(name))) is not None:
            return found
    for ins, outs in (("input_tokens", "output_tokens"), ("prompt_tokens", "completion_tokens"), ("input", "output")):
        parts = [_number(usage.get(name)) for name in (ins, outs)]
        if any(part is not None for part in parts):
            return sum(part or 0 for part in parts)
    return None


def _number(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return value
    return None
