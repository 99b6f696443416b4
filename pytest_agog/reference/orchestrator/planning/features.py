"""Which backend and frontend requirements are one feature, though nobody stated that the one needs the other. [O5] [L2]

Two are one feature when their titles, without the words that say what kind of work it is (API, page, add, backend …),
have the same words left, or all words of the one (two at least) stand in the other; or when they share one such word
and a file of the one is called like a file of the other (`src/api/orders.ts`, `src/pages/Orders.tsx`). What many share
is a theme of the roadmap, not a feature, and counts for nothing: more than a few alike on one side are left alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pytest_agog.reference.orchestrator.planning import routing
from pytest_agog.reference.orchestrator.planning.paths import Paths
from pytest_agog.reference.orchestrator.planning.routing_table import SINGLE

MOST_ALIKE: Final = 8
"""Requirements of one lane that may share a feature."""
_STEM: Final = 3
"""A shorter name says nothing, and none with a number in it (`file12`)."""
_GENERIC: Final = frozenset(
    """a an the and or of for to in on at by with from into via as is are be it its their this that all any each per not
    no new old own our your add adds create build builds implement implements show shows make makes provide expose write
    design develop display update updates change changes support enable allow introduce extend improve render serve use
    uses wire connect integrate fix fixes finish complete do set put up give get post delete patch need needs needed
    backend frontend front end back server client side rest http screen web app application button layout handler
    controller route module code logic business database query graphql experience user interface material docs guide
    feature features item task story part thing work number nr piece unit step requirement test example sample
    independent small large big simple first second third""".split()  # noqa: SIM905 - a list of 160 literals is harder to read
)

_COMMON: Final = _GENERIC | SINGLE | {
    "index", "main", "util", "type", "common", "shared", "helper", "config", "constant", "style", "__init__", "mod",
    "model", "schema", "file", "name", "one", "two", "three", "foo", "bar", "baz",
}  # fmt: skip
"""File names that every part of a system has."""


def words_of(title: Sequence[str]) -> frozenset[str]:
    """What a title is about. Empty when it names nothing in particular."""
    found = {
        word[:-1] if len(word) > _STEM and word.endswith("s") and not word.endswith("ss") else word
        for word in title
        if word[0].isalnum() and word not in _GENERIC and word not in SINGLE
    }
    found -= _GENERIC
    return frozenset(found) if any(len(word) >= _STEM and word.isalpha() for word in found) else frozenset()


def pairs(
    backends: Mapping[int, frozenset[str]], frontends: Mapping[int, frozenset[str]], files: Sequence[Paths]
) -> set[tuple[int, int]]:
    """All (frontend, backend) that are one feature.

    Args:
        backends: by number what the title is about, of the backend's requirements.
        frontends: the same of the frontend's.
        files: by number the paths of both.
    """
    if not backends or not frontends:
        return set()
    titles = _by_titles(
        {number: words for number, words in backends.items() if words},
        {number: words for number, words in frontends.items() if words},
    )
    found = titles | _by_files(backends, frontends, files)
    often = Counter(number for pair in found for number in pair)
    return {pair for pair in found if max(often[pair[0]], often[pair[1]]) <= MOST_ALIKE}


def _by_titles(backends: Mapping[int, frozenset[str]], frontends: Mapping[int, frozenset[str]]) -> set[tuple[int, int]]:
    """If one title's words all stand in another's, its rarest word does: looking there avoids comparing all pairs."""
    often = Counter(word for side in (backends, frontends) for words in side.values() for word in words)
    found: set[tuple[int, int]] = set()
    for some, others, swap in ((backends, frontends, False), (frontends, backends, True)):
        rarest = _buckets((min(words, key=lambda word: (often[word], word)), number) for number, words in some.items())
        for other, theirs in others.items():
            for word in theirs:
                for number in rarest.get(word, ()):
                    ours = some[number]
                    if ours <= theirs and (len(ours) > 1 or ours == theirs):
                        found.add((number, other) if swap else (other, number))
    return found


def _by_files(
    backends: Mapping[int, frozenset[str]], frontends: Mapping[int, frozenset[str]], files: Sequence[Paths]
) -> set[tuple[int, int]]:
    wanted = {stem for number in frontends for stem in _stems(files[number], "frontend")}
    ours = _buckets(
        (stem, number) for number in backends for stem in _stems(files[number], "backend") if stem in wanted
    )
    if not ours:
        return set()
    theirs = _buckets(
        (stem, number) for number in frontends for stem in _stems(files[number], "frontend") if stem in ours
    )
    # A file's name alone says too little: a bug in `Orders.tsx` waits for no work on `orders.ts`.
    return {
        (frontend, backend)
        for stem, some in theirs.items()
        for frontend in some
        for backend in ours[stem]
        if not frontends[frontend].isdisjoint(backends[backend])
    }


def _buckets(entries: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for key, number in entries:
        found[key].append(number)
    return {key: some for key, some in found.items() if len(some) <= MOST_ALIKE}


def _stems(files: Paths, lane: str) -> set[str]:
    found = set()
    for path in files.all:
        stem = path.rsplit("/", 1)[-1].split(".", 1)[0].casefold().removesuffix("s")
        distinct = len(stem) >= _STEM and stem.isalpha() and stem not in _COMMON and path not in files.folders
        if distinct and routing.lane_of_file(path) == lane:
            found.add(stem)
    return found
