"""All streams of one account: which there are, what they take, how far they go and how far they were read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pytest_agog.ledger import jetstream
from pytest_agog.ledger.answers import StreamSeen
from pytest_agog.ledger.facts import Baseline, MessageStored
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording.cursor import Cursor, cursor_for
from pytest_agog.ledger.recording.line import Line, LineBroken
from pytest_agog.wire import subjects

MOST_DELETED: Final = 100_000
"""Of how many deleted messages the sequences are asked for."""
_REMEMBERED: Final = 200_000
"""Subjects whose stream is remembered; above that the memory begins anew."""


class Streams:
    """The streams as the last survey showed them, each with the cursor of its reading."""

    def __init__(self, ledger: Ledger, line: Line, *, baseline: bool) -> None:
        self._ledger = ledger
        self._line = line
        self._baseline = baseline
        self._takers: list[tuple[str, str]] = []
        self._owners: dict[str, str | None] = {}
        self._noted: dict[str, StreamSeen] = {}
        self.cursors: dict[str, Cursor] = {}
        self.last_sequences: dict[str, int] = {}
        """Of every stream, at the last survey."""

    def owner(self, subject: str) -> str | None:
        """The stream that takes `subject`."""
        try:
            return self._owners[subject]
        except KeyError:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            owner = next((name for pattern, name in self._takers if subjects.matches(pattern, subject)), None)
            self._owners[subject] = owner
            return owner

    def forget(self, name: str) -> None:
        """The stream was deleted, or another one was created in its place."""
        cursor = self.cursors.pop(name, None)
        if cursor is not None:
            cursor.gone = True

    async def survey(self, *, first: bool = False) -> bool:
        """Ask for all streams: new ones, changed ones, deleted ones, and how far each goes. Whether any changed.

        Raises:
            LineBroken: JetStream does not answer.
        """
        if not self._line.jetstream:
            return False
        infos, silent = await self._list()
        changed = False
        for name, info in infos.items():
            cursor = self.cursors.get(name)
            if cursor is not None and cursor.created != str(info.get("created", "")):
                self.forget(name)
                cursor = None
            self._follow(cursor or self._meet(info, first=first), info)
            changed |= self._note(jetstream.stream_seen(name, info))
        for name in [name for name, fact in self._noted.items() if fact.exists]:
            if name not in infos and name not in silent:
                self.forget(name)
                changed |= self._note(jetstream.stream_seen(name, None))
        self.last_sequences = {name: int(info["state"]["last_seq"]) for name, info in infos.items()}
        if changed:
            self._takers = [
                (taken, name) for name, info in infos.items() for taken in info["config"].get("subjects") or ()
            ]
            self._owners.clear()
        return changed

    async def record_states(self) -> None:
        """Write down every stream whose state differs from what the ledger says, with what was deleted from it.

        Raises:
            LineBroken: JetStream does not answer.
        """
        for name, noted in list(self._noted.items()):
            fact = await self._with_deleted(noted)
            if self._ledger.answer(fact.probe, StreamSeen) != fact:
                self._ledger.append(fact)
            self._noted[name] = fact

    async def _with_deleted(self, fact: StreamSeen) -> StreamSeen:
        """`fact` with the deleted sequences; the list of all streams only tells how many there are."""
        count = fact.state.get("num_deleted") or 0
        cursor = self.cursors.get(fact.stream)
        if not fact.exists or not count or count > MOST_DELETED or cursor is None or not cursor.records:
            return fact
        reply = await self._line.request(jetstream.stream_info(fact.stream), jetstream.WITH_DELETED)
        try:
            info = jetstream.parse(reply.data)
        except ValueError:
            return fact
        return fact if "error" in info else jetstream.stream_seen(fact.stream, info)

    async def _list(self) -> tuple[dict[str, Mapping[str, Any]], set[str]]:
        """All streams by name, and the names of those that have no leader to ask."""
        infos: dict[str, Mapping[str, Any]] = {}
        silent: set[str] = set()
        offset = 0
        while True:
            reply = await self._line.request(jetstream.STREAM_LIST, json.dumps({"offset": offset}).encode())
            try:
                page = jetstream.parse(reply.data)
            except ValueError as error:
                raise LineBroken(f"STREAM.LIST: {error}") from error
            if (refused := page.get("error")) is not None:
                if refused.get("err_code") in jetstream.NOT_ENABLED:
                    return {}, set()
                raise LineBroken(f"STREAM.LIST: {refused.get('description', refused)}")
            found = page.get("streams") or []
            infos.update((info["config"]["name"], info) for info in found)
            silent.update(page.get("missing") or ())
            silent.update(page.get("offline") or ())
            offset += len(found)
            if not found or offset >= int(page.get("total", 0)):
                return infos, silent

    def _meet(self, info: Mapping[str, Any], *, first: bool) -> Cursor:
        cursor = self.cursors[info["config"]["name"]] = cursor_for(info)
        if first and self._baseline:
            last = int(info["state"]["last_seq"])
            self._ledger.append(Baseline(cursor.name, last))
            cursor.next = last + 1
        elif cursor.name in self._noted:
            # A stream of this name was read before. What was already read of the new one is not read twice; nor is
            # what a restored one holds, with its old sequences and times.
            cursor.known = self._recorded(cursor.name)
        return cursor

    def _follow(self, cursor: Cursor, info: Mapping[str, Any]) -> None:
        last = int(info["state"]["last_seq"])
        cursor.direct = bool(info["config"].get("allow_direct"))
        cursor.transforms = bool(info["config"].get("subject_transform"))
        if last < cursor.next - 1:
            # The server lost its newest messages (a crash before they were on disk) and gives their numbers anew.
            cursor.rewind(last + 1, self._recorded(cursor.name, above=last))
        cursor.target = last
        if not cursor.records:
            cursor.next = last + 1

    def _recorded(self, stream: str, *, above: int = 0) -> dict[int, float]:
        """Sequences of `stream` that the ledger holds, with the server's time."""
        return {
            seen.fact.sequence: seen.fact.time
            for seen in self._ledger.of(MessageStored)
            if seen.fact.stream == stream and seen.fact.sequence > above
        }

    def _note(self, fact: StreamSeen) -> bool:
        """Remember a stream, and write it down if more than its messages changed."""
        before = self._noted.get(fact.stream)
        self._noted[fact.stream] = fact
        same = before is not None and (before.exists, before.config) == (fact.exists, fact.config)
        if same and before is not None and before.state.get("created") == fact.state.get("created"):
            return False
        self._ledger.append(fact)
        return True
