"""Finding scenario files with a cheap look: YAML files whose top level has a key `agog`."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from pytest_agog.scenario.reading.source import MAX_BYTES

_AGOG: Final = re.compile(
    rb"""(?:\A(?:\xef\xbb\xbf)?|[\r\n])(?:agog|"agog"|'agog')[ \t]*:|\A\s*\{\s*["']?agog["']?\s*:"""
)
_NAME: Final = re.compile(
    rb"""(?:\A|[\r\n])name[ \t]*:[ \t]+["']?([A-Za-z0-9][A-Za-z0-9_-]*)["']?[ \t]*(?=#|\r|\n|\Z)"""
)
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})


def find(folder: Path) -> list[Path]:
    """All scenario files below `folder`, sorted; hidden folders, links to folders and other YAML files are left out.

    A YAML file that may not be read is among them: it could be a scenario, and a claim that is never judged must show.
    """
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(files):
            path = Path(root, name)
            if not name.endswith((".yaml", ".yml")) or name.startswith("."):
                continue
            if is_scenario(path) or _forbidden(path):
                found.append(path)
    return sorted(found)


def is_scenario(path: Path) -> bool:
    """Whether the file looks like a scenario: it has a top-level key `agog`. False when it cannot be read."""
    return _AGOG.search(_beginning(path)) is not None


def _forbidden(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode) and not os.access(path, os.R_OK)
    except OSError:
        return False


def name_of(path: Path) -> str | None:
    """The scenario's name, without reading the file as YAML; None when that does not show."""
    match = _NAME.search(_beginning(path))
    return match[1].decode("ascii") if match else None


def _beginning(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(MAX_BYTES)
    except (OSError, ValueError):
        return b""
