"""Running the gate over a record's work. [O12]"""

from __future__ import annotations

from pathlib import Path

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.orchestrator.engine.judging import Judged
from pytest_agog.reference.orchestrator.gate.config import GateConfig
from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.sealing import Seal
from pytest_agog.reference.orchestrator.gate.work import GateWork
from pytest_agog.reference.orchestrator.state.record import Record
from pytest_agog.wire import notices


class Gate:
    """The gate as an orchestrator has it run. Its own files are sealed as they are when the orchestrator starts.

    Without a configuration only the deliverable is looked at: whether it is there, whole, and no placeholder.
    """

    def __init__(self, config: GateConfig | None, root: Path, link: Link, settings: Path | None = None) -> None:
        self._config = config or GateConfig()
        self._root = root
        self._engine = DeliverableEngine(link)
        self._seal = Seal.of(self._config, root, settings)

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
        return Judged(verdict.accepted, verdict.commands, verdict.missing, verdict.feedback())
