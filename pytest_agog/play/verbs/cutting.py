"""The step `cut`: the network between two parts goes away, and comes back."""

from __future__ import annotations

from pytest_agog.ledger.facts import ComponentActed
from pytest_agog.play.context import PlayContext
from pytest_agog.scenario.comms_steps import Cut
from pytest_agog.scenario.scenario import Step


async def play_cut(context: PlayContext, step: Step, cut: Cut) -> None:
    """Cut a link, or heal it. The play goes on at once; one that is cut `for` some time heals by itself.

    Healing a link that is whole changes nothing.

    Raises:
        UsageError: there is no such link: comms is external.
    """
    link, ledger = context.stage.link(cut.link), context.ledger

    def healed() -> None:
        ledger.append(ComponentActed(cut.link, "healed"))

    if cut.heal:
        was_cut = link.is_cut
        await link.heal()
        if was_cut:
            healed()
        return
    context.progress(f"cutting {cut.link}")
    # Written down first: what follows from it may be seen before this goes on.
    ledger.append(ComponentActed(cut.link, "cut", "" if cut.for_ is None else f"for {cut.for_:g}s"))
    await link.cut(cut.for_, healed)
