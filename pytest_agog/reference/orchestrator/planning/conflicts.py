"""What cannot be worked at side by side: shared files, a breaking change under another, what met in conflicts before.

Two conflict when more than 20 % of the smaller set of files is shared, when either is a breaking change that touches
anything of the other, or when memory says so. [O6] [L1] Nothing here compares all pairs: whoever asks looks at those
only who hold the same paths.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Generic, TypeVar

from pytest_agog.reference.orchestrator.planning import paths
from pytest_agog.reference.orchestrator.planning.lessons import Lessons

EXCLUSIVE: Final = 0
"""Meets everybody who holds the same key."""
BELOW, LEFT, RIGHT = 1, 1, 2
"""Meet those only who hold the key in another way: files in a folder, the two sides of a lesson."""
_MANY: Final = 4
"""Up to so many files any shared one is more than 20 %."""
_SHARE: Final = 5
"""One in so many is 20 %."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What a requirement touches while it is worked at."""

    paths: tuple[str, ...] = ()
    """Each once; what most others touch comes last."""
    marks: tuple[tuple[str, int], ...] = ()
    """Folders, lessons and breaking changes, with the way they are held."""
    breaking: bool = False

    @property
    def touchy(self) -> bool:
        """Whether a single shared file is a conflict."""
        return self.breaking or len(self.paths) <= _MANY

    @property
    def size(self) -> int:
        """Class of size: two need more shared files than the smaller of their classes to conflict."""
        return len(self.paths) // _SHARE


NOTHING: Final = Touch()
Who = TypeVar("Who", bound=Hashable)


def overlap(one: Touch, other: Touch) -> float:
    """Share of the smaller set of files that is in both; 0 when either is empty."""
    if not one.paths or not other.paths:
        return 0.0
    return len(set(one.paths).intersection(other.paths)) / min(len(one.paths), len(other.paths))


def touches(
    ids: Sequence[str], files: Sequence[paths.Paths], breaking: Mapping[str, frozenset[str]], lessons: Lessons
) -> list[Touch]:
    """What each requirement touches.

    Args:
        ids: what each is called.
        files: the paths that each names.
        breaking: by id of a breaking change those that it affects though they share no file.
        lessons: which paths met in conflicts.
    """
    many = any(len(some.all) > _MANY for some in files)
    often = Counter(chain.from_iterable(some.all for some in files)) if many else {}
    folders = {path for some in files if some.folders for path in some.folders}
    sides = _sides(lessons)
    affected: dict[str, list[tuple[str, int]]] = {}
    for identity, others in breaking.items():
        for one in sorted(others):
            affected.setdefault(one, []).append((f"\0{identity}", BELOW))
    found = []
    for identity, some in zip(ids, files, strict=True):
        # Of many, rare ones first. The order in which they are named must not matter.
        by_name = sorted(some.all)
        if len(by_name) > _MANY:
            by_name.sort(key=often.__getitem__)
        marks = _marks(frozenset(by_name), folders, sides) if folders or sides else []
        if identity in breaking:
            marks.append((f"\0{identity}", EXCLUSIVE))
        if identity in affected:
            marks += affected[identity]
        # Those who are named in that order already need no second tuple.
        ordered = some.all if by_name == list(some.all) else tuple(by_name)
        found.append(Touch(ordered, tuple(marks), identity in breaking))
    return found


def _sides(lessons: Lessons) -> dict[str, list[tuple[str, int]]]:
    """By path prefix the lessons that it is a side of."""
    found: dict[str, list[tuple[str, int]]] = {}
    for pair in sorted({(min(pair), max(pair)) for pair in lessons.conflicts}):
        one, other = (paths.clean(prefix)[0] for prefix in pair)
        if one and other:
            key = f"\0{one}\0{other}"
            found.setdefault(one, []).append((key, LEFT))
            found.setdefault(other, []).append((key, RIGHT))
    return found


def _marks(
    held: frozenset[str], folders: Collection[str], sides: Mapping[str, list[tuple[str, int]]]
) -> list[tuple[str, int]]:
    keys: dict[str, int] = {}
    for path in held:
        for place in (path, *paths.above(path)):
            if place != path and place in folders and place not in held:
                keys[place] = BELOW
            for key, side in sides.get(place, ()):
                keys[key] = side if keys.get(key, side) == side else EXCLUSIVE
    return sorted(keys.items())


class Beside(Generic[Who]):
    """Requirements that are worked at side by side, none in conflict with another; they go by number or by id."""

    def __init__(self) -> None:
        self._touchy: dict[str, Who] = {}
        """By path the one who meets everybody that touches it."""
        self._big: dict[str, dict[int, list[Who]]] = {}
        """By path and class of size those who meet only whoever shares more with them."""
        self._marked: dict[str, dict[int, Who]] = {}
        """By mark and way of holding it, the first of those who hold it so."""
        self._touches: dict[Who, Touch] = {}

    def add(self, who: Who, touch: Touch) -> None:
        """Put one beside the others."""
        if touch.touchy:
            for path in touch.paths:
                self._touchy.setdefault(path, who)
        else:
            self._touches[who] = touch
            for path in touch.paths:
                self._big.setdefault(path, {}).setdefault(touch.size, []).append(who)
        for key, mode in touch.marks:
            self._marked.setdefault(key, {}).setdefault(mode, who)

    def clash(self, touch: Touch) -> tuple[Who, str] | None:
        """Whom another would meet, and at which path or mark; None when it can be put beside the others."""
        tried: set[Who] = set()
        for at, path in enumerate(touch.paths, start=1):
            other = self._touchy.get(path)
            if other is None and path in self._marked:
                other = next(iter(self._marked[path].values()))
            if other is None and path in self._big:
                other = self._shares_more(touch, self._big[path], len(touch.paths) - at, tried)
            if other is not None:
                return other, path
        for key, mode in touch.marks:
            other = self._touchy.get(key)
            if other is None and key in self._big:
                other = next(iter(self._big[key].values()))[0]
            if other is None and key in self._marked:
                ways = self._marked[key]
                other = next((who for way, who in ways.items() if way != mode or mode == EXCLUSIVE), None)
            if other is not None:
                return other, key
        return None

    def _shares_more(self, touch: Touch, big: Mapping[int, list[Who]], commoner: int, tried: set[Who]) -> Who | None:
        """The first at a path with whom more than 20 % is shared; `commoner` paths come after that one.

        Two that share more paths than their class of size share one besides the so many commonest: there is no need to
        look at the commonest at all. That keeps a file that all touch from making everybody compare with everybody.
        """
        if touch.touchy:
            return next(iter(big.values()))[0]
        for size, some in big.items():
            if min(size, touch.size) > commoner:
                continue
            for other in some:
                if other not in tried:
                    tried.add(other)
                    if overlap(touch, self._touches[other]) * _SHARE > 1:
                        return other
        return None


def told(one: Touch, other: Touch, key: str, first: str, second: str) -> str:
    """Why two conflict, in one sentence.

    Args:
        one: what the first touches.
        other: what the second touches.
        key: where they meet.
        first: id of the first.
        second: id of the second.
    """
    if key.startswith("\0") and key.count("\0") > 1:
        return "work under {} met work under {} in a conflict before".format(*key[1:].split("\0"))
    shared = set(one.paths).intersection(other.paths)
    if one.breaking or other.breaking:
        what = f" ({min(shared)})" if shared else ""
        return f"{first if one.breaking else second} is a breaking change under the other{what}"
    if not shared:
        return f"one of them touches all of {key}/"
    names = f"{min(shared)} and {len(shared) - 1} more" if len(shared) > 1 else min(shared)
    return f"they share {overlap(one, other):.0%} of the smaller set of files: {names}"
