"""[D1] to [D12]: the deliverable engine. Agents hand full reports to each other through JetStream.

    engine = await DeliverableEngine.connect("nats://127.0.0.1:4222")
    published = await engine.publish("cynthia", "research", "customer-search", report)
    text = await engine.require(published.url)
    part = await engine.section(published.url, "Implementation Recommendations")

Wherever a method takes `*address`, that is a deliverable URL (or subject), or agent, type and feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pytest_agog.errors import DeliverableMissing, RevisionMissing, UsageError
from pytest_agog.reference.deliverables import jetstream, streams
from pytest_agog.reference.deliverables.connecting import REQUEST_TIMEOUT, Link, connect
from pytest_agog.reference.deliverables.locating import Locator
from pytest_agog.reference.deliverables.objects import Objects
from pytest_agog.reference.deliverables.outline import Heading, outline, section
from pytest_agog.reference.deliverables.publishing import Publisher
from pytest_agog.reference.deliverables.reading import Reader
from pytest_agog.reference.deliverables.stored import Report, Revision
from pytest_agog.reference.deliverables.subscribing import Subscription, pattern, subscribe
from pytest_agog.reference.deliverables.tailing import Start, Tail
from pytest_agog.reference.deliverables.watching import Published, PublishWatcher, Unwatched
from pytest_agog.tokens import TokenCounter, count
from pytest_agog.wire import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """[D6] What a stream holds."""

    name: str
    subjects: tuple[str, ...]
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    last_time: datetime | None
    """When the last message was stored; None when there never was one."""


class DeliverableEngine:
    """Publishes and reads reports over one connection; safe for many tasks of one event loop."""

    def __init__(
        self, link: Link, *, watcher: PublishWatcher | None = None, object_threshold: int | None = None,
        object_store: bool = True, counter: TokenCounter = count,
    ) -> None:  # fmt: skip
        self.link = link
        self._counter = counter
        self._locator = Locator(link)
        objects = Objects(link)
        self._reader = Reader(link, self._locator, objects)
        self._publisher = Publisher(
            link, self._locator, self._reader, objects, watcher or Unwatched(),
            object_threshold=object_threshold, object_store=object_store,
        )  # fmt: skip

    @classmethod
    async def connect(
        cls, url: str, *, creds: str | Path | None = None, watcher: PublishWatcher | None = None,
        object_threshold: int | None = None, object_store: bool = True, counter: TokenCounter = count,
        inbox_prefix: str | None = None, within: float = REQUEST_TIMEOUT,
    ) -> DeliverableEngine:  # fmt: skip
        """An engine with a connection of its own.

        `object_threshold`: messages above so many bytes go through the object store even if the server would take
        them. `object_store=False`: a report that does not fit a message is refused. `within`: seconds that any request
        may take, reconnects included.

        Raises:
            NatsUnreachable, CredentialsRefused, CredentialsUnreadable, NatsUrlInvalid: within about 2 s.
        """
        link = await connect(url, creds=creds, inbox_prefix=inbox_prefix, within=within)
        return cls(link, watcher=watcher, object_threshold=object_threshold, object_store=object_store, counter=counter)

    @classmethod
    def from_client(
        cls, nc: Client, *, watcher: PublishWatcher | None = None, object_threshold: int | None = None,
        object_store: bool = True, counter: TokenCounter = count, within: float = REQUEST_TIMEOUT,
    ) -> DeliverableEngine:  # fmt: skip
        """An engine on the caller's connection, which `close` leaves open.

        Its callbacks are the caller's: so a request that is in flight when the connection breaks waits out its timeout.
        """
        url = nc.connected_url.geturl() if nc.connected_url else "nats://?"
        return cls(
            Link(nc, url, timeout=within), watcher=watcher, object_threshold=object_threshold,
            object_store=object_store, counter=counter,
        )  # fmt: skip

    # --- writing ----------------------------------------------------------------------------------------------------
    async def publish(
        self, agent: str, task_type: str, feature: str, content: str, metadata: Mapping[str, Any] | None = None
    ) -> Published:
        """[D1] [D9] [D10] Publish a report; returns when JetStream holds it. The same content twice is stored once.

        Raises:
            InvalidToken, BadInput: a name or the content cannot be published.
            StreamMissing, PayloadTooLarge, StoreFull, PublishFailed, CredentialsRefused, NatsUnreachable.
        """
        return await self._publisher.publish(agent, task_type, feature, content, dict(metadata or {}))

    async def init_streams(
        self, *, update: bool = False, replicas: int | None = None, agents: Mapping[str, str] | None = None
    ) -> list[streams.StreamOutcome]:
        """[D5] See `streams.init_streams`."""
        return await streams.init_streams(self.link, update=update, replicas=replicas, agents=agents)

    # --- reading ----------------------------------------------------------------------------------------------------
    async def report(self, *address: str) -> Report | None:
        """[D2] [D11] The latest report, or None when there is none.

        Raises:
            StreamMissing, DeliverableUnreadable, ObjectUnreadable, DigestMismatch.
        """
        stored = await self._reader.last(_subject(address))
        return None if stored is None else await self._reader.report(stored)

    async def fetch(self, *address: str) -> str | None:
        """[D2] The latest report's content, or None when there is none."""
        found = await self.report(*address)
        return None if found is None else found.content

    async def require(self, *address: str) -> str:
        """[D2] The latest report's content.

        Raises:
            DeliverableMissing: there is none.
        """
        found = await self.report(*address)
        if found is None:
            raise DeliverableMissing(url=subjects.to_url(_subject(address)))
        return found.content

    async def revision(self, *address: str, sequence: int) -> Report:
        """[D8] The revision with `sequence`.

        Raises:
            RevisionMissing: the subject has no message with it.
        """
        subject = _subject(address)
        stored = await self._reader.at(subject, sequence) if sequence > 0 else None
        if stored is None:
            raise RevisionMissing(url=subjects.to_url(subject), sequence=sequence)
        return await self._reader.report(stored)

    async def revisions(self, *address: str) -> list[Revision]:
        """[D8] All revisions, the oldest first."""
        subject = _subject(address)
        located = await self._locator.find(subject)
        tail = await Tail(self.link, located.name, subject, Start(), headers_only=True).open()
        found: list[Revision] = []
        try:
            while tail.waiting:
                stored = await tail.next()
                size = int(stored.headers.get("Nats-Msg-Size", len(stored.data)))
                time = datetime.fromisoformat(stored.time)
                found.append(Revision(subject, stored.stream, stored.sequence, time, stored.digest, size))
        finally:
            await tail.close()
        return found

    async def outline(self, *address: str) -> list[Heading]:
        """[D12] The headings of the latest report, with the tokens under each."""
        return outline(await self.require(*address), self._counter)

    async def section(self, url: str, heading: str) -> str:
        """[D12] Only the section under `heading`, with its subsections.

        Raises:
            SectionMissing: no such heading; the message names the nearest.
        """
        return section(await self.require(url), heading)

    async def subscribe(
        self, agent: str = "*", task_type: str = "*", feature: str = "*", *,
        from_time: datetime | None = None, from_sequence: int | None = None,
    ) -> Subscription:  # fmt: skip
        """[D7] Reports as they come, `*` for any; from now on, or replayed from a time or a stream sequence.

        Whatever is published after this returns is delivered. Use it as a context manager, or close it.

        Raises:
            AmbiguousReplay: a sequence was given and several streams hold what was asked for.
        """
        return await subscribe(
            self.link, self._locator, self._reader, pattern(agent, task_type, feature),
            from_time=from_time, from_sequence=from_sequence,
        )  # fmt: skip

    async def statuses(self, subject_filter: str = f"{subjects.DELIVERABLES}.>") -> list[StreamStatus]:
        """[D6] What the streams hold that take `subject_filter`; `>` for all streams."""
        body = {} if subject_filter == ">" else {"subject": subject_filter}
        try:
            infos = await jetstream.list_all(self.link, "STREAM.LIST", "streams", body)
        except jetstream.Refusal as refusal:
            raise refusal.as_error("listing the streams", url=self.link.url) from None
        return sorted((_status(info) for info in infos), key=lambda status: status.name)

    # --- end --------------------------------------------------------------------------------------------------------
    async def close(self) -> None:
        """Let go of the connection, if it is the engine's own."""
        await self.link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _subject(address: tuple[str, ...]) -> str:
    """[D3] The subject of a deliverable's URL, or of agent, type and feature."""
    if len(address) == 1:
        return subjects.deliverable(*subjects.parse_deliverable(address[0]))
    if len(address) == 3:
        return subjects.deliverable(*address)
    raise UsageError("Give a deliverable URL, or agent, type and feature.")


def _status(info: dict[str, Any]) -> StreamStatus:
    state, config = info["state"], info["config"]
    return StreamStatus(
        name=config["name"],
        subjects=tuple(config.get("subjects") or ()),
        messages=state["messages"],
        bytes=state["bytes"],
        first_sequence=state["first_seq"],
        last_sequence=state["last_seq"],
        last_time=datetime.fromisoformat(state["last_ts"]) if state["last_seq"] else None,
    )
