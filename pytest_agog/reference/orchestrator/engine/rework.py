"""Work that was refused goes back to its author, with everything that was said about it. [O11] [O12]"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from pytest_agog.reference.orchestrator.engine import messages, stages
from pytest_agog.reference.orchestrator.engine.config import OrchestratorConfig
from pytest_agog.reference.orchestrator.engine.ending import escalated
from pytest_agog.reference.orchestrator.state.record import Feedback, Record

_SHOWN: Final = 300
"""Characters of what was said."""


def refused(
    record: Record, feedback: Feedback, at: datetime, config: OrchestratorConfig, *, named: Collection[str] = (),
    why: str = "",
) -> Record:  # fmt: skip
    """Back to its author; to a human when that has not helped often enough.

    Args:
        record: what it is about.
        feedback: everything that was said of it.
        at: when.
        config: how often is enough.
        named: the agents whom the one that refused it wants to go on.
        why: the reason in one line; the first line of the feedback without it.
    """
    count = record.rejections + 1
    if "CONFLICT (" in feedback.text:
        record = replace(record, conflicted=True)
    record = replace(record, rejections=count, feedback=(*record.feedback, feedback)[-5:])
    if count >= config.rejections:
        last = why or feedback.text.partition("\n")[0][:_SHOWN]
        reason = f"refused {count} times, last by {feedback.by}: {last}"
        return escalated(record, reason, at, output=feedback.text[-4000:])
    stage = stages.author(record, named)
    if stage is None:
        return escalated(record, f"refused by {feedback.by}, and nobody is its author", at, output=feedback.text)
    again = _undone(record, stage)
    told = messages.integration(
        stages.agent_of(stage, record), "rejected",
        {"reqId": record.id, "stage": stage, "by": feedback.by, "rejections": count},
        f"{record.id}:{record.stage}:{record.attempt}:rejected:{count}",
    )  # fmt: skip
    return again.now(at, "REJECTED", f"refused by {feedback.by}, back to {stage}", notice=None, due=None).telling(told)


def _undone(record: Record, stage: str) -> Record:
    """Without what has to be done again: the author's stage and every one that judges it."""
    judges = {stages.QA, *stages.CONDITIONAL, stages.STATISTICS}
    kept = tuple(one for one in record.done if one.stage != stage and one.stage not in judges)
    skipped = tuple(one for one in record.skipped if one not in judges)
    return replace(record, done=kept, skipped=skipped, retries=0, completed_at=None)
