"""`python -m benchmarks [NAME…]`: run all `bench_*.py` modules, or those named, and print one table.

Each has `run() -> list[Result]`. The exit status is 1 when a goal was missed.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Result, table


def modules(wanted: Sequence[str]) -> list[str]:
    """Names of benchmark modules, all or those that contain a wanted word."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    return [name for name in found if not wanted or any(word in name for word in wanted)]


def main(wanted: Sequence[str]) -> int:
    """Run and print; returns the exit status."""
    names = modules(wanted)
    if not names:
        print(f"no benchmark is called {' or '.join(wanted)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        results += importlib.import_module(f"benchmarks.{name}").run()
    print(table(results))
    return 0 if all(each.ok for each in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
