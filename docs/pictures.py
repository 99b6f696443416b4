"""Makes the pictures of the documentation from real runs: `python docs/pictures.py`.

Each is what a terminal of 100 columns shows, exported by rich as SVG. Times and ports differ from run to run, so the
pictures are not checked for being stale; make them anew when what the terminal shows has changed.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

DOCS: Final = Path(__file__).resolve().parent
WIDTH: Final = 100
SCENARIO: Final = """\
agog: 1
name: customer-search
agents:
  cynthia:
    report: {generate: {tokens: 4000, seed: 1}}
  sylvia:
    notice: {deliverable: nats://agog.deliverables.sylvia.critique.costumer-search}
steps:
  - chain:
      feature: customer-search
      turns:
        - {agent: cynthia, task: research}
        - {agent: sylvia, task: critique, fetches: ["cynthia#Summary"]}
proof:
  - id: notices-resolve
    claim: Every completion notice leads to a report
    check: notice
    with: {resolves: true}
"""


PYTEST: Final = ["-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--color=yes"]
# Pages are read without a network too, so the terminal's font is the reader's own.
_FORMAT: Final = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def picture(name: str, title: str, arguments: list[str], first: str, last: str) -> None:
    """Run `python ARGUMENTS`, and keep from the line that holds `first` to the one that holds `last`."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "customer-search.yaml").write_text(SCENARIO, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=folder, env=_environment(), check=False, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    lines = Text.from_ansi(done.stdout).split("\n")
    start = next(number for number, line in enumerate(lines) if first in line.plain)
    end = next(number for number, line in enumerate(lines) if number > start and last in line.plain)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in lines[start : end + 1]:
        console.print(line, soft_wrap=True)
    path = DOCS / "images" / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    # A fixed id: rich would otherwise make one from the content, and every line would change.
    console.save_svg(str(path), title=title, code_format=_FORMAT, unique_id=f"agog-{name}")
    sys.stdout.write(f"{path}\n")


def _environment() -> dict[str, str]:
    """With `pytest` in PATH, so that the command to run again is as short as a reader's."""
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    more = {"PATH": path, "COLUMNS": str(WIDTH), "PYTHONWARNINGS": "ignore", "FORCE_COLOR": "1"}
    return {**os.environ, **more, "TERM": "xterm-256color"}


if __name__ == "__main__":
    picture("demo", "agog demo", ["-m", "pytest_agog", "demo"], "six-agent-handover", "  priya")
    several = ["partial-fetch", "messy-output", "retry-stores-once", "revisions"]
    chosen = [f"--agog-scenario={scenario}" for scenario in several]
    picture("run", "pytest --agog-scenario", [*PYTEST, *chosen], "= scenarios =", "total")
    failed = "--agog-scenario=customer-search.yaml"
    picture("failure", f"pytest {failed}", [*PYTEST, failed], "Every completion notice", "again")
