"""Writes the pages of the reference that are made from the code.

`python docs/generate.py` writes them, `python docs/generate.py --check` ends with status 1 when one is stale.
A page is a module in `docs/pages/` with a function `page() -> str`; add it to `PAGES`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).resolve().parent

PAGES: Final = {
    "reference/commands.md": "commands",
    "reference/errors.md": "errors",
    "reference/options.md": "options",
    "reference/report.md": "report",
    "reference/report.schema.json": "report_schema",
    "reference/scenario.schema.json": "scenario_schema",
    "reference/scenarios.md": "scenarios",
    "reference/wire.md": "wire",
}
"""Each generated page and the module in `docs/pages/` that writes it."""


def render(name: str) -> str:
    """The text of the page `name`."""
    if str(DOCS / "pages") not in sys.path:
        sys.path.insert(0, str(DOCS / "pages"))
    page: Callable[[], str] = import_module(PAGES[name]).page
    return page().rstrip("\n") + "\n"


def stale(name: str, folder: Path = DOCS) -> bool:
    """Whether the page in `folder` differs from what the code says now."""
    path = folder / name
    return not path.is_file() or path.read_text(encoding="utf-8") != render(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check every page; the exit status."""
    parser = argparse.ArgumentParser(description="Write the generated pages of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    parser.add_argument("--folder", type=Path, default=DOCS, help="where the pages are (default: docs)")
    options = parser.parse_args(arguments)
    old = [name for name in PAGES if stale(name, options.folder)]
    for name in old:
        if options.check:
            sys.stderr.write(f"{options.folder / name} is stale; run `python docs/generate.py`\n")
        else:
            path = options.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(name), encoding="utf-8")
            sys.stdout.write(f"{path}\n")
    return int(options.check and bool(old))


if __name__ == "__main__":
    raise SystemExit(main())
