"""How a part of a target runs: as processes that the harness starts, or somewhere else already."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput

VARIABLES: Final = (
    "nats", "postgres", "url", "host", "port", "workers", "instance", "config",
    "nats_address", "nats_user", "nats_password", "nats_nkey", "nats_creds", "nats_ca", "nats_inbox_prefix",
)  # fmt: skip
"""What the words of a process may name as `${name}`: the services' addresses, its own, how it should be set up, and how
it shows NATS who it is. `nats` holds user and password where there are some, `nats_address` never does."""
_VARIABLE: Final = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")


@dataclass(frozen=True)
class PartProcess:
    """A command that the harness starts, once for each instance; never through a shell."""

    command: tuple[str, ...]
    """Its words; `python` and `agog` are the harness's own."""
    ready: str = "${url}/readyz"
    """It is ready when this URL answers with a status of 200 to 299."""
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of what every command inherits."""
    cwd: Path | None = None
    prints: str | None = None
    """It has no URL to be asked at, and is ready when it has printed a line that contains this."""
    preload: tuple[str, ...] = ()
    """Modules of an `agog` command that are loaded beforehand, so that it starts as a fork (`stage.forkserver`)."""


@dataclass(frozen=True)
class PartElsewhere:
    """It runs already, and is not ours to start, kill or stop."""

    url: str
    """Where its HTTP service is; empty when it has none."""


Part = PartProcess | PartElsewhere


@dataclass(frozen=True)
class CrewParts:
    """How orchestrator and host listener run."""

    orchestrator: Part
    listener: Part


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with `${name}` replaced; `$${` stays as `${`.

    Raises:
        BadInput: there is no such name.
    """

    def replace(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        if found[2] not in values:
            raise BadInput(f"there is no variable ${{{found[2]}}}; there are {', '.join(values)}")
        return values[found[2]]

    return _VARIABLE.sub(replace, text)


def unknown_variables(text: str) -> list[str]:
    """The names in `text` that `filled` would not know."""
    return [name for escaped, name in _VARIABLE.findall(text) if not escaped and name not in VARIABLES]
