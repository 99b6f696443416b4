"""Which stream holds a subject, and how it may be read: asked once, remembered a while, forgotten on errors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from pytest_agog.errors import StreamMissing
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.wire import subjects

REMEMBERED: Final = 30.0
"""Seconds: a stream that got more replicas meanwhile must not be read by direct get for ever."""


@dataclass(frozen=True, slots=True)
class Located:
    """A stream, as far as reading and writing depend on it."""

    name: str
    subjects: tuple[str, ...]
    direct: bool
    """Read by direct get. Only with one replica: direct get does not promise to read one's own writes."""
    max_msg_size: int
    """Bytes; -1 is no limit."""
    replicas: int
    last_sequence: int
    """When it was asked."""

    @classmethod
    def of(cls, info: dict[str, Any]) -> Located:
        """From a stream info of the API."""
        config = info["config"]
        return cls(
            name=config["name"],
            subjects=tuple(config.get("subjects") or ()),
            direct=bool(config.get("allow_direct")) and config.get("num_replicas", 1) == 1,
            max_msg_size=config.get("max_msg_size", -1),
            replicas=config.get("num_replicas", 1),
            last_sequence=info["state"]["last_seq"],
        )


class Locator:
    """Finds the stream of a subject."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._known: dict[str, tuple[float, Located]] = {}
        """By subject pattern: when it was asked too long ago, and the stream."""

    async def find(self, subject: str, *, patience: float | None = None) -> Located:
        """The stream that takes `subject`, asked for at most `patience` seconds (the link's own by default).

        Raises:
            StreamMissing: there is none.
            JetStreamRefused: there is one, and it does not say what it is.
        """
        now = asyncio.get_running_loop().time()
        # Streams of deliverables take everything of an agent: mostly one look is enough.
        known = self._known.get(".".join(subject.split(".", 3)[:3]) + ".>")
        if known is not None and known[0] > now:
            return known[1]
        for pattern, (expires, located) in self._known.items():
            if expires > now and subjects.matches(pattern, subject):
                return located
        found = await self.matching(subject, patience=patience)
        if not found:
            raise StreamMissing(subject=subject)
        self.forget(found[0].name)
        self._known |= dict.fromkeys(found[0].subjects, (now + REMEMBERED, found[0]))
        return found[0]

    async def matching(self, pattern: str, *, patience: float | None = None) -> list[Located]:
        """All streams that take some subject that fits `pattern`, asked afresh.

        First the names, which a cluster knows even while a stream has no leader (its listing with details would leave
        such a stream out, after 4 s, as if it were not there); then each stream by itself.

        Raises:
            JetStreamRefused: a stream does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._link.timeout if patience is None else patience)
        names: list[str] = []
        try:
            while True:
                body = {"subject": pattern, "offset": len(names)}
                answer = await jetstream.call(self._link, "STREAM.NAMES", body, patience=deadline - loop.time())
                page = answer.get("streams") or []
                names += page
                if not page or len(names) >= int(answer.get("total", 0)):
                    break
            infos = await asyncio.gather(*(self._info(name, deadline - loop.time()) for name in names))
        except jetstream.Refusal as refusal:
            raise refusal.as_error(f"looking for the streams of {pattern}", url=self._link.url) from None
        return [Located.of(info) for info in infos if info is not None]

    async def _info(self, name: str, patience: float) -> dict[str, Any] | None:
        """What a stream says of itself; None when it was deleted meanwhile."""
        try:
            return await jetstream.call(self._link, f"STREAM.INFO.{name}", patience=patience)
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND:
                return None
            raise

    def forget(self, name: str) -> None:
        """The next `find` asks again."""
        self._known = {pattern: known for pattern, known in self._known.items() if known[1].name != name}
