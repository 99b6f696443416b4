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


def decide(
    stated: Stated, words: wording.Wording | None = None, files: paths.Paths | None = None
) -> tuple[str | None, str | None, frozenset[str]]:
    """Lane, agent and matter of one requirement; `route` gives the reasons too.

    Args:
        stated: the requirement.
        words: its words, when they are read already.
        files: its paths, when they are read already.
    """
    said, held = _found(stated, words, files)
    matter = _lanes(*said, *held)
    if stated.agent is not None:
        return (*lanes.stated(stated.agent), matter)
    best = _best(held or said)
    return (best[0], lanes.AGENT_OF[best[0]], matter) if len(best) == 1 else (None, None, matter)


def route(stated: Stated) -> Routing:
    """Decide about one requirement, and say why."""
    lane, agent, matter = decide(stated)
    if stated.agent is not None:
        return Routing(lane, agent, matter, (f"agent {stated.agent} is stated",))
    said, held = _found(stated)
    found, what = (held, "files") if held else (said, "words")
    if not found:
        where = "no file and no word" if stated.files else "no files, and no word"
        return Routing(lane, agent, matter, (f"{where} of it stands in the routing table",))
    told = tuple(
        f"{what} of {one}: {_some(found[one])}" for one in sorted(found, key=lambda one: (-len(found[one]), one))
    )
    best = _best(found)
    if len(best) > 1:
        told = (f"as many {what} of {' as of '.join(best)}", *told)
    return Routing(lane, agent, matter, told)


_Found = dict[str, dict[str, None]]
"""By lane what of the table was found, each once."""


def _found(
    stated: Stated, words: wording.Wording | None = None, files: paths.Paths | None = None
) -> tuple[_Found, _Found]:
    words = words or wording.read(stated)
    said: _Found = {} if words.set.isdisjoint(PHRASES) else by_words(words.all)
    return said, by_files((files or paths.read(stated.files)).all)


def _best(found: _Found) -> list[str]:
    """The lanes with most."""
    if len(found) < 2:
        return list(found)
    most = max(map(len, found.values()))
    return sorted(lane for lane, some in found.items() if len(some) == most)


@lru_cache(maxsize=1024)
def _lanes(*names: str) -> frozenset[str]:
    """The same set for the same lanes: there are few of them and many requirements."""
    return frozenset(names)


def matter(stated: Stated) -> frozenset[str]:
    """The lanes that the text or the files of a requirement touch; the chain has a stage for each that builds. [O11]"""
    return decide(stated)[2]


def by_words(words: Sequence[str]) -> _Found:
    """By lane the distinct phrases of the table that stand in a text. A longer one hides the shorter inside it."""
    found: _Found = {}
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


def by_files(files: Sequence[str]) -> _Found:
    """By lane the files that it knows.

    Args:
        files: paths, in one form.
    """
    found: _Found = {}
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


def _some(names: Mapping[str, None]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(list(names)[:_SHOWN])} and {len(names) - _SHOWN} more"
