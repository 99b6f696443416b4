"""All checks by name. Plugins add theirs through the hook `pytest_agog_checks`; nothing is kept between runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_agog.checks.base import Check
from pytest_agog.errors import BadInput

Checks = dict[str, Check[Any]]


def builtin_checks() -> Checks:
    """The checks that ship with the package."""
    from pytest_agog.checks import (
        deliverables,
        durability,
        messages,
        notices,
        prompts,
        surroundings,
        tables,
        tokens,
        topology,
    )

    modules = (topology, messages, deliverables, notices, prompts, tables, surroundings, durability, tokens)
    return register({}, (check for module in modules for check in module.CHECKS))


def register(checks: Checks, more: Iterable[Check[Any]]) -> Checks:
    """`checks` with `more` added.

    Raises:
        BadInput: two checks have one name.
    """
    together = dict(checks)
    for check in more:
        if check.name in together:
            raise BadInput(f"two checks are named {check.name!r}; rename the one that a plugin adds")
        together[check.name] = check
    return together
