"""Who works at which attempt: bucket `agog_spawns`, one key for each attempt, changed by compare-and-set. [O10]

    (nothing) -> running -> ending -> ended
                    |  ^
                    v  |
                   free          killed -> ending

`ending` holds what is to be published about the attempt. Whoever wrote it has thereby the last word: it is published by
the one who wrote it, or by whoever finds it. `killed` without a listener says that the attempt must not begin.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, get_args

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.orchestrator.messaging.bucket import Bucket, Moved

BUCKET: Final = "agog_spawns"
State = Literal["running", "free", "killed", "ending", "ended"]

__all__ = ["BUCKET", "Claim", "Claims", "Moved", "Note", "State"]


@dataclass(frozen=True, slots=True)
class Note:
    """A message that tells of an attempt's end."""

    subject: str
    payload: dict[str, Any]
    msg_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The value of a key."""

    state: State
    listener: str = ""
    """Who runs it; a new name for each start of a listener."""
    domain: str = ""
    """Whose locks guard it: listeners with the same folder for locks on the same machine have the same domain."""
    host: str = ""
    pid: int = 0
    """Of the listener."""
    started: str = ""
    run: int = 0
    """How often it was started; above 1, listeners died over it."""
    outcome: str = ""
    """completed, blocked, failed, timeout."""
    notes: tuple[Note, ...] = ()
    """While it is `ending`: what has to be published."""
    revision: int = field(default=0, compare=False)

    def ended(self) -> Claim:
        """It is all said."""
        return replace(self, state="ended", notes=())


class Claims:
    """The bucket."""

    def __init__(self, link: Link) -> None:
        self._bucket = Bucket(link, BUCKET)

    async def open(self, *, replicas: int | None = None) -> None:
        """Create the bucket if it is not there."""
        await self._bucket.open(replicas=replicas)

    async def read(self, key: object) -> Claim | None:
        """The claim; None when there is none, or none that can be read."""
        entry = await self._bucket.get(str(key))
        if entry is None:
            return None
        try:
            return replace(_claim(json.loads(entry.value)), revision=entry.revision)
        except (ValueError, TypeError, KeyError, AttributeError):
            # Nobody of ours wrote this; what stands there is replaced, and only if it is still there.
            return Claim("free", revision=entry.revision)

    async def write(self, key: object, claim: Claim, after: Claim | None) -> Claim:
        """Put `claim` in the place of `after`.

        Raises:
            Moved: something else stands there by now.
        """
        value = asdict(claim)
        del value["revision"]
        filled = {name: each for name, each in value.items() if each not in ("", 0, (), [])}
        data = json.dumps(filled, separators=(",", ":")).encode()
        revision = await self._bucket.put(str(key), data, after=after.revision if after is not None else 0)
        return replace(claim, revision=revision)


def _claim(value: dict[str, Any]) -> Claim:
    if value["state"] not in get_args(State):
        raise ValueError(value["state"])
    notes = tuple(Note(str(one["subject"]), dict(one["payload"]), str(one["msg_id"])) for one in value.pop("notes", ()))
    return Claim(**value, notes=notes)
