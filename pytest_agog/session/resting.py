"""While a scenario is read and played, the garbage collector runs seldom, and it is not run when all is over."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from typing import Final

SELDOM: Final = (50_000, 20, 100)
"""Thresholds of the collector. Modules, models and the ledger are hundreds of thousands of objects that all stay; to
look through them again after every 700 new ones (Python's own threshold) is a third of the time of a small scenario."""


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """Raise the collector's thresholds, unless somebody has raised them further."""
    before = gc.get_threshold()
    if before[0] == 0 or before[0] >= SELDOM[0]:
        yield
        return
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def rest_for_good() -> None:
    """At the end of a run that played scenarios and nothing else, let nobody look for garbage any more.

    pytest does, twice, for exceptions that a test left in it, and so does the interpreter at its very end. With all
    that a scenario needs loaded, that is a fifth of the time that a small one takes. A pytest within a test of another
    one leaves the other's garbage alone.
    """
    if "PYTEST_CURRENT_TEST" not in os.environ:
        gc.freeze()
