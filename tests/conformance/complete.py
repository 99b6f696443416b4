"""Every check has a conformance pair: a scenario that it must pass, and near misses that it must reject.

`make check` runs this file; it exits 1 and names what is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_agog.checks.registry import builtin_checks

HERE = Path(__file__).parent
NEAR_MISSES = 2
"""How many near misses each check must reject at least."""


def missing(folder: Path = HERE) -> list[str]:
    """What the conformance suite lacks, a line each."""
    lacking = []
    for name in builtin_checks():
        passing = sorted((folder / name).glob("pass-*.yaml"))
        rejected = sorted((folder / name).glob("reject-*.yaml"))
        if not passing:
            lacking.append(f"{name}: no scenario that it must pass (tests/conformance/{name}/pass-….yaml)")
        if len(rejected) < NEAR_MISSES:
            where = f"tests/conformance/{name}/reject-….yaml"
            lacking.append(f"{name}: {len(rejected)} near misses, {NEAR_MISSES} are needed ({where})")
    known = set(builtin_checks())
    lacking += [f"{path.name}: a folder for no check" for path in sorted(folder.iterdir()) if _strange(path, known)]
    return lacking


def _strange(path: Path, known: set[str]) -> bool:
    return path.is_dir() and path.name not in known and any(path.glob("*.yaml"))


if __name__ == "__main__":
    found = missing()
    for line in found:
        print(line, file=sys.stderr)
    sys.exit(1 if found else 0)
