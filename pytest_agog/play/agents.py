"""Run one agent once: a scripted one, or a real command. Both return their standard output and nothing else."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import sysconfig
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from pytest_agog import masking
from pytest_agog.errors import AgogError
from pytest_agog.ledger.facts import AgentHanded, ProcessExited, ProcessOutput, ProcessStarted
from pytest_agog.play import generate
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.play.handed import reads_of
from pytest_agog.play.watching import LedgerWatcher
from pytest_agog.scenario.model import Agent, GeneratedReport
from pytest_agog.stage.ports import Deliverables
from pytest_agog.stage.processes import Finished, ManagedProcess
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
    agent: str
    task: str
    feature: str
    attempt: int
    """From 1, within its turn."""
    fetches: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()

    @property
    def subject(self) -> str:
        """Where its deliverable belongs."""
        return subjects.deliverable(self.agent, self.task, self.feature)

    def prompt(self) -> bytes:
        """What the agent is started with: one JSON object on its stdin. URLs of earlier reports, never their text."""
        return to_json(
            {
                "agent": self.agent,
                "task": self.task,
                "feature": self.feature,
                "requirement": self.feature,
                "subject": self.subject,
                "inputs": [entry.as_json() for entry in self.inputs],
            }
        )


@dataclass(frozen=True)
class Ran:
    """What came of a spawn: its exit status, its standard output, and why it failed if it did."""

    exit: int
    output: str
    reason: str = ""
    detail: str = ""


async def run_agent(context: PlayContext, work: Work) -> Ran:
    """Run the agent of `work` once, as the scenario declares it."""
    agent = context.scenario.agents.get(work.agent) or Agent()
    context.spawns[work.agent] = context.spawns.get(work.agent, 0) + 1
    if context.spawns[work.agent] <= agent.fails:
        reason = f"exit status 1 (declared: the first {agent.fails} spawns fail)"
        ran = Ran(1, "", reason)
        _record(context, work.agent, Finished(1, b"", b""), 0.0)
        return ran
    if agent.run is not None:
        return await _run_command(context, work, agent.run, agent.timeout)
    return await _run_script(context, work, agent)


# --- scripted agents ----------------------------------------------------------------------------------------------------
async def _run_script(context: PlayContext, work: Work, agent: Agent) -> Ran:
    engine = await _engine(context, work.agent)
    started = time.monotonic()
    try:
        for wanted in work.fetches:
            await _fetch(context, engine, work, wanted)
        published = await engine.publish(work.agent, work.task, work.feature, _report(context, work, agent))
    except AgogError as error:
        _record(context, work.agent, Finished(1, b"", str(error).encode()), time.monotonic() - started)
        return Ran(1, "", str(error))
    output = _stdout(context, work, agent, published.url)
    _record(context, work.agent, Finished(0, output.encode(), b""), time.monotonic() - started)
    return Ran(0, output)


async def _engine(context: PlayContext, agent: str) -> Deliverables:
    if agent not in context.engines:
        context.engines[agent] = await context.target.deliverables(
            context.stage.nats.url, LedgerWatcher(context.ledger, agent)
        )
    return context.engines[agent]


async def _fetch(context: PlayContext, engine: Deliverables, work: Work, wanted: str) -> None:
    """Read what a scripted agent reads, and write down what it was handed. [D12]"""
    name, _, heading = wanted.partition("#")
    sources = [entry for entry in work.inputs if entry.agent == name]
    if not sources:
        raise StepFailed(f"{work.agent} fetches {wanted!r}, but {name} has handed on nothing in this chain")
    url = sources[-1].url
    text = await engine.section(url, heading) if heading else await engine.require(url)
    payload = context.ledger.payloads.put(text.encode())
    context.ledger.append(AgentHanded(work.chain, work.agent, url, heading or None, payload))


def _report(context: PlayContext, work: Work, agent: Agent) -> str:
    if agent.report is None:
        return (
            f"# {work.task.capitalize()}: {work.feature}\n\n"
            f"{work.agent} worked on {work.feature}.\n\n## Result\n\nNothing stands in the way of the next step.\n"
        )
    if isinstance(agent.report, GeneratedReport):
        wanted = agent.report.generate
        return generate.report(wanted.tokens, wanted.seed, context.ledger.count_tokens)
    return _text(context.file(agent.report))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise StepFailed(f"{path.name} is no UTF-8 text; a report is Markdown in UTF-8") from None
    except OSError as error:
        raise StepFailed(f"{path.name} cannot be read: {error.strerror}") from None


def _stdout(context: PlayContext, work: Work, agent: Agent, url: str) -> str:
    fields: dict[str, Any] = {
        "agent": work.agent,
        "req_number": work.feature,
        "status": "COMPLETE",
        "deliverable": url,
        "summary": f"{work.task.capitalize()} of {work.feature} is done.",
        **agent.notice,
    }
    notice = to_json(fields).decode()
    if agent.prints is None:
        return notice + "\n"
    known = {
        **{name: str(value) for name, value in context.scenario.variables.items()},
        "notice": notice, "url": url, "subject": work.subject,
        "agent": work.agent, "task": work.task, "feature": work.feature,
    }  # fmt: skip
    return _filled(_text(context.file(agent.prints)), known)


_PLACEHOLDER = re.compile(r"\$\$(?=\{)|\$\{([A-Za-z][A-Za-z0-9_-]*)\}")


def _filled(text: str, known: Mapping[str, str]) -> str:
    """`text` with `${name}` replaced where the name is known; agents' output is full of dollar signs that mean nothing."""

    def one(match: re.Match[str]) -> str:
        return "$" if match[1] is None else known.get(match[1], match[0])

    return _PLACEHOLDER.sub(one, text)


# --- real commands ------------------------------------------------------------------------------------------------------
async def _run_command(context: PlayContext, work: Work, command: Sequence[str], timeout: float) -> Ran:  # noqa: ASYNC109
    environment = {
        **context.environment(),
        "AGOG_AGENT": work.agent,
        "AGOG_TASK": work.task,
        "AGOG_FEATURE": work.feature,
        "AGOG_REQUIREMENT": work.feature,
        "AGOG_SUBJECT": work.subject,
        "AGOG_INPUTS": to_json([entry.as_json() for entry in work.inputs]).decode(),
    }
    async with reads_of(context, work.chain, work.agent):
        finished = await execute(context, work.agent, command, environment, work.prompt(), timeout)
    output = finished.stdout.decode("utf-8", "replace")
    detail = tail(finished)
    if finished.timed_out:
        return Ran(finished.exit, output, f"it ran longer than {timeout:g}s and was killed", detail)
    if finished.exit != 0:
        return Ran(finished.exit, output, f"exit status {finished.exit}", detail)
    return Ran(0, output, detail=detail)


async def execute(
    context: PlayContext,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    stdin: bytes,
    timeout: float,  # noqa: ASYNC109
) -> Finished:
    """Run a command in the scenario's folder, without a shell, and write down how it went.

    Raises:
        CommandNotFound: it cannot be started.
    """
    began = time.monotonic()
    process = await asyncio.to_thread(
        ManagedProcess,
        resolve_command(command),
        name=name,
        cwd=context.scenario.folder,
        env={**_inherited(), **environment},
        pipes=True,
    )
    context.ledger.append(ProcessStarted(name, tuple(masking.mask(word) for word in command), process.pid))
    finished = await process.communicate(stdin, seconds=timeout)
    _record(context, name, finished, time.monotonic() - began)
    return finished


def resolve_command(command: Sequence[str]) -> list[str]:
    """`command` with `python` and `agog` replaced by the harness's own."""
    first, *rest = command
    if first in {"python", "python3"}:
        return [sys.executable, *rest]
    if first == "agog":
        return [sys.executable, "-m", "pytest_agog", *rest]
    return [first, *rest]


def _inherited() -> dict[str, str]:
    """The harness's environment, with its own scripts first in PATH."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path}


def _record(context: PlayContext, name: str, finished: Finished, seconds: float) -> None:
    for stream, data in (("stdout", finished.stdout), ("stderr", finished.stderr)):
        if data:
            masked = masking.mask(data.decode("utf-8", "replace")).encode()
            payload = context.ledger.payloads.put(masked)
            context.ledger.append(ProcessOutput(name, "stdout" if stream == "stdout" else "stderr", payload))
    context.ledger.append(ProcessExited(name, finished.exit, seconds, finished.timed_out))


def tail(finished: Finished, lines: int = 15) -> str:
    """The end of what a command printed, for people."""
    text = b"\n".join(part for part in (finished.stdout, finished.stderr) if part).decode("utf-8", "replace")
    return masking.mask("\n".join(text.splitlines()[-lines:]))


def parse_notice(work: Work, ran: Ran) -> notices.Parsed:
    """The completion notice in what an agent printed.

    Raises:
        NoticeMissing: there is none; the message says why.
    """
    return notices.parse_output(ran.output, agent=work.agent, requirement=work.feature)
