"""Several files together: roadmaps in Markdown, requirements and issues in JSON. [O1]"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import ids, roadmap
from pytest_agog.reference.orchestrator.intake.requests import read_json
from pytest_agog.reference.orchestrator.intake.stated import Stated, Taken, Unreadable

_JSON: Final = (b"[", b"{")
_ID: Final = re.compile(rb"REQ-[A-Za-z0-9-]+")
_UNTITLED: Final = "REQ-042: title"


def read_files(paths: Sequence[Path]) -> Taken:
    """All requirements of the files, in the order given; an id that two files have counts where it came first.

    Raises:
        BadInput: a file cannot be read, is neither, or holds nothing; `file:line: message`.
    """
    datas = [(str(path), _bytes(path)) for path in paths]
    taken: dict[str, Stated] = {}
    unreadable: list[Unreadable] = []
    numbering = ids.Numbering()
    for _, data in datas:  # a number that is given must be free in all files, also in those that are read later
        for identity in _ID.findall(data):
            numbering.take(identity.decode())
    read = [
        read_json(data, name=name, numbering=numbering) if _is_json(name, data) else _roadmap(data, name)
        for name, data in datas
    ]
    for part in read:
        unreadable += part.unreadable
        for item in part.requirements:
            first = taken.setdefault(item.id, item)
            if first is not item:
                why = (
                    f"{item.id}: stands in {first.file}:{first.line} already; every requirement needs an id of its own"
                )
                unreadable.append(Unreadable(item.line, why, item.file))
    order = {name: at for at, (name, _) in reversed(list(enumerate(datas)))}
    unreadable.sort(key=lambda item: (order[item.file], item.line))
    return Taken(tuple(taken.values()), tuple(unreadable))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}:1: cannot be read: {error.strerror or error}. Give a roadmap (Markdown) or requirements (JSON)."
        ) from None


def _is_json(name: str, data: bytes) -> bool:
    """By its name, else by its first sign. A roadmap may begin with a link, but then has a heading."""
    if name.lower().endswith((".json", ".md", ".markdown")):
        return name.lower().endswith(".json")
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(_JSON) and b"\n#" not in start.replace(b"\r", b"\n")


def _roadmap(data: bytes, name: str) -> Taken:
    taken = roadmap.parse(data, name=name).taken
    if data.strip(b"\xef\xbb\xbf \t\r\n") and not taken.requirements and not taken.unreadable:
        raise BadInput(f"{name}:1: holds no requirement. Begin each with a heading such as `### {_UNTITLED}`.")
    return taken
