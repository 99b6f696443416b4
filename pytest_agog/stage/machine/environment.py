"""What a command gets of the harness's own environment, and which program its first word means."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from collections.abc import Sequence
from typing import Final

_NOT_INHERITED: Final = (
    "NATS_URL", "NATS_CREDS", "NATS_NKEY", "NATS_CA", "NATS_USER", "NATS_INBOX_PREFIX",
    "DATABASE_URL", "AGENT_OUTPUT_DIR", "AGOG_COMMS_URL", "PYTEST_CURRENT_TEST",
)  # fmt: skip
"""What the scenario's own services and folders stand for; the user's must not be mistaken for them."""
_NOT_INHERITED_PREFIXES: Final = ("PYTEST_XDIST_", "AGOG_HTTP_")
_AGENT_PREFIX: Final = re.compile(r"AGOG_(AGENT|TASK|FEATURE|REQUIREMENT|SUBJECT|INPUTS)")


def resolve_command(command: Sequence[str]) -> list[str]:
    """`command` with `python` and `agog` replaced by the harness's own."""
    first, *rest = command
    if first in {"python", "python3"}:
        return [sys.executable, *rest]
    if first == "agog":
        return [sys.executable, "-m", "pytest_agog", *rest]
    return [first, *rest]


def inherited() -> dict[str, str]:
    """What commands get of the harness's own environment, with the harness's scripts first in PATH."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED
        and not name.startswith(_NOT_INHERITED_PREFIXES)
        and not _AGENT_PREFIX.fullmatch(name)
    }
    kept["PATH"] = os.pathsep.join((sysconfig.get_path("scripts"), kept.get("PATH", os.defpath)))
    return kept
