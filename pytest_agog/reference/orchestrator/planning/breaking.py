"""Whom a breaking change affects, though they may share no file with it. [O6]"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning import features, wording

_ID: Final = re.compile(r"REQ-[A-Za-z0-9-]*[A-Za-z0-9]")
_BREAKS: Final = frozenset({"breaking", "break", "incompatible", "compatibility", "backward"})


def affected(stated: Mapping[str, Stated], changes: Collection[str]) -> dict[str, frozenset[str]]:
    """By id of a breaking change, who is under it: those of the same feature, and those whose text names it.

    Those that share a file with it are found by that file.
    """
    if not changes:
        return {}
    found: dict[str, set[str]] = {identity: set() for identity in changes}
    about = {identity: features.words_of(wording.words(one.title)) - _BREAKS for identity, one in stated.items()}
    subjects: dict[frozenset[str], list[str]] = {}
    for identity in changes:
        if about[identity]:
            subjects.setdefault(about[identity], []).append(identity)
    for identity, one in stated.items():
        named = set(_ID.findall(one.text)) & found.keys() if "REQ-" in one.text else set()
        for change in {*named, *subjects.get(about[identity], ())} - {identity}:
            found[change].add(identity)
    return {identity: frozenset(some) for identity, some in found.items()}
