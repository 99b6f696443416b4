"""What is learned from what happened, and what planning gets of it. Pure but for `load_lessons`. [O20]"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from os.path import commonpath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from pytest_agog.reference.orchestrator.memory.happenings import (
    BuiltTooEarly,
    Conflicted,
    Happening,
    Rerouted,
    SpawnWasted,
    TokensSpent,
)  # fmt: skip
from pytest_agog.reference.orchestrator.memory.model import Note, Remembered
from pytest_agog.reference.orchestrator.planning import paths
from pytest_agog.reference.orchestrator.planning.lessons import Lessons

if TYPE_CHECKING:
    from pytest_agog.reference.orchestrator.memory.memory import Memory

CONFLICT, TOKENS, ROUTING, ORDER, SPAWN = "conflict", "tokens", "routing", "order", "spawn"
"""Kinds of lessons."""
BLOWOUT: Final = 2.0
"""Work that costs more than so many times its estimate blew its budget."""
LEAST, MOST = 0.5, 8.0
"""Bounds of a factor: one agent that went astray must not stop all work, nor one lucky task uncap it."""
LAST: Final = 10
"""Costs of a lane that its factor is the mean of."""
ENOUGH: Final = 5
"""So many costs tell of a lane even if no budget was blown; before, estimates vary by chance."""
_SLOWEST, _FASTEST = 1_000.0, 1_000_000.0
_FILES: Final = 5
_PAIRS: Final = 200
_DEEP: Final = 2
"""Folders less deep than this hold too much: all work in `src` would stand in line."""
_AT_ONCE: Final = 60.0
"""Seconds; of work that is over sooner, nothing is learned about speed."""


def learn(happening: Happening, at: datetime | None = None) -> Note | None:
    """The lesson, to be kept; None where there is nothing to learn.

    Args:
        happening: what happened.
        at: when; now without it.
    """
    found = _learn(happening)
    return None if found is None else replace(found, happened=at)


def _learn(happening: Happening) -> Note | None:
    match happening:
        case Conflicted():
            return _conflict(happening)
        case TokensSpent():
            return _tokens(happening)
        case Rerouted():
            return _routing(happening)
        case BuiltTooEarly(frontend, api):
            return Note(
                "core", f"{frontend} was built before {api}, whose API it calls, and had to be changed when that was "
                "there. An API comes first, what calls it after it.",
                ORDER, f"{frontend}:{api}", ("dependency", "order"), {"requirement": frontend, "needs": api},
            )  # fmt: skip
        case SpawnWasted():
            return _spawn(happening)


def _conflict(what: Conflicted) -> Note | None:
    one, other = sorted((what.one, what.other))
    if one == other:
        return None
    pairs = _pairs(what)
    text = f"{one} and {other} were worked at side by side and met in a conflict"
    text += f" in {', '.join(what.files[:_FILES])}." if what.files else "."
    if pairs:
        text += f" From now on one waits for the other: {'; '.join(_say(pair) for pair in pairs)}."
    tags = ("conflict", "parallel")
    return Note("core", text, CONFLICT, f"{one}:{other}", tags, {"pairs": [list(pair) for pair in pairs]})


def _say(pair: tuple[str, str]) -> str:
    return f"work that touches {pair[0]}" if pair[0] == pair[1] else f"work in {pair[0]} and work in {pair[1]}"


def _pairs(what: Conflicted) -> tuple[tuple[str, str], ...]:
    """What must not be worked at side by side.

    Two folders, when the work was in different ones; else the files themselves; else one folder, if it is small enough.
    """
    one, other = _folder(what.one_paths), _folder(what.other_paths)
    apart = one and other and one not in (other, *paths.above(other)) and other not in paths.above(one)
    if apart and one and other:
        return ((min(one, other), max(one, other)),)
    files = [path for file in what.files if (path := _clean(file))][:_FILES]
    if files:
        return tuple((path, path) for path in dict.fromkeys(files))
    return ((min(one, other), max(one, other)),) if one and other else ()


def _folder(named: Sequence[str]) -> str | None:
    """The innermost folder that holds all of them; None if that is as good as everything."""
    folders = [path if folder else path.rpartition("/")[0] for path, folder in map(paths.clean, named) if path]
    if not folders or any(not _clean(folder) for folder in folders):
        return None
    common = commonpath(folders)
    return common if len(common.split("/")) >= _DEEP else None


def _clean(path: str) -> str | None:
    """A path inside of the project; None for anything else."""
    found = paths.clean(path)[0]
    return None if not found or "\0" in found or found == "." or found.split("/")[0] == ".." else found


def _tokens(what: TokensSpent) -> Note | None:
    if what.estimated <= 0 or what.actual <= 0 or not what.lane:
        return None
    applied = what.factor if math.isfinite(what.factor) and what.factor > 0 else 1.0
    blown = what.actual > BLOWOUT * what.estimated
    factor = _bounded(what.actual / what.estimated * applied)
    text = f"{what.requirement} ({what.lane}) took {what.actual} tokens; {what.estimated} were estimated"
    text += f", {what.actual / what.estimated:.1f} times as many. " if blown else ". "
    text += "Estimates of this lane follow what work really costs." if blown else ""
    data: dict[str, object] = {
        "lane": what.lane, "requirement": what.requirement, "estimated": what.estimated, "tokens": what.actual,
        "token_factor": round(factor, 4), "blown": blown,
    }  # fmt: skip
    if what.seconds is not None and math.isfinite(what.seconds) and what.seconds >= _AT_ONCE:
        data["seconds"] = round(what.seconds, 3)
    source = f"{what.requirement}:{what.lane}:{what.attempt}"
    tags = ("tokens", "budget", what.lane) if blown else ("tokens", what.lane)
    return Note("core" if blown else "long_term", text.strip(), TOKENS, source, tags, data)


def _routing(what: Rerouted) -> Note | None:
    if what.wrong == what.right:
        return None
    about = f" ({what.title})" if what.title else ""
    text = f"{what.requirement}{about} went to {what.wrong} and belonged to {what.right}"
    text += f": {what.because}." if what.because else "."
    return Note(
        "compost", text, ROUTING, f"{what.requirement}:{what.wrong}:{what.right}", ("routing", what.wrong, what.right),
        {"requirement": what.requirement, "wrong": what.wrong, "right": what.right},
    )  # fmt: skip


def _spawn(what: SpawnWasted) -> Note | None:
    if what.tokens <= 0:
        return None
    text = f"{what.agent} was spawned for {what.requirement} ({what.strategy}); {what.tokens} tokens bought nothing."
    return Note(
        "compost", text, SPAWN, f"{what.requirement}:{what.agent}:{what.attempt}", ("spawn", "tokens", what.agent),
        {"requirement": what.requirement, "agent": what.agent, "tokens": what.tokens},
    )  # fmt: skip


def _bounded(factor: float) -> float:
    return min(max(factor, LEAST), MOST)


# --- what planning gets of it ----------------------------------------------------------------------------------------
def gather(memories: Iterable[Remembered]) -> Lessons:
    """Lessons in the form that planning takes; the newest memories come first. What is no lesson is left out."""
    costs: dict[str, list[Remembered]] = defaultdict(list)
    conflicts: dict[tuple[str, str], None] = {}
    for memory in memories:
        lane = memory.data.get("lane")
        if memory.kind == TOKENS and isinstance(lane, str) and _number(memory.data.get("token_factor")) is not None:
            if len(costs[lane]) < LAST:
                costs[lane].append(memory)
        elif memory.kind == CONFLICT:
            conflicts.update(dict.fromkeys(_pairs_of(memory.data)))
    factors = {lane: factor for lane, held in sorted(costs.items()) if (factor := _factor(held)) is not None}
    lessons = Lessons(MappingProxyType(factors), tuple(sorted(list(conflicts)[:_PAIRS])))
    speed = _speed([memory for held in costs.values() for memory in held])
    return lessons if speed is None else replace(lessons, tokens_per_hour=speed)


def _factor(held: Sequence[Remembered]) -> float | None:
    if len(held) < ENOUGH and not any(memory.data.get("blown") is True for memory in held):
        return None
    mean = sum(_bounded(_number(memory.data["token_factor"]) or 1.0) for memory in held) / len(held)
    return round(mean, 2)


def _speed(held: Iterable[Remembered]) -> float | None:
    timed = [
        (tokens, seconds) for memory in held
        if (tokens := _number(memory.data.get("tokens"))) and (seconds := _number(memory.data.get("seconds")))
    ]  # fmt: skip
    if len(timed) < ENOUGH:
        return None
    per_hour = sum(tokens for tokens, _ in timed) / sum(seconds for _, seconds in timed) * 3600
    return round(min(max(per_hour, _SLOWEST), _FASTEST), -2)


def _pairs_of(data: Mapping[str, object]) -> Iterable[tuple[str, str]]:
    pairs = data.get("pairs")
    for pair in pairs if isinstance(pairs, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) and one for one in pair):
            yield min(pair), max(pair)


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 and math.isfinite(value):
        return float(value)
    return None


async def load_lessons(memory: Memory, agent: str = "orchestrator") -> Lessons:
    """What the agent has learned.

    Raises:
        MemoryAway, MemoryRefused: memory cannot be asked.
    """
    return gather(await memory.of_kinds(agent, (CONFLICT, TOKENS), max(LAST, _PAIRS)))
