"""The gate's run over one attempt's work. [O12]

What it wants: files of the gate untouched, the deliverable there and whole, every command passed, everything that is
required proven, no claim that the gate's own runs do not bear out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pytest_agog.reference.orchestrator.gate import claims, commands, deliverable, evidence
from pytest_agog.reference.orchestrator.gate.commands import Ran
from pytest_agog.reference.orchestrator.gate.config import GateConfig, Proof
from pytest_agog.reference.orchestrator.gate.deliverable import Reads
from pytest_agog.reference.orchestrator.gate.folders import alone_in
from pytest_agog.reference.orchestrator.gate.sealing import Seal
from pytest_agog.reference.orchestrator.gate.work import GateWork, Verdict
from pytest_agog.wire.orchestration import CommandRun

_ASKED: Final[dict[Proof, str]] = {
    "build": "a build that the gate ran itself",
    "tests": "automated tests that the gate ran itself, at least one, all passed",
    "use": "actual use",
    "results": "verified results",
    "errors": "tested error cases",
}
_HOW: Final = "state it in the report: a section Evidence, with the command and its output"
_SHOWN: Final = 10


async def run_gate(
    config: GateConfig, work: GateWork, *, root: Path, nats: Reads | None = None, seal: Seal | None = None,
    progress: Callable[[CommandRun], None] | None = None,
) -> Verdict:  # fmt: skip
    """Judge one attempt's work; safe to be run again, and to be cancelled or killed at any point.

    Args:
        config: what it has to pass.
        work: what it is.
        root: the folder that commands run in, and protected files are in.
        nats: reads the deliverable; without it only `work.report` is looked at.
        seal: the gate's own files as they have to be; as they are now, without it.
        progress: told of each command that has ended.

    Raises:
        BadInput: the gate cannot work here at all.
        AgogError: NATS does not say what is in the deliverable. No verdict: the work may be good.
    """
    root = root.absolute()  # noqa: ASYNC240 - asks for the working folder; the keeper starts in another one
    folders = {root, *(root / command.cwd for command in config.commands_for(work.lane))}
    async with alone_in(folders) as lock:
        sealed = seal if seal is not None else await asyncio.to_thread(Seal.of, config, root)
        if changed := await asyncio.to_thread(sealed.changes):
            return _tampered(work, changed, ())
        report, faults = await _report(config, work, nats)
        ran = await _run(config, work, root, lock, progress)
        if changed := await asyncio.to_thread(sealed.changes):
            return _tampered(work, changed, ran)
    return await asyncio.to_thread(_verdict, config, work, report, faults, ran)


async def _report(config: GateConfig, work: GateWork, nats: Reads | None) -> tuple[str | None, list[str]]:
    """The report to judge by, and what is wrong with the deliverable."""
    notice = work.notice
    if notice is None:
        return work.report, []
    faults = []
    if notice.status != "COMPLETE":
        faults.append(f"the notice says {notice.status}, not COMPLETE")
    if not notice.is_for(work.requirement):
        faults.append(f"the notice speaks of {notice.requirement}, not of {work.requirement}")
    content, why = work.report, ""
    if nats is not None and (config.deliverable or content is None):
        content, why = await deliverable.read(notice, nats)
    if config.deliverable:
        if content is not None:
            why = why or deliverable.problem(notice, content)
        elif not why and nats is None:
            why = "there is no report to look at. Give the report, or NATS to read it from"
        faults += [why] if why else []
    return work.report if work.report is not None else content, faults


async def _run(
    config: GateConfig, work: GateWork, root: Path, lock: Path, progress: Callable[[CommandRun], None] | None
) -> tuple[Ran, ...]:
    ran: list[Ran] = []
    await asyncio.to_thread(commands.forget_compiled, commands.cache_of(lock), root)
    for command in config.commands_for(work.lane):
        ran.append(await commands.run(command, root, lock, config.pass_env, _about(work)))
        if progress is not None:
            progress(ran[-1].run)
        if not ran[-1].passed:
            break
    return tuple(ran)


def _about(work: GateWork) -> dict[str, str]:
    """What commands find in their environment about the work; they may judge one requirement otherwise than another."""
    return {
        "AGOG_REQUIREMENT": work.requirement, "AGOG_STAGE": work.stage, "AGOG_AGENT": work.agent,
        "AGOG_ATTEMPT": str(work.attempt),
    }  # fmt: skip


def _tampered(work: GateWork, changed: Sequence[str], ran: Sequence[Ran]) -> Verdict:
    listed = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
    when = "while the commands ran" if ran else "and nothing was run"
    return Verdict(
        accepted=False,
        commands=tuple(one.run for one in ran),
        missing=("put the gate's own files back as they were; who may change them starts the orchestrator anew",),
        reason=f"the gate's own files were changed, {when}: {listed}",
        tampered=tuple(changed),
        acceptance=work.acceptance,
    )


def _verdict(config: GateConfig, work: GateWork, report: str | None, faults: list[str], ran: Sequence[Ran]) -> Verdict:
    failure = next((one for one in ran if not one.passed), None)
    outcomes = [one.outcome for one in ran if one.outcome is not None]
    missing = [*faults, *_unproven(config, work, report, ran)]
    if config.commands and failure is None:
        texts = [text for text in (report, work.notice.summary if work.notice else None) if text]
        missing += claims.contradictions(texts, outcomes)
    looked = config.deliverable and work.notice is not None
    if not ran and not looked and not missing and not config.required(work.lane):
        missing.append("there was nothing to judge: give commands in [gate], or a notice with its report")
    if failure is not None:
        reason = f"command {failure.command.name} failed: {failure.why}"
    elif missing:
        reason = missing[0] if len(missing) == 1 else f"{missing[0]}; and {len(missing) - 1} more"
    else:
        reason = _praise(ran, sum(outcome.passed for outcome in outcomes))
    return Verdict(
        accepted=failure is None and not missing,
        commands=tuple(one.run for one in ran),
        missing=tuple(missing),
        reason=reason,
        unable=failure is not None and failure.unable,
        acceptance=work.acceptance,
    )


def _praise(ran: Sequence[Ran], tests: int) -> str:
    if not ran:
        return "the deliverable is there, and whole"
    commands_passed = "1 command passed" if len(ran) == 1 else f"{len(ran)} commands passed"
    return f"{commands_passed}, and {tests} test{'s' * (tests > 1)}" if tests else commands_passed


def _unproven(config: GateConfig, work: GateWork, report: str | None, ran: Sequence[Ran]) -> list[str]:
    """What is required and neither shown by a command nor stated with evidence."""
    shown = {proof for one in ran if one.passed for proof in one.command.proves}
    stated = evidence.proven(report) if report else frozenset[Proof]()
    found = []
    for proof in config.required(work.lane):
        if proof in shown or (proof in evidence.STATED and proof in stated):
            continue
        pending = [one.name for one in config.commands_for(work.lane) if proof in one.proves]
        if pending:
            found.append(f"{proof}: {_ASKED[proof]}; what proves it did not pass: {', '.join(pending)}")
        elif proof in evidence.STATED:
            found.append(f"{proof}: {_ASKED[proof]}; {_HOW}")
        else:
            found.append(f"{proof}: {_ASKED[proof]}; no command in [gate] proves it for this lane")
    return found
