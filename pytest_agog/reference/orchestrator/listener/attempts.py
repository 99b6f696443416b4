"""Attempts in the hands of one listener: claimed, run, told, acked. [O10] [O16] [F44] [F45]

What keeps an attempt from running twice at once: within one listener, it is in `hands`. Among listeners with the same
data folder, the keeper holds its lock, and a keeper is gone only when its agent is. Among machines, a listener that is
alive answers for its claim; one that cannot reach NATS for a `lease` kills its agents, and whoever takes over waits
that long.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

from pytest_agog.errors import AgogError
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer
from pytest_agog.reference.deliverables.credentials import without_user
from pytest_agog.reference.orchestrator.listener import running, telling
from pytest_agog.reference.orchestrator.listener.claims import Claim, Claims, Moved, Note
from pytest_agog.reference.orchestrator.listener.config import AgentConfig
from pytest_agog.reference.orchestrator.listener.counting import Tally
from pytest_agog.reference.orchestrator.listener.deliveries import Delivery, Reread, Source
from pytest_agog.reference.orchestrator.listener.identity import Identity
from pytest_agog.reference.orchestrator.listener.judging import Trouble
from pytest_agog.reference.orchestrator.listener.keeping import Keeper
from pytest_agog.reference.orchestrator.listener.reports import Reports
from pytest_agog.reference.orchestrator.listener.running import Places
from pytest_agog.reference.orchestrator.listener.settings import ListenerSettings
from pytest_agog.reference.orchestrator.listener.waiting import first
from pytest_agog.reference.orchestrator.listener.work import Key, Unspeakable, Work, read
from pytest_agog.wire.times import format_time

LOG: Final = logging.getLogger(__name__)
ALIVE: Final = "agog.spawn.alive"
"""`agog.spawn.alive.{listener}`, core request with a key; the answer `{"alive"}` says whether it has the attempt."""
_DECIDED: Final = ("killed", "ending", "ended")
"""States in which no agent may be started any more."""
_PAUSE: Final = 0.5
_BROKEN: Final = 5.0
"""Seconds until a message is delivered again that a fault of this machine kept from being dealt with."""
_ASKED: Final = 2.0

Why = Literal["kill", "stop", "lease"]
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Hand:
    """One attempt that this listener deals with."""

    work: Work
    deliveries: dict[int, Delivery]
    """By sequence: the newest delivery of each message that stands for the attempt."""
    keeper: Keeper | None = None
    why: Why | None = None
    """Why it has to end before its time."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    killed: bool = False
    """Whether it ended because that was asked for."""
    settled: Callable[[Delivery], Awaitable[None]] | None = None
    """What was done with its messages in the end."""

    def end(self, why: Why) -> None:
        """Kill the agent, or let it not begin; the first reason holds."""
        if self.why is None:
            self.why = why
            self.ending.set()
            if self.keeper is not None:
                self.keeper.kill()


class Attempts:
    """All that is in the hands of this listener."""

    def __init__(
        self, settings: ListenerSettings, link: Link, source: Source, claims: Claims, reports: Reports, me: Identity
    ) -> None:
        self._settings = settings
        self._link = link
        self._source = source
        self._claims = claims
        self._reports = reports
        self._me = me
        self.hands: dict[Key, Hand] = {}
        self.stopping = asyncio.Event()
        self.tally = Tally()

    async def take(self, delivery: Delivery) -> None:
        """Deal with one message, to its end."""
        try:
            work = read(delivery.data)
        except Unspeakable as error:
            LOG.warning("sequence %d: %s", delivery.sequence, error)
            await delivery.refuse()
            return
        if (known := self.hands.get(work.key)) is not None:
            # Ours already: NATS was away for a while, or somebody said it twice.
            if not isinstance(delivery, Reread) or delivery.sequence not in known.deliveries:
                known.deliveries[delivery.sequence] = delivery
            if known.settled is not None:
                await known.settled(delivery)
            return
        hand = self.hands[work.key] = Hand(work, {delivery.sequence: delivery})
        beat = asyncio.ensure_future(self._beat(hand))
        try:
            await self._through(hand)
        except telling.PASSING as error:
            LOG.warning("%s: left for later: %s", work.key, error)
        except Exception as error:
            LOG.warning("%s: left for later: %s: %s", work.key, type(error).__name__, error, exc_info=error)
            await self._each(hand, lambda one: one.again(_BROKEN))
        finally:
            beat.cancel()
            del self.hands[work.key]
            hand.over.set()

    async def _beat(self, hand: Hand) -> None:
        """Keep the messages ours; when the server has not heard of that for a lease, let go of the agent."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            pause = self._source.ack_wait / 3
            answers = await asyncio.gather(*(one.working(max(pause, 0.2)) for one in hand.deliveries.values()))
            if all(answers):
                heard = loop.time()
            elif loop.time() - heard > self._settings.rules.lease:
                LOG.warning("%s: NATS is away for longer than the lease; its agent is killed", hand.work.key)
                hand.end("lease")
            await asyncio.sleep(pause)

    # --- from claim to ack --------------------------------------------------------------------------------------------
    async def _through(self, hand: Hand) -> None:
        work = hand.work
        claim = await self._insist(lambda: self._claims.read(work.key))
        if claim is None or claim.state not in _DECIDED:
            agent = self._settings.agents.get(work.agent)
            if agent is None:
                why = f"nobody has told the listener how {work.agent} is run; add [agents.{work.agent}] to agog.toml"
                await self._finish(hand, claim, self._not_run(work, Trouble("command", why, transient=False)))
                return
            await self._guarded(hand, agent)
            return
        await self._conclude(hand, claim)

    async def _conclude(self, hand: Hand, claim: Claim) -> None:
        """It was decided already, and perhaps not told."""
        if claim.state == "killed":
            hand.killed = True
            await self._finish(hand, claim, self._not_run(hand.work, _killed(hand.work)))
        elif claim.state == "ending":
            await self._tell(hand, claim, since=min(hand.deliveries))
        else:
            await self._each(hand, lambda one: one.ack())

    async def _guarded(self, hand: Hand, agent: AgentConfig) -> None:
        """Run it with its lock held from before the claim until all is told."""
        work, places = hand.work, Places.of(self._settings.data, hand.work.key)
        await self._insist(lambda: self._reports.prepare(work))
        url = self._settings.agent_nats_url or self._address()
        # What stands on standard input is read, quoted and kept; secrets are in the environment only.
        prompt = work.prompt(without_user(url), places.output)
        with tempfile.TemporaryFile(dir=self._settings.data) as stdin:
            stdin.write(prompt)
            stdin.seek(0)
            keeper = await Keeper.start(places.lock, stdin)
        try:
            claim = await self._own(hand) if await self._locked(hand, keeper) else None
            if claim is None:
                if hand.why is not None:
                    await self._unbegun(hand)
                return
            if claim.state != "running":
                await self._conclude(hand, claim)
                return
            await self._run(hand, agent, keeper, places, claim, prompt, url)
        finally:
            hand.keeper = None
            await keeper.close()

    def _address(self) -> str:
        """Of a cluster the server that answers here, for many clients take one address."""
        addresses = [address.strip() for address in self._settings.nats_url.split(",")]
        connected = self._link.nc.connected_url
        here = (connected.hostname, connected.port) if connected is not None else None
        # Never with the listener's own user and password.
        return without_user(next((one for one in addresses if _place(one) == here), addresses[0]))

    async def _locked(self, hand: Hand, keeper: Keeper) -> bool:
        """Wait for the lock; False when the attempt has to end before."""
        if await first(keeper.locked(), hand.ending):
            return True
        if hand.why is None:
            raise OSError("the keeper was killed while it waited for the lock")
        return False

    async def _unbegun(self, hand: Hand) -> None:
        """It has to end before it began."""
        claim = await self._insist(lambda: self._claims.read(hand.work.key))
        if hand.why != "kill":
            await self._each(hand, lambda one: one.again())
        elif claim is not None and claim.state in _DECIDED:
            await self._conclude(hand, claim)
        else:
            hand.killed = True
            await self._finish(hand, claim, self._not_run(hand.work, _killed(hand.work)))

    async def _own(self, hand: Hand) -> Claim | None:
        """Our claim; one that says that it was decided elsewhere; None when somebody else works at it."""
        while True:
            found = await self._insist(lambda: self._claims.read(hand.work.key))
            if found is not None and found.state in _DECIDED:
                return found
            elsewhere = found is not None and found.state == "running" and found.domain != self._me.domain
            if found is not None and elsewhere and not await self._gone(hand, found):
                return None
            with contextlib.suppress(Moved):
                return await self._claim(hand.work.key, found)

    async def _claim(self, key: Key, after: Claim | None) -> Claim:
        me = self._me
        mine = Claim(
            "running", listener=me.name, domain=me.domain, host=me.host, pid=me.pid,
            started=format_time(datetime.now(UTC)), run=(after.run if after else 0) + 1,
        )  # fmt: skip
        return await self._insist(lambda: self._claims.write(key, mine, after))

    async def _gone(self, hand: Hand, claim: Claim) -> bool:
        """Whether the listener elsewhere that has the claim works at it no more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.rules.lease
        while loop.time() < deadline and hand.why is None:
            alive = await self.asked(claim.listener, hand.work.key)
            if alive is not None:
                return not alive
            now = await self._insist(lambda: self._claims.read(hand.work.key))
            if now is None or now.revision != claim.revision:
                return True
            await first(asyncio.sleep(min(_ASKED, max(0.0, deadline - loop.time()))), hand.ending)
        return hand.why is None

    async def asked(self, listener: str, key: Key) -> bool | None:
        """Whether a listener says that it has an attempt in its hands; None when it says nothing."""
        try:
            message = await self._link.request(f"{ALIVE}.{listener}", str(key).encode(), within=_ASKED)
            return bool(json.loads(message.data)["alive"])
        except (AgogError, NoAnswer, ValueError, KeyError, TypeError):
            return None

    async def _run(
        self, hand: Hand, agent: AgentConfig, keeper: Keeper, places: Places, claim: Claim, prompt: bytes, url: str
    ) -> None:
        work = hand.work
        before = await self._insist(lambda: self._reports.last(work))
        await asyncio.to_thread(places.make, prompt)
        hand.keeper = keeper
        if hand.why is not None:
            keeper.kill()
        self.tally.started += 1
        ran = await running.run(work, agent, self._settings, keeper, places, url)
        if ran.ended.how == "killed" and hand.why != "kill":
            await self._release(hand, claim)
            return
        hand.killed = ran.ended.how == "killed"
        most = self._link.nc.max_payload
        notes = await self._insist(
            lambda: running.conclude(work, ran, self._reports, places, before, most)
        )  # fmt: skip
        await self._finish(hand, claim, notes)

    async def _release(self, hand: Hand, claim: Claim) -> None:
        """Somebody else shall run it, at once."""
        with contextlib.suppress(Moved):
            await self._insist(lambda: self._claims.write(hand.work.key, replace(claim, state="free"), claim))
            await self._each(hand, lambda one: one.again())

    async def _finish(self, hand: Hand, claim: Claim | None, notes: tuple[Note, ...]) -> None:
        """Have the last word, publish it, and only then ack. [F44]"""
        base = claim if claim is not None else Claim("free", listener=self._me.name, domain=self._me.domain)
        word = replace(base, state="ending", outcome=telling.outcome_of(notes), notes=notes)
        try:
            written = await self._insist(lambda: self._claims.write(hand.work.key, word, claim))
        except Moved:
            LOG.warning("%s: somebody else has taken it over; what came of it here is not told", hand.work.key)
            hand.killed = False
            return
        self.tally.ended[written.outcome or "failed"] += 1
        await self._tell(hand, written)

    async def _tell(self, hand: Hand, claim: Claim, *, since: int | None = None) -> None:
        await self._insist(lambda: telling.tell(self._link, claim.notes, since=since))
        with contextlib.suppress(Moved):
            await self._insist(lambda: self._claims.write(hand.work.key, claim.ended(), claim))
        await self._each(hand, lambda one: one.ack())

    # --- small things -------------------------------------------------------------------------------------------------
    def _not_run(self, work: Work, trouble: Trouble) -> tuple[Note, ...]:
        return telling.of_trouble(work, trouble, "", None, 0)

    async def _each(self, hand: Hand, do: Callable[[Delivery], Awaitable[None]]) -> None:
        hand.settled = do
        for delivery in list(hand.deliveries.values()):
            await do(delivery)

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of `call`, tried again for as long as NATS is away or refuses; once more only when we stop."""
        told = False
        while True:
            try:
                return await call()
            except telling.PASSING as error:
                if self.stopping.is_set():
                    raise
                if not told:
                    LOG.warning("trying again until it works: %s", error)
                    told = True
                with contextlib.suppress(*telling.PASSING):
                    await self._claims.open(replicas=self._settings.replicas)  # in case it is the bucket that is gone
                await first(asyncio.sleep(_PAUSE), self.stopping)


def _killed(work: Work) -> Trouble:
    return Trouble("killed", f"{work.agent} was not started: agog.spawn.kill asked for that", transient=True)


def _place(address: str) -> tuple[str | None, int | None]:
    parts = urlsplit(address if "://" in address else f"nats://{address}")
    return parts.hostname, parts.port
