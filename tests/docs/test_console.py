"""The pages that show commands with their output are followed step by step, and the output is what they show.

A page's marked blocks write, edit and lengthen files; `console` blocks run. What a page shows of an output must come in
it, line by line and in that order; numbers may differ, since times and sizes do, and a line that ends in … goes on.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.reading import ROOT, Block, blocks, pages

PATIENCE: Final = 90
FOLLOWED: Final = [page for page in pages() if any(block.language == "console" for block in blocks(page))]
RUN_AS: Final = {
    "agog": [sys.executable, "-m", "pytest_agog"],
    "pytest": [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--color=no"],
}


def steps(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines that it prints."""
    command, output = "", list[str]()
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, output
            command, output = line[2:], []
        else:
            output.append(line)
    yield command, output


def edited(text: str, diff: str) -> str:
    """`text` after an edit that is shown as a diff without line numbers."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"the page edits what is not there: {old}"
    return text.replace(old, new)


def without_numbers(line: str) -> str:
    """A line as it is compared: times, sizes, and the space before them, differ from run to run."""
    line = re.sub(r"\b[\d.,:]*\d(ms|s|kB|%)?(?![\w-])", "#", line)
    return re.sub(r" +", " ", re.sub(r"=+", "=", line)).strip()


def missing(shown: list[str], printed: str) -> list[str]:
    """The lines that a page shows and the command did not print in that order."""
    actual = iter([without_numbers(line) for line in printed.splitlines()])
    return [line for line in shown if line.strip() and not any(fits(line, found) for found in actual)]


def fits(shown: str, found: str) -> bool:
    """Whether a line of a page is this line of the output."""
    if shown.endswith("…"):
        return found.startswith(without_numbers(shown.removesuffix("…")))
    return found == without_numbers(shown)


def run(command: str, folder: Path) -> str:
    """What the command prints; it may fail, as some on the pages do on purpose."""
    first, _, rest = command.partition(" ")
    words = " ".join(f"'{word}'" for word in RUN_AS.get(first, [first]))
    path = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "COLUMNS": "80", "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTEST_ADDOPTS", None)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{words} {rest}"],
        cwd=folder, env=environment, check=False, timeout=PATIENCE, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert "Traceback" not in done.stdout
    return done.stdout


def test_there_are_pages_to_follow() -> None:
    assert ROOT / "docs" / "tutorial.md" in FOLLOWED


@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_page_shows_what_happens(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        target = tmp_path / block.target
        if block.mark == "file":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.mark == "append":
            with target.open("a", encoding="utf-8") as file:
                file.write(block.text)
        elif block.mark == "edit":
            target.write_text(edited(target.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        elif block.language == "console":
            for command, shown in steps(block):
                printed = run(command, tmp_path)
                assert missing(shown, printed) == [], f"{block.place}: {command}\n{printed}"


def test_excerpts_of_a_starter_are_in_it(tmp_path: Path) -> None:
    """The tutorial shows parts of what `agog new` writes."""
    run("agog new customer-search", tmp_path)
    starter = (tmp_path / "customer-search.yaml").read_text(encoding="utf-8")
    shown = [block for block in blocks(ROOT / "docs" / "tutorial.md") if block.language == "yaml" and not block.mark]
    assert len(shown) >= 3
    for block in shown:
        lines = iter(starter.splitlines())
        assert [line for line in block.text.splitlines() if line and line not in lines] == [], block.place
