"""What a selector means in SQL, and which selectors a row answers to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.reference.comms.models import Selector

if TYPE_CHECKING:
    from psycopg.sql import Composable

GENERAL: Final = "general"


def condition(selector: Selector) -> tuple[Composable, list[Any]]:
    """The condition on `agent_messages`, and its parameters. Each has an index that ends in `seq`."""
    from psycopg.sql import SQL

    if selector.general:
        return SQL("channel = %s"), [GENERAL]
    if selector.run_id is not None:
        return SQL("coalesce(run_id, workflow_uid) = %s"), [selector.run_id]
    if selector.workflow_namespace is not None:
        return SQL("workflow_uid = %s AND workflow_namespace = %s"), [
            selector.workflow_uid,
            selector.workflow_namespace,
        ]
    return SQL("workflow_uid = %s"), [selector.workflow_uid]


def key(selector: Selector) -> Hashable:
    """What a reader is filed under."""
    if selector.general:
        return ("general",)
    if selector.run_id is not None:
        return ("run", selector.run_id)
    if selector.workflow_namespace is not None:
        return ("workflow", selector.workflow_uid, selector.workflow_namespace)
    return ("workflow", selector.workflow_uid)


def keys(
    run_id: str | None, workflow_uid: str | None, workflow_namespace: str | None, channel: str | None
) -> list[Hashable]:
    """Everything under which readers of a row may be filed."""
    found: list[Hashable] = []
    run = run_id if run_id is not None else workflow_uid
    if run is not None:
        found.append(("run", run))
    if workflow_uid is not None:
        found.append(("workflow", workflow_uid))
        if workflow_namespace is not None:
            found.append(("workflow", workflow_uid, workflow_namespace))
    if channel == GENERAL:
        found.append(("general",))
    return found
