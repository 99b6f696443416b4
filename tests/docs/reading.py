"""The documentation as tests see it: pages, their fenced blocks, their links, the words in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
GENERATED: Final = "reference"
_FENCE: Final = re.compile(r"( *)```(\S*)")
_MARK: Final = re.compile(r"<!-- (file|edit|append): (\S+) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    """Of its first line of text; from 1."""
    language: str
    text: str
    mark: str = ""
    """`file`, `edit` or `append`, when a comment before it says what a reader does with it."""
    target: str = ""

    @property
    def place(self) -> str:
        """For messages and ids."""
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def pages() -> list[Path]:
    """Everything that a reader is sent to."""
    top = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [
        *top,
        *sorted((ROOT / "docs").rglob("*.md")),
        ROOT / "scenarios" / "README.md",
        ROOT / "fixtures" / "README.md",
    ]


def written_pages() -> list[Path]:
    """Those that people wrote."""
    return [page for page in pages() if page.parent.name != GENERATED]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    start, fence, mark = 0, None, None
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence is None and found:
            start, fence = number + 1, found
        elif fence is not None and line.strip() == "```":
            text = "".join(f"{inner.removeprefix(fence[1])}\n" for inner in lines[start:number])
            marked = (mark[1], mark[2]) if mark else ("", "")
            yield Block(page, start + 1, fence[2], text, *marked)
            fence, mark = None, None
        elif fence is None and line.strip():
            mark = _MARK.fullmatch(line.strip())


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def code_spans(page: Path) -> list[str]:
    """What stands between backticks in the text."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = set()
    for line in prose(page).splitlines():
        if line.startswith("#"):
            title = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(title.replace(" ", "-"))
    return found


def links(page: Path) -> list[str]:
    """Where links and pictures of a page lead, outside of code."""
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    return re.findall(r"!?\[[^\]]*\]\(([^()\s]+)\)", text)
