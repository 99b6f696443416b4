"""Scripted agents: they read what the scenario says, publish the report that it gives, and print a notice. [D12]"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from pytest_agog.errors import AgogError
from pytest_agog.ledger.facts import AgentHanded, ProcessStarted
from pytest_agog.play.agents import generate
from pytest_agog.play.agents.commands import NO_PROCESS, record_end
from pytest_agog.play.agents.scripted_agent import MOODS, mood_of
from pytest_agog.play.agents.work import Ran, Work
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.model import Agent, GeneratedReport
from pytest_agog.stage.machine.processes import Finished
from pytest_agog.stage.target.ports import Deliverables

_PLACEHOLDER: Final = re.compile(r"\$\$(?=\{)|\$\{([A-Za-z_][A-Za-z0-9_-]*)\}")


async def run_script(context: PlayContext, work: Work, agent: Agent) -> Ran:
    """Play the agent once. It stands in the ledger like a process, so that claims need not know the difference."""
    started = time.monotonic()
    context.ledger.append(ProcessStarted(work.agent, ("scripted", "agent", work.agent), NO_PROCESS))
    mood = mood_of(dict(agent), context.spawns[work.agent])
    if mood == "fails":
        ran = Ran("", f"exit status 1 (declared: the first {agent.fails} spawns fail)")
    elif mood == "hangs":
        ran = Ran("", f"it hangs (declared: {agent.hangs} spawns do); a chain does not wait {agent.timeout:g}s for it")
    else:
        try:
            ran = Ran(await _act(context, work, agent, MOODS.get(mood or "", {})))
        except AgogError as error:
            ran = Ran("", str(error))
    finished = Finished(1 if ran.reason else 0, ran.output.encode("utf-8", "replace"), ran.reason.encode())
    record_end(context.ledger, work.agent, finished, time.monotonic() - started)
    return ran


async def _act(context: PlayContext, work: Work, agent: Agent, mood: Mapping[str, Any]) -> str:
    engine = await context.engine(work.agent)
    for wanted in work.fetches:
        await _fetch(context, engine, work, wanted)
    published = await engine.publish(work.agent, work.task, work.feature, _report(context, work, agent))
    return _stdout(context, work, agent, published.url, mood)


async def _fetch(context: PlayContext, engine: Deliverables, work: Work, wanted: str) -> None:
    """Read what a scripted agent reads, and write down what it was handed."""
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


def _stdout(context: PlayContext, work: Work, agent: Agent, url: str, mood: Mapping[str, Any]) -> str:
    fields: dict[str, Any] = {
        "agent": work.agent,
        "req_number": work.feature,
        "status": "COMPLETE",
        "deliverable": url,
        "summary": f"{work.task.capitalize()} of {work.feature} is done.",
        **agent.notice,
        **mood,
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


def _filled(text: str, known: Mapping[str, str]) -> str:
    """`text` with `${name}` replaced where the name is known; other dollar signs mean nothing, and stay."""

    def one(match: re.Match[str]) -> str:
        return "$" if match[1] is None else known.get(match[1], match[0])

    return _PLACEHOLDER.sub(one, text)
