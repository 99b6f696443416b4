"""The step `open`: a reader of server-sent events, or a page in a browser, that stays until the end of the play."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from pytest_agog.ledger.probing.events import EventReader
from pytest_agog.ledger.probing.pages import NoBrowser
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.scenario.comms_steps import EventSelector, Open
from pytest_agog.scenario.scenario import Step

OPENED_WITHIN: Final = 10.0
"""Seconds in which a reader must be connected."""


async def play_open(context: PlayContext, step: Step, arguments: Open) -> None:
    """Open the reader, and go on when it is connected, so that it misses nothing of what follows.

    A machine without a browser opens no page; the checks on it say so.

    Raises:
        StepFailed: no connection in time, or an answer that refuses it.
        UsageError: this play has no comms.
    """
    if arguments.sse is not None:
        await _open_events(context, arguments.as_, arguments.sse, arguments.instance)
    elif arguments.page is not None:
        try:
            opened = await context.pages.open(
                arguments.as_, context.stage.comms_url(arguments.instance) + arguments.page
            )
        except NoBrowser:
            return
        if opened.reason:
            raise StepFailed(f"the page {arguments.page} did not open: {opened.reason}")


async def _open_events(context: PlayContext, name: str, selector: EventSelector, instance: int) -> None:
    url = f"{context.stage.comms_url(instance)}{context.target.events_path}?{urlencode(_query(selector))}"
    reader = EventReader(
        context.ledger,
        name,
        url,
        last_event_id=None if selector.last_event_id is None else str(selector.last_event_id),
        drop_after=selector.drop_after,
        token=context.stage.http_token,
    )
    before = context.readers.pop(name, None)
    if before is not None:
        await before.close()
    context.readers[name] = reader
    context.progress(f"opening reader {name}")
    if not await reader.start(OPENED_WITHIN):
        told = f"status {reader.status}" if reader.status is not None else "no answer"
        raise StepFailed(f"reader {name} is not connected: {told}", reader.reason)


def _query(selector: EventSelector) -> dict[str, str]:
    given = {
        "runId": selector.run_id,
        "workflowUid": selector.workflow_uid,
        "workflowNamespace": selector.workflow_namespace,
        "channel": selector.channel,
        "limit": selector.limit,
        "since": selector.since,
    }
    return {name: str(value) for name, value in given.items() if value is not None}
