"""Who does it: by the agent that is stated, else by files, else by words; else a human decides. [O4]

Files outrank words. A file belongs to the lane with the longest prefix of it, and the lane with most files wins.
Without a file that any lane knows, the lane with most distinct words and phrases of the table wins. A tie goes to a
human, with the reasons; so does what matches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning import lanes, paths, wording
from pytest_agog.reference.orchestrator.planning.routing_table import FOLDERS, PHRASES, SINGLE_FILES

_SHOWN: Final = 3
_LAST: Final = frozenset(prefix.rpartition("/")[2] for prefix in (*FOLDERS, *SINGLE_FILES))
"""Last parts of what the table has: only such a file can be in it itself."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a requirement goes, and why."""

    lane: str | None
    """None: a human decides."""
    agent: str | None
    matter: frozenset[str]
    """Lanes that its text or files touch."""
    reasons: tuple[str, ...]


def route(stated: Stated, words: wording.Wording | None = None, files: paths.Paths | None = None) -> Routing:
    """Decide about one requirement.

    Args:
        stated: the requirement.
        words: its words, when they are read already.
        files: its paths, when they are read already.
    """
    words = words or wording.read(stated)
    said = {} if words.set.isdisjoint(PHRASES) else by_words(words.all)
    held = by_files((files or paths.read(stated.files)).all)
    matter = _lanes(*said, *held)
    if stated.agent is not None:
        lane, agent = lanes.stated(stated.agent)
        return Routing(lane, agent, matter, (f"agent {stated.agent} is stated",))
    found, what, shown = (held, "files", _files) if held else (said, "words", _words)
    if not found:
        where = "no file and no word" if stated.files else "no files, and no word"
        return Routing(None, None, matter, (f"{where} of it stands in the routing table",))
    if len(found) == 1:
        lane = next(iter(found))
        return Routing(lane, lanes.AGENT_OF[lane], matter, (shown(lane, found[lane]),))
    most = max(map(len, found.values()))
    best = sorted(lane for lane, some in found.items() if len(some) == most)
    told = tuple(shown(lane, found[lane]) for lane in sorted(found, key=lambda lane: (-len(found[lane]), lane)))
    if len(best) > 1:
        return Routing(None, None, matter, (f"as many {what} of {' as of '.join(best)}", *told))
    lane = best[0]
    return Routing(lane, lanes.AGENT_OF[lane], matter, told)


@lru_cache(maxsize=1024)
def _lanes(*names: str) -> frozenset[str]:
    """The same set for the same lanes: there are few of them and many requirements."""
    return frozenset(names)


def matter(stated: Stated) -> frozenset[str]:
    """The lanes that the text or the files of a requirement touch; the chain has a stage for each that builds. [O11]"""
    return route(stated).matter


def by_words(words: Sequence[str]) -> dict[str, dict[str, None]]:
    """By lane the distinct phrases of the table that stand in a text. A longer one hides the shorter inside it."""
    found: dict[str, dict[str, None]] = {}
    skip = 0
    for at, word in enumerate(words):
        known = PHRASES.get(word)
        if known is None or at < skip:
            continue
        for form, phrase, lane in known:
            if len(form) == 1 or tuple(words[at : at + len(form)]) == form:
                found.setdefault(lane, {})[phrase] = None
                skip = at + len(form)
                break
    return found


def by_files(files: Sequence[str]) -> dict[str, dict[str, None]]:
    """By lane the files that it knows.

    Args:
        files: paths, in one form.
    """
    found: dict[str, dict[str, None]] = {}
    for file in files:
        lane = lane_of_file(file)
        if lane is not None:
            found.setdefault(lane, {})[file] = None
    return found


def lane_of_file(file: str) -> str | None:
    """The lane with the longest prefix of a path, or None."""
    folder, _, name = file.rpartition("/")
    if name.casefold() in _LAST:
        path = file.casefold()
        if path in SINGLE_FILES:
            return SINGLE_FILES[path]
        if path in FOLDERS:
            return FOLDERS[path]
    return _lane_of_folder(folder) if folder else None


@lru_cache(maxsize=4096)
def _lane_of_folder(folder: str) -> str | None:
    folder = folder.casefold()
    return next((FOLDERS[one] for one in (folder, *paths.above(folder)) if one in FOLDERS), None)


def _words(lane: str, phrases: Mapping[str, None]) -> str:
    return f"words of {lane}: {_some(phrases)}"


def _files(lane: str, files: Mapping[str, None]) -> str:
    return f"files of {lane}: {_some(files)}"


def _some(names: Mapping[str, None]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(list(names)[:_SHOWN])} and {len(names) - _SHOWN} more"
