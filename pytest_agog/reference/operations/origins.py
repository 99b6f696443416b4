"""Which streams gather from which: mirrors and sources, and the order that this asks for. [X5]

A stream that gathers goes on after the last message that it has of its origin. So its copy is taken first, and catches
up after a restore. It is brought back last: an origin that is made anew beside it would be gathered once more in full.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.reference.deliverables import jetstream

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

_MARK: Final = re.compile(r"^Nats-Stream-Source: ?(\S+) (\d{1,19})\b", re.M | re.I)
_NO_MESSAGE: Final = 404
_LOOKED_AT: Final = 10_000
"""Messages; an origin of which none is among so many has been quiet for long."""


def origins_first(names: Sequence[str], configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`names` in their order, but each behind those that it gathers from. Rings end somewhere."""
    known = set(names)
    placed: dict[str, None] = {}
    for name in names:
        waiting, seen = [name], {name}
        while waiting:
            missing = [each for each in _origins(configs[waiting[-1]]) if each in known - placed.keys() - seen]
            if missing:
                waiting.append(missing[0])
                seen.add(missing[0])
            else:
                placed.setdefault(waiting.pop())
    return list(placed)


def gatherers_first(names: Sequence[str], configs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`names` in their order, but each before those that it gathers from."""
    return origins_first(names[::-1], configs)[::-1]


def _origins(config: Mapping[str, Any]) -> list[str]:
    sources = [config.get("mirror"), *(config.get("sources") or ())]
    return [str(each["name"]) for each in sources if isinstance(each, Mapping) and "name" in each]


async def gather_on(link: Link, config: Mapping[str, Any]) -> list[str]:
    """Give a stream that was restored without its sources these again, each behind what is there of it.

    A server tells by a mark in each message how far it has gathered. It does not trust the mark of an origin that was
    made anew, and would begin at that one's first message: so the sequence is stated. Returns what could not be told.

    Raises:
        Refusal: the server would not.
    """
    info = await jetstream.call(link, f"STREAM.INFO.{config['name']}")
    passed = await _passed(link, info, set(_origins(config)))
    sources = [
        {**each, "opt_start_seq": passed[each["name"]] + 1} if each["name"] in passed else each
        for each in config["sources"]
    ]
    for each in sources:
        if each["name"] in passed:
            each.pop("opt_start_time", None)
    await jetstream.call(link, f"STREAM.UPDATE.{config['name']}", {**config, "sources": sources})
    empty = not info["state"]["messages"]
    return [] if empty else [each["name"] for each in sources if each["name"] not in passed]


async def _passed(link: Link, info: Mapping[str, Any], wanted: set[str]) -> dict[str, int]:
    """The last sequence of each origin among the last messages."""
    found: dict[str, int] = {}
    last, first = int(info["state"]["last_seq"]), int(info["state"]["first_seq"])
    for sequence in range(last, max(first - 1, last - _LOOKED_AT, 0), -1):
        if wanted <= found.keys():
            break
        try:
            answer = await jetstream.call(link, f"STREAM.MSG.GET.{info['config']['name']}", {"seq": sequence})
        except jetstream.Refusal as refusal:
            if refusal.code != _NO_MESSAGE:
                raise
            continue  # a hole
        match = _MARK.search(b64decode(answer["message"].get("hdrs") or "").decode("utf-8", "replace"))
        if match is not None and match[1] in wanted:
            found.setdefault(match[1], int(match[2]))
    return found
