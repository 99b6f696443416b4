"""Running the gate over a record's work. [O12]"""

from __future__ import annotations

from pathlib import Path

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.gate.config import GateConfig
from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.sealing import Seal
from pytest_agog.reference.orchestrator.gate.work import GateWork, Verdict
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire import notices


class Gate:
    """The gate as an orchestrator has it run. Its own files are sealed as they are when the orchestrator starts.

    Without a configuration only the deliverable is looked at: whether it is there, whole, and no placeholder.
    """

    def __init__(self, config: GateConfig | None, root: Path, link: Link, settings: Path | None = None) -> None:
        self._config = config or GateConfig()
        self._root = root.absolute()
        self._engine = DeliverableEngine(link)
        self._seal = Seal.of(self._config, root, settings)
        self._blamed: dict[str, str] = {}
        """By change of the gate's own files the requirement whose attempt was found with it first."""

    async def judge(self, record: Record) -> Judged:
        """What the gate says of the attempt whose notice the record holds.

        Raises:
            AgogError: the gate cannot work, or NATS does not say what is in the deliverable. There is no verdict then.
        """
        work = GateWork(
            requirement=record.id, stage=record.stage or "", agent=record.stage_agent or "", attempt=record.attempt,
            lane=record.stage, notice=notices.parse(record.notice or {}), acceptance=record.stated.acceptance,
        )  # fmt: skip
        verdict = await run_gate(self._config, work, root=self._root, nats=self._engine, seal=self._seal)
        return Judged(
            verdict.accepted, verdict.commands, verdict.missing, verdict.feedback(), self._reason(record.id, verdict),
            verdict.unable or self._is_another_s(record.id, verdict),
        )  # fmt: skip

    def _is_another_s(self, identity: str, verdict: Verdict) -> bool:
        """Whether all that is changed of the gate's files was found changed before, after somebody else's work."""
        if not verdict.tampered:
            self._blamed.clear()
            return False
        for change in verdict.tampered:
            self._blamed.setdefault(change, identity)
        return all(self._blamed[change] != identity for change in verdict.tampered)

    def _reason(self, identity: str, verdict: Verdict) -> str:
        others = sorted({self._blamed[change] for change in verdict.tampered if change in self._blamed} - {identity})
        return f"{verdict.reason} (since {', '.join(others)})" if others else verdict.reason
