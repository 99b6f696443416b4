"""Untrusted text in GitHub's Markdown: shown as it is, never obeyed."""

from __future__ import annotations

import re
from typing import Final

from pytest_agog.report.text import clean, one_line

# Everything that begins markup anywhere in a line. As character references, not with backslashes: a backslash before a
# pipe still ends a cell in some renderers, and a reference means the same in every place, HTML included.
_REFERENCES: Final = {ord(c): f"&#{ord(c)};" for c in "\\`*_{}[]<>&~|@#$!^=\"'"}
_SCHEME: Final = re.compile(r"(?<=[A-Za-z0-9+.-]):(?=/)")
_WWW: Final = re.compile(r"(?<=www)\.", re.IGNORECASE)
# What begins a list, a heading's underline or a rule, when it stands first.
_FIRST: Final = re.compile(r"^(?:[-+]|\d{1,9}(?=[.)]))")


def escape(text: str) -> str:
    """`text` on one line, fit for a paragraph, a list item or a table cell: no markup, HTML, links or mentions."""
    plain = one_line(text).translate(_REFERENCES)
    plain = _WWW.sub("&#46;", _SCHEME.sub("&#58;", plain))
    return _FIRST.sub(lambda found: "".join(f"&#{ord(c)};" for c in found[0]), plain)


def fence(text: str) -> str:
    """`text` as a fenced code block whose fence is longer than any run of backticks within it."""
    body = clean(text).strip("\n")
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}text\n{body}\n{mark}"


def code(text: str) -> str:
    """`text` as inline code. HTML's element instead of backticks: those cannot hold every text in a table cell."""
    return f"<code>{escape(text)}</code>"
