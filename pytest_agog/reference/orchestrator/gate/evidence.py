"""Evidence that a report states for what no command of the gate proves. [O12]

The rule. A report has a section whose heading holds one of the words evidence, verification, verified, validation,
proof, testing or "test results" (a heading as Markdown has it; its subsections belong to it). In it, evidence is a
command with the output that it gave:

- a code block with a line `$ command` and lines below it that are its output; or
- a code block of a shell (```sh, ```bash …) or a line with `command` in backquotes, and the next code block, which is
  its output.

What it is evidence of is said by the words above it, up to the block or heading before, or by the headings above it
(their words that make them evidence apart):

- use: use, used, usage, manual, smoke, demo, end-to-end, e2e, request, called, tried, started
- results: result(s), verified, checked, compared, matches, expected, output, data, value(s)
- errors: error(s), invalid, failure(s), edge, negative, rejected, refused, missing, unauthorised, malformed, wrong,
  boundary

A command without output, output without a command, output that says nothing (`...`, `TODO`), and a sentence that says
that something was done are no evidence. `tests` and `build` cannot be stated: only what the gate ran itself counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from pytest_agog.reference.orchestrator.gate.config import Proof

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

STATED: Final[tuple[Proof, ...]] = ("use", "results", "errors")
"""What a report may prove by evidence."""
_SECTION: Final = re.compile(
    r"\b(?:evidence|verification|verified|validation|proof|testing|test results?)\b", re.IGNORECASE
)
_WORDS: Final[dict[Proof, re.Pattern[str]]] = {
    "use": re.compile(
        r"\b(?:use|used|usage|using|manual|manually|smoke|demo|end-to-end|e2e|requests?|called|tried|started)\b",
        re.IGNORECASE,
    ),
    "results": re.compile(
        r"\b(?:results?|verif(?:y|ied|ies)|check(?:ed|s)?|compared?|match(?:es|ed)?|expected|outputs?|data|values?)\b",
        re.IGNORECASE,
    ),
    "errors": re.compile(
        r"\b(?:errors?|invalid|failures?|edge|negative|reject(?:ed|s)?|refused?|missing|unauthori[sz]ed|malformed|wrong"
        r"|boundary)\b",
        re.IGNORECASE,
    ),
}
_SHELLS: Final = frozenset({"sh", "bash", "zsh", "shell", "shell-session", "shellsession", "powershell", "cmd", "fish"})
_PROMPT: Final = re.compile(r"\s*(?:\$|>|PS [^>]*>) +\S")
_INLINE: Final = re.compile(r"`([^`\n]{2,500})`")
_RUNS: Final = re.compile(r"[\w./~-]+(?: \S.*|\.(?:sh|py|bat))", re.DOTALL)
"""A command in backquotes: a program with arguments, or a script; not the name of a function or a field."""
_EMPTY: Final = re.compile(
    r"[\W_]*(?:(?:todo|tbd|n/?a|none|output|here|goes|see|above|below|omitted|truncated|placeholder|your|the|paste|insert)"
    r"[\W_]*){0,8}\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A command and its output, as a report states them."""

    proofs: frozenset[Proof]
    """What the words around it say that it proves."""
    command: str
    output: str


def stated(report: str) -> list[Evidence]:
    """All evidence in a report, in its order."""
    reader = _Reader()
    for token in _parser().parse(report.replace("\r\n", "\n")):
        reader.take(token)
    return reader.found


def proven(report: str) -> frozenset[Proof]:
    """What the report's evidence proves."""
    return frozenset(proof for one in stated(report) for proof in one.proofs)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


class _Reader:
    """Goes through a report's blocks."""

    def __init__(self) -> None:
        self.found: list[Evidence] = []
        self._titles: list[tuple[int, str]] = []
        """Headings above, from the top."""
        self._level = 0
        self._words: list[str] = []
        """Text since the last block or heading."""
        self._command = ""
        """Waits for its output."""
        self._command_words = ""

    def take(self, token: Token) -> None:
        """The next block."""
        if token.type == "heading_open":
            self._level = int(token.tag[1:])
            self._forget()
        elif token.type == "inline" and self._level:
            self._titles = [title for title in self._titles if title[0] < self._level]
            self._titles.append((self._level, token.content))
            self._level = 0
        elif token.type == "inline":
            self._text(token.content)
        elif token.type in ("fence", "code_block") and self._inside():
            self._block(token.info.strip().split(" ")[0].lower(), token.content)

    def _inside(self) -> bool:
        return any(_SECTION.search(title) for _, title in self._titles)

    def _forget(self) -> None:
        self._words, self._command, self._command_words = [], "", ""

    def _text(self, text: str) -> None:
        self._words.append(text)
        commands = [found for found in _INLINE.findall(text) if _RUNS.fullmatch(found.strip())]
        if commands:
            self._command, self._command_words = commands[-1], ""

    def _block(self, language: str, content: str) -> None:
        lines = content.split("\n")
        prompts = [index for index, line in enumerate(lines) if _PROMPT.match(line)]
        around = " ".join([self._command_words, *self._words])
        if prompts:
            for begin, end in zip(prompts, [*prompts[1:], len(lines)], strict=True):
                self._add(around, lines[begin], "\n".join(lines[begin + 1 : end]))
            self._forget()
        elif language in _SHELLS:
            self._words, self._command, self._command_words = [], content, around
        else:
            self._add(around, self._command, content)
            self._forget()

    def _add(self, around: str, command: str, output: str) -> None:
        if not command.strip() or _EMPTY.match(output.strip()):
            return
        # "Test results" says that this is evidence, and not of what.
        titles = [_SECTION.sub(" ", title) for _, title in self._titles]
        proofs = _proofs([around, *titles])
        self.found.append(Evidence(proofs, command.strip(), output))


def _proofs(texts: Sequence[str]) -> frozenset[Proof]:
    return frozenset(proof for proof, words in _WORDS.items() if any(words.search(text) for text in texts))
