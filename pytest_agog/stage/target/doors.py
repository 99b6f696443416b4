"""The token of a play whose services demand one: made for it, or given by whoever runs the service elsewhere. [C10]"""

from __future__ import annotations

import os
import secrets
from typing import Final

from pytest_agog.errors import UsageError
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.target.parts import Part, PartElsewhere

VARIABLE: Final = "AGOG_HTTP_TOKEN"
"""Where a service, and a command that asks it, finds the token."""
_PREFIX: Final = "agogt_"
"""By which masking knows such a token wherever it stands."""


def token_for(scenario: Scenario, comms: Part, orchestrator: Part) -> str | None:
    """The play's token, None when no service demands one.

    Raises:
        UsageError: the service runs elsewhere, and its token was not given.
    """
    services = scenario.services
    guarded = [
        part
        for service, part in ((services.comms, comms), (services.orchestrator, orchestrator))
        if service is not None and service.token
    ]
    if not guarded:
        return None
    if any(isinstance(part, PartElsewhere) for part in guarded):
        given = os.environ.get(VARIABLE, "").split()
        if not given:
            raise UsageError(f"a service of this target is external and demands a token: give it in {VARIABLE}")
        return given[0]
    return f"{_PREFIX}{secrets.token_urlsafe(32)}"


def environment(token: str | None) -> dict[str, str]:
    """The variables that tell a process the token."""
    return {VARIABLE: token} if token is not None else {}
