"""Paths as requirements name them, in one form: no `./`, no backslashes, folders without their last slash."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_ODD: Final = re.compile(r"\\|//|\./|/\.|^\s|\s$")
_SIGNS: Final = ("\\", "//", "./", "/.", "/\n", "\n/", "*", " ", "\t", "\r", "\n\n")
"""What stands in a path that is not in that form yet."""
_FOLDERS: Final = ("/", "/**", "/*")


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths that one requirement names, each once, relative to the project's root."""

    all: tuple[str, ...] = ()
    folders: frozenset[str] = frozenset()
    """Those of them that stand for all that is in them (`src/api/`, `src/api/**`)."""


NONE: Final = Paths()


def read(files: tuple[str, ...]) -> Paths:
    """The paths in one form."""
    # Most are in that form already; looking at all of them at once is several times faster.
    together = "\n".join(("", *files, ""))
    if not any(map(together.__contains__, _SIGNS)):
        return Paths(files if len(set(files)) == len(files) else tuple(dict.fromkeys(files))) if files else NONE
    found: dict[str, bool] = {}
    for file in files:
        path, folder = clean(file)
        if path:
            found[path] = folder or found.get(path, False)
    if not found:
        return NONE
    return Paths(tuple(found), frozenset(path for path, folder in found.items() if folder))


def clean(path: str) -> tuple[str, bool]:
    """The path, and whether it names a whole folder."""
    if _ODD.search(path):
        path = path.strip().replace("\\", "/")
        folder = path.endswith(_FOLDERS)
        path = posixpath.normpath(path) + ("/" if folder else "")
    if path.endswith(_FOLDERS):
        return path.rstrip("*/").lstrip("/"), True
    return path.lstrip("/") if path[:1] == "/" else path, False


def above(path: str) -> Iterator[str]:
    """The folders that a path lies in, from the innermost outwards."""
    at = path.rfind("/")
    while at > 0:
        path = path[:at]
        yield path
        at = path.rfind("/")
