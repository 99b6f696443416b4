"""The report as a deliverable, and the notice that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pytest_agog.reference.operations.reporting.markdown import markdown, summary
from pytest_agog.reference.operations.reporting.model import Report
from pytest_agog.wire import notices

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

AGENT: Final = "miki"
_NAMED: Final = 6
"""Containers that the notice names; it has 200 tokens for everything."""


async def publish(link: Link, report: Report, feature: str) -> notices.Notice:
    """Publish `report` as `agog.deliverables.miki.devops.FEATURE`; returns the completion notice.

    Raises:
        InvalidToken: `feature` cannot be part of a subject.
        StreamMissing, PayloadTooLarge, StoreFull, PublishFailed, NatsUnreachable: it is not on the stream.
    """
    from pytest_agog.reference.deliverables.engine import DeliverableEngine

    engine = DeliverableEngine(link)
    metadata = {"status": "COMPLETE", "needs_somebody": len(report.unwell)}
    published = await engine.publish(AGENT, "devops", feature, markdown(report), metadata)
    return notice(report, feature, published.url)


def notice(report: Report, feature: str, url: str, files_modified: Sequence[str] = ()) -> notices.Notice:
    """The completion notice: what was seen, and which containers need somebody. Looking changes no file."""
    affected = [one.name for one in report.containers.found if not one.is_well]
    return notices.create(
        AGENT, feature, "COMPLETE", url, summary(report),
        files_modified=list(files_modified),
        containers_affected=affected[:_NAMED],
        next_agent="billy",
    )  # fmt: skip
