"""`agog gate`: the orchestrator's gate on its own, for CI and for agents that want to know beforehand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pytest_agog.cli.options import Json, NatsCreds
from pytest_agog.errors import BadInput, Exit

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.gate.config import GateConfig
    from pytest_agog.reference.orchestrator.gate.work import GateWork, Verdict
    from pytest_agog.wire.notices import Notice
    from pytest_agog.wire.orchestration import CommandRun

_INDENT: Final = " " * 8
_WIDTH: Final = 100
"""Characters of a command that are shown."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gate")(gate)


def gate(
    config: Annotated[Path, typer.Option("--config", help="Settings file with a table [gate].")] = Path("agog.toml"),
    requirement: Annotated[
        str | None, typer.Option("--requirement", help="Id of the requirement; the notice's without it.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="Whose work it is; its lane follows from it.")] = None,
    lane: Annotated[str | None, typer.Option("--lane", help="Run what is for this lane; everything otherwise.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="The agent's report, a file or -.")] = None,
    notice: Annotated[Path | None, typer.Option("--notice", help="Its completion notice, or output with it.")] = None,
    nats_url: Annotated[
        str | None, typer.Option("--nats-url", help="Read the notice's deliverable there; --report otherwise.")
    ] = None,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> None:
    """Run the gate of agog.toml here and say whether the work would be accepted.

    Exit status: 0 accepted, 1 rejected, 2 the settings or what was given cannot be used, 3 NATS is away.

    Example: agog gate --agent roy --report report.md
    """
    from pytest_agog.cli.console import print_json
    from pytest_agog.reference.orchestrator.gate.config import load

    settings = load(config)
    work = _work(requirement, agent, lane, report, notice)
    if not settings.commands and work.notice is None:
        raise BadInput(f"{config}: [gate] has no commands, so there is nothing to run. Add some, or give --notice.")
    verdict = asyncio.run(_judge(settings, work, config.absolute(), nats_url, nats_creds, quiet=as_json))
    if as_json:
        print_json(_masked(_document(verdict)))
    else:
        _print(verdict)
    if not verdict.accepted:
        raise typer.Exit(Exit.CLAIM_FAILED)


def _work(
    requirement: str | None, agent: str | None, lane: str | None, report: Path | None, notice: Path | None
) -> GateWork:
    from pytest_agog.cli.console import read_text
    from pytest_agog.reference.orchestrator.engine.stages import STAGE_OF
    from pytest_agog.reference.orchestrator.gate.config import LANES
    from pytest_agog.reference.orchestrator.gate.work import GateWork
    from pytest_agog.wire.orchestration import requirement_id

    if lane is not None and lane not in LANES:
        raise BadInput(f"--lane {lane!r} is none. Give one of {', '.join(LANES)}.")
    if lane is None and agent is not None:
        lane = STAGE_OF.get(agent)
        if lane is None:
            raise BadInput(f"--agent {agent!r} has no lane of its own. Give it with --lane.")
    said = _notice(read_text(str(notice), "--notice"), agent) if notice is not None else None
    return GateWork(
        requirement=requirement_id(requirement) if requirement else said.requirement if said else "REQ-0",
        stage=lane or "gate",
        agent=agent or (said.agent if said else "unknown"),
        attempt=1,
        lane=lane,
        notice=said,
        report=read_text(str(report), "--report") if report is not None else None,
    )


def _notice(text: str, agent: str | None) -> Notice:
    from pydantic_core import from_json

    from pytest_agog.errors import NoticeMissing
    from pytest_agog.wire import notices

    try:
        value = from_json(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return notices.parse(value)
    if agent is None:
        raise BadInput("--notice is no JSON object. Give the notice alone, or --agent to look for it in output.")
    try:
        return notices.parse_output(text, agent=agent, requirement=None).notice
    except NoticeMissing as error:
        raise BadInput(f"--notice: {error}") from None


async def _judge(
    settings: GateConfig, work: GateWork, config: Path, nats_url: str | None, creds: Path | None, *, quiet: bool
) -> Verdict:
    from pytest_agog.reference.orchestrator.gate.gate import run_gate
    from pytest_agog.reference.orchestrator.gate.sealing import Seal

    root = config.parent
    seal = await asyncio.to_thread(Seal.of, settings, root, config)
    progress = None if quiet else _print_command
    if nats_url is None:
        return await run_gate(settings, work, root=root, seal=seal, progress=progress)
    from pytest_agog.reference.deliverables.engine import DeliverableEngine

    async with await DeliverableEngine.connect(nats_url, creds=creds) as engine:
        return await run_gate(settings, work, root=root, nats=engine, seal=seal, progress=progress)


# --- printing ---------------------------------------------------------------------------------------------------------
def _print_command(run: CommandRun) -> None:
    from pytest_agog.masking import mask
    from pytest_agog.reference.orchestrator.gate.work import failed, name_of, why
    from pytest_agog.report.text import one_line, visible

    words = run.command if isinstance(run.command, str) else " ".join(run.command)
    head = f"{'FAILED' if failed(run) else 'passed'}  {one_line(name_of(run))}  exit {run.exit}  {run.seconds:.1f} s"
    print(f"{head}  {one_line(words)[:_WIDTH]}")
    if counts := (run.model_extra or {}).get("tests"):
        print(_INDENT + "tests: " + ", ".join(f"{number} {name}" for name, number in counts.items()))
    if failed(run):
        print(_INDENT + one_line(why(run)))
        for line in visible(mask(run.output_tail)).rstrip("\n").split("\n"):
            print(f"{_INDENT}| {line}")


def _print(verdict: Verdict) -> None:
    from pytest_agog.report.text import one_line

    print(f"{'accepted' if verdict.accepted else 'rejected'}: {one_line(verdict.reason)}")
    for one in verdict.missing:
        print(f"{_INDENT}missing: {one_line(one)}")


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": "accepted" if verdict.accepted else "rejected",
        "reason": verdict.reason,
        "missing": list(verdict.missing),
        "commands": [run.model_dump(mode="json") for run in verdict.commands],
    }


def _masked(value: Any) -> Any:
    from pytest_agog.masking import mask

    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {name: _masked(one) for name, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
