"""The recorder: everything that crosses NATS, in order, into the ledger. [X4]

One core subscription to `>` gives the order across streams. Streams are read beside it, by sequence, and attach stream,
sequence and the server's time; what was published while the subscription was away is caught there. Streams are not read
through consumers: a consumer changes what an interest-retention stream keeps, cannot be made beside another on a
work-queue stream, counts towards `max_consumers`, and an ephemeral or ordered one does not outlive a server restart.

A message that a consumer took before it was read (work queues) is recorded from its arrival and its PubAck, which
crosses the wire too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import NatsUnreachable, RecorderBehind
from pytest_agog.ledger import jetstream, monitor
from pytest_agog.ledger.facts import MessageSeen, MessageStored, ServerSeen, WatchInterrupted
from pytest_agog.ledger.jetstream import StoredMessage
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.recording import pairing
from pytest_agog.ledger.recording.cursor import Cursor
from pytest_agog.ledger.recording.line import Connect, Line, LineBroken, Silent
from pytest_agog.ledger.recording.objects import Objects
from pytest_agog.ledger.recording.reader import Unreadable, read
from pytest_agog.ledger.recording.recalling import Recalling
from pytest_agog.ledger.recording.responders import NoResponders
from pytest_agog.ledger.recording.streams import Streams
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from nats.aio.msg import Msg

_TICK: Final = 0.05
"""Seconds; a lost connection does not notify anybody."""
_EAGER_TICK: Final = 0.01
_EAGER: Final = 0.1
"""For so long after a core message its stream is looked at again: it may not be stored yet."""
_SURVEY: Final = 0.25
"""Seconds between surveys of all streams, for what no message and no advisory tells."""
_UNCLAIMED: Final = 10_000
_SERVED_BY_STREAMS: Final = (f"{jetstream.API}.DIRECT.GET.", f"{jetstream.API}.CONSUMER.MSG.NEXT.")
_INTERNAL: Final = ("$", "_INBOX", "_R_.", "_GR_.")


class Recorder:
    """Records one account of one NATS system.

    `connect` makes a new connection and should fail fast, since the recorder itself tries again every 50 ms for as long
    as the server is away: `allow_reconnect=False` and a short `reconnect_time_wait` (nats-py sleeps that long, 2 s
    unless told, even before it gives up on a refused connection). With `baseline`, what streams hold when the recorder
    starts does not count: their last sequences are recorded as `Baseline` and reading begins behind them. What the run
    publishes again, and what is acknowledged as a duplicate of a message from before, does count.

    `monitor_url` is the server's monitoring port: with it the recorder writes down what the server says of itself, and
    answers "no responders" where its own subscription would keep the server from doing so. `is_own` tells by its reply
    subject a message with which the harness itself tries what is allowed; nobody said that.
    """

    def __init__(
        self,
        ledger: Ledger,
        connect: Connect,
        *,
        baseline: bool,
        monitor_url: str | None = None,
        is_own: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._ledger = ledger
        self._line = Line(connect, self._on_message)
        self._monitor_url = monitor_url
        self._is_own = is_own
        self._streams = Streams(ledger, self._line, baseline=baseline)
        self._pairing = pairing.Pairing()
        self._unclaimed: deque[tuple[int, MessageSeen, str]] = deque(maxlen=_UNCLAIMED)
        self._responders = NoResponders(self._line, monitor_url)
        self._objects = Objects(ledger, self._line)
        self._recalling = Recalling(ledger, self._line, self._objects)
        self._eager: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._survey_due = True
        self._surveyed_at = 0.0
        self._barriers: list[asyncio.Future[dict[str, int]]] = []
        self._trouble: dict[str, str] = {}
        self._server: ServerSeen | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Connect, subscribe, look at all streams; from here on nothing is missed.

        Raises:
            NatsUnreachable: the server did not answer. What `connect` raises comes through.
        """
        try:
            await self._line.open()
            await self._see_server()
            await self._survey(first=True)
        except LineBroken as broken:
            raise NatsUnreachable(url=self._line.url or "the given address", reason=str(broken)) from broken
        self._task = asyncio.create_task(self._run(), name="agog recorder")

    async def catch_up(self, timeout: float = 30.0) -> dict[str, int]:  # noqa: ASYNC109 - bounds more than one await
        """The barrier: returns when everything up to every stream's last sequence is in the ledger.

        Everything that the server had accepted before the call is then recorded, and the streams' states are. Returns
        the last sequence of every stream. Waits for a server that is away, at most `timeout` seconds.

        Raises:
            RecorderBehind: that was not reached in time.
        """
        reached: asyncio.Future[dict[str, int]] = asyncio.get_running_loop().create_future()
        self._barriers.append(reached)
        self._wake.set()
        await asyncio.wait([reached], timeout=timeout)
        if not reached.done():
            self._barriers.remove(reached)
            behind = [f"{name} ({reason})" for name, reason in self._trouble.items()]
            raise RecorderBehind(seconds=f"{timeout:g}", what="; ".join(behind) or "NATS does not answer")
        return reached.result()

    async def stop(self) -> None:
        """Stop recording and let go of the connection. Stopping twice does no harm."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        await self._responders.stop()
        await self._line.close()

    # --- what the core subscription sees --------------------------------------------------------------------------
    def _on_message(self, msg: Msg) -> None:
        subject, reply = msg.subject, msg.reply
        if self._is_own(reply):
            return
        if self._pairing.expects(subject):
            self._on_ack(subject, msg.data)
        elif subject.startswith(_INTERNAL):
            self._on_internal(subject, reply)
        elif not reply.startswith("$JS.ACK."):  # otherwise a consumer's delivery of what was published before
            headers = {str(getattr(name, "value", name)): value for name, value in (msg.headers or {}).items()}
            fact = MessageSeen(subject, self._ledger.payloads.put(msg.data), len(msg.data), headers)
            index = self._ledger.append(fact)
            if not self._claim(index, fact, reply):
                self._unclaimed.append((index, fact, reply))
                self._responders.consider(subject, reply)

    def _on_internal(self, subject: str, reply: str) -> None:
        if subject.startswith("$KV."):
            self._stir(self._streams.owner(subject))
        elif subject.startswith("$JS.EVENT.ADVISORY.STREAM."):
            _, _, what = subject.partition("ADVISORY.STREAM.")
            action, _, name = what.partition(".")
            if action in {"CREATED", "DELETED"}:
                # From here on the name means another stream, also for replies that are under way.
                self._streams.forget(name)
            self._survey_due = True
            self._wake.set()
            self._responders.forget()
        elif subject.startswith("$JS.EVENT.ADVISORY.CONSUMER.DELETED."):
            self._responders.forget()
        elif subject.startswith(_SERVED_BY_STREAMS):
            self._responders.consider_api(subject, reply)

    def _on_ack(self, subject: str, data: bytes) -> None:
        ack = self._pairing.acknowledged(subject, data)
        if ack is None or (cursor := self._streams.cursors.get(ack.stream)) is None:
            return
        if ack.sequence >= cursor.next:
            cursor.target = max(cursor.target, ack.sequence)
            self._wake.set()
        elif (seen := self._pairing.gone(ack.stream, ack.sequence)) is not None and cursor.is_hole(ack.sequence):
            self._store_from_arrival(cursor, ack.sequence, seen)

    def _claim(self, index: int, fact: MessageSeen, reply: str) -> bool:
        """File an arrival under the stream that takes it; False when none does."""
        owner = self._streams.owner(fact.subject)
        if owner is None:
            return False
        cursor = self._streams.cursors.get(owner)
        place = owner if cursor is not None and cursor.transforms else fact.subject
        self._pairing.arrived(index, pairing.key(place, fact.payload, fact.headers), reply)
        self._stir(owner)
        return True

    def _stir(self, stream: str | None) -> None:
        if stream is not None:
            self._eager[stream] = time.monotonic() + _EAGER
            self._wake.set()

    # --- the task that reads --------------------------------------------------------------------------------------
    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._pause()
                await self._round()
            except Silent as silent:
                self._trouble["JetStream"] = str(silent)
                self._survey_due = True
            except LineBroken as broken:
                await self._mend(str(broken))
            except Exception as error:
                self._trouble["recorder"] = mask(f"{type(error).__name__}: {error}")
                await self._mend(str(error))

    async def _pause(self) -> None:
        if not self._wake.is_set():
            waiting = bool(self._eager)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _EAGER_TICK if waiting else _TICK)
        self._wake.clear()
        if not self._line.alive:
            raise LineBroken("connection lost")

    async def _round(self) -> None:
        barriers = list(self._barriers)
        if barriers or self._survey_due or time.monotonic() - self._surveyed_at >= _SURVEY:
            await self._survey()
        await self._read_all()
        if barriers:
            await self._recalling.read()
        await self._objects.read(final=bool(barriers))
        if barriers and not any(cursor.behind for cursor in self._streams.cursors.values()):
            self._trouble.clear()
            await self._streams.record_states()
            for barrier in barriers:
                if barrier in self._barriers:
                    self._barriers.remove(barrier)
                    barrier.set_result(dict(self._streams.last_sequences))

    async def _mend(self, reason: str) -> None:
        since = time.monotonic()
        await self._line.reopen(lambda: self._stopping)
        self._survey_due = True
        self._wake.set()
        if not self._stopping:
            self._ledger.append(WatchInterrupted(round(time.monotonic() - since, 3), mask(reason)))
            await self._see_server()

    async def _read_all(self) -> None:
        now = time.monotonic()
        names = {name for name, cursor in self._streams.cursors.items() if cursor.behind and cursor.records} | set(
            self._eager
        )
        for name in names:
            cursor = self._streams.cursors.get(name)
            if cursor is None or not cursor.records:
                self._eager.pop(name, None)
                continue
            before = cursor.next
            try:
                await read(self._line, cursor, self)
            except Unreadable as error:
                self._trouble[name] = mask(str(error))
            else:
                self._trouble.pop(name, None)
            if cursor.next > before or self._eager.get(name, 0.0) <= now:
                self._eager.pop(name, None)

    async def _survey(self, *, first: bool = False) -> None:
        self._survey_due = False
        self._surveyed_at = time.monotonic()
        if await self._streams.survey(first=first):
            # Streams may take what was seen before they were known.
            waiting = list(self._unclaimed)
            self._unclaimed.clear()
            self._unclaimed.extend(arrival for arrival in waiting if not self._claim(*arrival))

    async def _see_server(self) -> None:
        if self._monitor_url is None:
            return
        varz = await monitor.fetch(self._monitor_url, "/varz")
        if varz is not None:
            fact = jetstream.server_seen(mask(self._monitor_url), varz)
            self._responders.single = fact.servers == 1 and not varz.get("routes") and not varz.get("leafnodes")
            if fact != self._server:
                self._server = fact
                self._ledger.append(fact)

    # --- Shelf: what the reader puts messages on --------------------------------------------------------------------
    def store(self, cursor: Cursor, message: StoredMessage) -> None:
        """The next message of a stream."""
        sequence = message.sequence
        if sequence < cursor.next:
            return
        self.skip(cursor, sequence)
        if not cursor.take(sequence, message.time):
            return
        payload, headers = self._ledger.payloads.put(message.data), message.headers
        own = pairing.key(message.subject, payload, headers)
        places = (pairing.key(cursor.name, payload, headers), own) if cursor.transforms else (own,)
        seen = self._pairing.stored(cursor.name, sequence, *places)
        self._ledger.append(
            MessageStored(
                cursor.name, sequence, message.time, message.subject, payload, len(message.data), headers, seen
            )
        )
        self._objects.look(message.subject, message.data)

    def skip(self, cursor: Cursor, sequence: int) -> None:
        """What lies before `sequence` is gone; what was acknowledged is recorded from its arrival."""
        hole = cursor.skip_to(sequence)
        if hole is not None:
            for gone in self._pairing.acked_between(cursor.name, *hole):
                seen = self._pairing.gone(cursor.name, gone)
                if seen is not None:
                    self._store_from_arrival(cursor, gone, seen)

    def _store_from_arrival(self, cursor: Cursor, sequence: int, seen: int) -> None:
        observation = self._ledger[seen]
        fact = observation.fact
        assert isinstance(fact, MessageSeen)
        self._ledger.append(
            MessageStored(
                cursor.name, sequence, observation.at, fact.subject, fact.payload, fact.size, fact.headers, seen
            )
        )
        self._objects.look(fact.subject, self._ledger.payloads[fact.payload])
