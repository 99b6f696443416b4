"""Whether another instance of an agent is started. [O6] [O8]"""

from __future__ import annotations

from pytest_agog.reference.orchestrator.planning.config import BudgetConfig


def refuses_instance(
    agent: str, *, running: int, queued: int, conserving: bool, tight: bool, budget: BudgetConfig, most: int
) -> str | None:
    """Why an agent takes no further work now, or None when it may.

    The first instance is always allowed. One agent does several independent requirements one after the other as long
    as its queue is short: that is fast, and nothing has to be merged.

    Args:
        agent: who would do it.
        running: instances that run, or are about to.
        queued: requirements that wait for this agent, those that another instance has just been started for left out.
        conserving: whether conservation mode holds.
        tight: whether the budget would come near its limit.
        budget: limits.
        most: instances of one agent at once.
    """
    if not running:
        return None
    if conserving:
        return f"{agent} is busy, and conservation mode allows no further instance"
    if queued <= budget.queue:
        return (
            f"{agent} is busy; {queued} in its queue are no reason for another instance (more than {budget.queue} are)"
        )
    if running >= most:
        return f"{agent} runs {running} instances already"
    if tight:
        return f"{agent} is busy, and the budget is too near its limit for another instance"
    return None
