"""Reports of agents: their streams, what was left in the folder, and whether a notice's URL leads to a report. [O10]"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import AgogError, BadInput, DeliverableMissing, StreamMissing
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.engine import DeliverableEngine
from pytest_agog.reference.deliverables.streams import stream_config
from pytest_agog.reference.orchestrator.listener.work import Work
from pytest_agog.wire import notices, streams, subjects

_MOST: Final = 64 * 10**6
_MOST_FILES: Final = 1000
_IN_USE: Final = frozenset({10058, 10065})
"""The name, or the subjects, of the stream are taken."""
_MARKDOWN: Final = (".md", ".markdown")
_NOTICE: Final = 100_000
_SHORT: Final = 300
_CUT: Final = re.compile(
    r"[\[(<…. ]*\b(?:output |report |content |text )?(?:was |is )?truncated\b[^\w\n]*\Z", re.IGNORECASE
)
_STAND_IN: Final = re.compile(
    r"[\W_]*(?:(?:insert|add|put|your|the|full|actual|report|content|text|goes|to|be|done|is|follows|here|later|see|"
    r"above|below|placeholder|todo|tbd|n/?a|none|null|undefined|lorem|ipsum)[\W_]*){1,12}\Z",
    re.IGNORECASE,
)


class Unusable(AgogError):
    """{what} is no report: {reason}. Write the full report, then print the notice."""


def refusal(text: str) -> str | None:
    """Why `text` is no report; None when it may be one. [F06] [F07] [F15]"""
    plain = text.strip()
    if not plain:
        return "it is empty"
    if len(plain) <= _SHORT and _STAND_IN.match(plain):
        return "it is a placeholder"
    if _CUT.search(plain[-_SHORT:]):
        return "it ends with a mark that the rest was cut off"
    if _is_notice(plain):
        return "it is the completion notice"
    return None


def _is_notice(text: str) -> bool:
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    if not text.startswith("{") or len(text) > _NOTICE:
        return False
    try:
        value = json.loads(text)
        notices.parse(value)
    except (ValueError, RecursionError, BadInput, AttributeError):
        return False
    return True


def left_in(folder: Path, work: Work) -> str | None:
    """The report in an output folder; None when there is none.

    Of several files Markdown comes first, then one that names the requirement, the agent or its type, then the newest.
    Links are not followed.

    Raises:
        Unusable: there is a file, and it holds no report.
    """
    found: list[tuple[bool, bool, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if len(found) < _MOST_FILES and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                name = entry.name.casefold()
                named = any(word.casefold() in name for word in (work.key.requirement, work.agent, work.type))
                changed = entry.stat(follow_symlinks=False).st_mtime_ns
                found.append((name.endswith(_MARKDOWN), named, changed, entry.name))
    if not found:
        return None
    name = max(found)[3]
    text = _text(folder / name)
    if (reason := refusal(text)) is not None:
        raise Unusable(what=f"deliverables/{name}", reason=reason)
    return text


def _text(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST:
                raise Unusable(what=f"deliverables/{path.name}", reason=f"it has {about.st_size} bytes")
            return file.read(_MOST).decode("utf-8")
    except UnicodeDecodeError:
        raise Unusable(what=f"deliverables/{path.name}", reason="it is no UTF-8 text") from None
    except OSError as error:
        raise Unusable(what=f"deliverables/{path.name}", reason=error.strerror or str(error)) from None


class Reports:
    """Deliverables of the listener's agents."""

    def __init__(self, engine: DeliverableEngine) -> None:
        self._engine = engine
        self._ready: set[str] = set()

    async def prepare(self, work: Work) -> None:
        """The agent's subject has a stream: agents that the contract does not name get theirs. [F03]

        Raises:
            JetStreamRefused, NatsUnreachable: not now.
        """
        if work.subject in self._ready:
            return
        if not await self._taken(work.subject):
            await self._create(streams.feature_stream(work.agent, work.type))
        if len(self._ready) > _MOST_FILES:
            self._ready.clear()
        self._ready.add(work.subject)

    async def _taken(self, subject: str) -> bool:
        try:
            answer = await jetstream.call(self._engine.link, "STREAM.NAMES", {"subject": subject})
        except jetstream.Refusal as error:
            raise error.as_error(f"looking for the stream of {subject}", url=self._engine.link.url) from None
        return bool(answer.get("streams"))

    async def _create(self, wanted: streams.StreamDefinition) -> None:
        link = self._engine.link
        try:
            try:
                await jetstream.call(link, f"STREAM.CREATE.{wanted.name}", stream_config(wanted))
            except jetstream.Refusal as error:
                if error.err_code not in _IN_USE:
                    raise
                # Another agent with the same type of deliverable has it, or another listener made it just now.
                config: dict[str, Any] = (await jetstream.call(link, f"STREAM.INFO.{wanted.name}"))["config"]
                held = config.get("subjects") or []
                if not set(wanted.subjects) <= set(held):
                    config["subjects"] = [*held, *(one for one in wanted.subjects if one not in held)]
                    await jetstream.call(link, f"STREAM.UPDATE.{wanted.name}", config)
        except jetstream.Refusal as error:
            raise error.as_error(f"creating stream {wanted.name}", url=link.url, stream=wanted.name) from None

    async def last(self, work: Work) -> int:
        """The sequence of the last message on the agent's subject; 0 when there is none.

        Raises:
            AgogError: NATS does not say.
        """
        try:
            # Not the report itself, which may lie in the object store: only where the message is matters here.
            found = await self._engine.revisions(work.subject)
        except StreamMissing:
            return 0
        return found[-1].sequence if found else 0

    async def publish_left(self, work: Work, folder: Path, before: int) -> None:
        """Publish the report that was left in `folder`, unless the agent published one itself after `before`.

        Raises:
            Unusable: what was left is no report.
            AgogError: it cannot be published.
        """
        text = left_in(folder, work)
        if text is None or await self.last(work) > before:
            return
        key = work.key
        told = {"stage": key.stage, "attempt": key.attempt, "publishedBy": "host-listener"}
        await self._engine.publish(work.agent, work.type, key.requirement, text, told)

    async def resolve(self, url: str) -> None:
        """`url` leads to a report. [F05]

        Raises:
            Unusable: it leads to nothing, or to something that is none.
            AgogError: NATS does not say.
        """
        try:
            content = await self._engine.require(subjects.from_url(url))
        except (BadInput, DeliverableMissing, StreamMissing) as error:
            raise Unusable(what=f"the notice's deliverable {url[:200]}", reason=str(error)) from None
        if (reason := refusal(content)) is not None:
            raise Unusable(what=url[:200], reason=reason)
