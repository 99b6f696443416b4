"""`--agog-gate`: the gate of agog.toml as pytest items, one for each command and one for the verdict. [O12]

The first item that runs has the whole gate run, as `agog gate` does: commands in order up to the first that fails,
with their own output kept as the evidence. What was not reached is no success: it is skipped with the reason, and the
verdict fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_agog.errors import AgogError
from pytest_agog.masking import mask
from pytest_agog.session.run import run_of

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from pytest_agog.reference.orchestrator.gate.config import GateConfig
    from pytest_agog.reference.orchestrator.gate.work import Verdict

VERDICT = "verdict"
EVIDENCE = "gate.json"


class GateRejected(AgogError):
    """A command of the gate did not pass, or the work is not accepted: a finding, to be told without a traceback."""

    def __init__(self, head: str, further: Iterable[str] = ()) -> None:
        super().__init__(head)
        self.text = "\n".join((head, *further))
        """With the output, or everything that is missing, line by line."""


def gate_file(parent: pytest.Collector, path: Path) -> GateFile:
    """The collector for the settings file of the gate."""
    found: GateFile = GateFile.from_parent(parent, path=path)
    return found


class GateFile(pytest.File):
    """The settings file, with the gate's commands in it."""

    settings: GateConfig
    _verdict: Verdict | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each command, and the verdict.

        Raises:
            BadInput: the file cannot be read, or has no commands in [gate].
        """
        from pytest_agog.errors import BadInput
        from pytest_agog.reference.orchestrator.gate.config import load

        self.settings = load(self.path)
        if not self.settings.commands:
            raise BadInput(f"{self.path}: [gate] has no commands, so --agog-gate has nothing to run. Add some.")
        for command in self.settings.commands:
            yield CommandItem.from_parent(self, name=command.name)
        yield VerdictItem.from_parent(self, name=VERDICT)

    def verdict(self) -> Verdict:
        """What the gate says; runs it when nobody did so far.

        Raises:
            AgogError: it cannot work here.
        """
        if self._verdict is None:
            self._verdict = asyncio.run(_judged(self.settings, self.path))
            run = run_of(self.config)
            if run.options.report is not None:
                _keep(self._verdict, run.options.report)
        return self._verdict

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """What is wrong with the file, without a traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, AgogError) else super().repr_failure(excinfo)


class _GateItem(pytest.Item):
    @property
    def gate(self) -> Verdict:
        """The verdict of the gate that this item belongs to."""
        assert isinstance(self.parent, GateFile)
        return self.parent.verdict()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Location for pytest: the settings file."""
        return self.path, None, f"gate: {self.name}"

    def repr_failure(self, excinfo: ExceptionInfo[BaseException], style: Any = None) -> str | TerminalRepr:
        """Reason and output, without a traceback."""
        if isinstance(excinfo.value, GateRejected):
            return excinfo.value.text
        return str(excinfo.value) if isinstance(excinfo.value, AgogError) else super().repr_failure(excinfo)


class CommandItem(_GateItem):
    """One command of the gate."""

    def runtest(self) -> None:
        """Pass, fail with the exact end of its output, or skip when the gate ended before it.

        Raises:
            GateRejected: the command did not pass.
        """
        from pytest_agog.reference.orchestrator.gate.work import failed, name_of, why

        runs = {name_of(run): run for run in self.gate.commands}
        run = runs.get(self.name)
        if run is None:
            before = next((name for name, one in runs.items() if failed(one)), None)
            pytest.skip(f"not run: {before} did not pass" if before else f"not run: {self.gate.reason}")
        if failed(run):
            words = run.command if isinstance(run.command, str) else " ".join(run.command)
            head = f"{_clean(words)}: {_clean(why(run))} ({run.seconds:.1f} s)"
            raise GateRejected(head, [f"  | {line}" for line in _clean(run.output_tail).rstrip("\n").split("\n")])


class VerdictItem(_GateItem):
    """Whether the work would be accepted."""

    def runtest(self) -> None:
        """Pass when it would.

        Raises:
            GateRejected: it would not; with everything that is missing.
        """
        verdict = self.gate
        if not verdict.accepted:
            missing = [f"  missing: {_clean(one)}" for one in verdict.missing]
            raise GateRejected(f"rejected: {_clean(verdict.reason)}", missing)


async def _judged(settings: GateConfig, path: Path) -> Verdict:
    from pytest_agog.reference.orchestrator.gate.gate import run_gate
    from pytest_agog.reference.orchestrator.gate.sealing import Seal
    from pytest_agog.reference.orchestrator.gate.work import GateWork

    root = path.parent
    seal = await asyncio.to_thread(Seal.of, settings, root, path)
    work = GateWork(requirement="REQ-0", stage="gate", agent="unknown", attempt=1, lane=None)
    return await run_gate(settings, work, root=root, seal=seal)


def _keep(verdict: Verdict, folder: Path) -> None:
    """The evidence beside the other reports, secrets masked."""
    document = {
        "verdict": "accepted" if verdict.accepted else "rejected",
        "reason": verdict.reason,
        "missing": list(verdict.missing),
        "commands": [run.model_dump(mode="json") for run in verdict.commands],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, ensure_ascii=False, indent=2, default=str)
    (folder / EVIDENCE).write_text(mask(text) + "\n", encoding="utf-8")


def _clean(text: str) -> str:
    from pytest_agog.report.text import visible

    return visible(mask(text))
