"""The stream and the durable consumer of ingest: there, or made."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from pytest_agog.errors import AgogError, CredentialsRefused, StreamMissing
from pytest_agog.reference.comms.ingest.deliveries import Incarnation
from pytest_agog.reference.comms.ingest.resuming import StreamSight
from pytest_agog.reference.comms.settings import CONSUMER, STREAM, CommsSettings
from pytest_agog.reference.deliverables import jetstream
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.streams import consumer_config, stream_config
from pytest_agog.wire import streams as wire

_LOG: Final = logging.getLogger(__name__)
_CONSUMER_THERE: Final = frozenset({10148, 10013, 10012, 10105})
_STREAM_THERE: Final = frozenset({10058})
_STREAM_ABSENT: Final = 10059
Resume = Callable[[StreamSight | None], Awaitable[dict[str, Any]]]
"""Says where a new consumer starts."""


class Consumer:
    """The consumer that all workers share, and what this user may ask about it. [C5]"""

    def __init__(self, settings: CommsSettings) -> None:
        self._settings = settings
        self._may_look = True
        """Whether the user may ask for the stream; the user of the contract may not."""

    @property
    def next_subject(self) -> str:
        """Where batches are asked for."""
        return f"{jetstream.PREFIX}.CONSUMER.MSG.NEXT.{self._settings.stream}.{self._settings.consumer}"

    async def ensure(self, link: Link, resume: Resume) -> tuple[Incarnation, bool]:
        """Stream and consumer are there when this returns, and whether the consumer had to be made.

        Raises:
            StreamMissing: there is no stream, and the user may not make one.
            JetStreamRefused, StoreFull: the server refused; the others as `jetstream.call`.
        """
        try:
            sight = await self._stream(link)
            made = False
            info = await self.info(link)
            if info is None:
                info = await self._make(link, await resume(sight))
                made = True
        except jetstream.Refusal as refusal:
            if refusal.err_code == _STREAM_ABSENT:
                raise StreamMissing(subject=self._subjects()) from None
            raise refusal.as_error("the consumer of ingest", url=link.url, stream=self._settings.stream) from None
        config = info["config"]
        if config.get("deliver_subject") or config.get("ack_policy") != "explicit":
            raise AgogError(
                f"Consumer {self._settings.consumer} on {self._settings.stream} is no pull consumer with explicit "
                "acks. Delete it; it is made anew."
            )
        wait = float(config.get("ack_wait") or 30e9) / 1e9
        return Incarnation(sight.created if sight else "", info["created"], wait), made

    async def info(self, link: Link) -> dict[str, Any] | None:
        """What the server says of the consumer; None when it is absent.

        Raises:
            jetstream.Refusal: the stream is absent, among others.
        """
        try:
            return await jetstream.call(link, f"CONSUMER.INFO.{self._settings.stream}.{self._settings.consumer}")
        except jetstream.Refusal as refusal:
            if refusal.err_code in jetstream.NOT_FOUND and refusal.err_code != _STREAM_ABSENT:
                return None
            raise

    async def _stream(self, link: Link) -> StreamSight | None:
        if not self._may_look:
            return None
        name = self._settings.stream
        try:
            try:
                return StreamSight.of(await jetstream.call(link, f"STREAM.INFO.{name}"))
            except jetstream.Refusal as refusal:
                if refusal.err_code != _STREAM_ABSENT:
                    raise
                return await self._make_stream(link)
        except CredentialsRefused:
            self._may_look = False
            return None

    async def _make_stream(self, link: Link) -> StreamSight:
        name = self._settings.stream
        defined = wire.by_name(name) or replace(_defined_stream(), name=name)
        # Where there is a cluster one server must not be all that holds what agents said.
        defined = defined.replicated(link.copies(None))
        try:
            info = await jetstream.call(link, f"STREAM.CREATE.{name}", stream_config(defined))
        except jetstream.Refusal as refusal:
            if refusal.err_code not in _STREAM_THERE:
                raise
            info = await jetstream.call(link, f"STREAM.INFO.{name}")
        except CredentialsRefused:
            raise StreamMissing(subject=self._subjects()) from None
        _LOG.info("made stream %s", name)
        return StreamSight.of(info)

    async def _make(self, link: Link, start: dict[str, Any]) -> dict[str, Any]:
        stream, name = self._settings.stream, self._settings.consumer
        config = {**consumer_config(_defined_consumer()), "durable_name": name, **start}
        verb = f"CONSUMER.DURABLE.CREATE.{stream}.{name}"
        try:
            info = await jetstream.call(link, verb, {"stream_name": stream, "config": config})
        except jetstream.Refusal as refusal:
            there = await self.info(link) if refusal.err_code in _CONSUMER_THERE else None
            if there is None:
                raise
            return there  # another worker was faster, and starts at another place
        where = "with all messages" if start["deliver_policy"] == "all" else f"{start}"
        _LOG.info("made consumer %s on %s, starting %s", name, stream, where)
        return info

    def _subjects(self) -> str:
        return ", ".join((wire.by_name(self._settings.stream) or _defined_stream()).subjects)


def _defined_stream() -> wire.StreamDefinition:
    found = wire.by_name(STREAM)
    assert found is not None
    return found


def _defined_consumer() -> wire.ConsumerDefinition:
    return next(each for each in wire.CONSUMERS if (each.stream, each.name) == (STREAM, CONSUMER))
