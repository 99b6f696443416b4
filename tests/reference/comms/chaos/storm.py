"""A storm: two services, readers and publishers under load, while everything is killed, frozen and cut at random.

`python -m tests.reference.comms.chaos.storm --seeds 10 --seconds 60` soaks for longer than the tests do; a seed gives
the same order of blows (not the same moments). The exit status is 1 when a message was lost or came twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import nats
import nats.errors
import psycopg
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from pytest_agog.ledger.access import given
from pytest_agog.reference.comms.settings import CONSUMER, STREAM
from pytest_agog.scenario.model import CommsService
from pytest_agog.stage.links import LINKS
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.postgres import PostgresServer
from pytest_agog.stage.target.components import Addresses, Comms
from pytest_agog.stage.target.targets import REFERENCE_COMMS
from tests.reference.comms.chaos.history import History, Seen, violations
from tests.reference.comms.events.reader import asking

ACK_WAIT: Final = 1.0
"""Seconds. What a killed worker held comes again after it: 30 in the contract."""
PUBLISHERS: Final = 4
AT_ONCE: Final = 20
BREATH: Final = 0.04
"""Seconds between two batches of a publisher: some 2,000 messages a second in all."""
BAD: Final = 10
"""Every tenth message cannot become a row."""
CALM: Final = 60.0
"""Seconds for everything to be stored and read once the storm is over."""
SELECTORS: Final = (
    {"runId": "run-0"}, {"runId": "run-1"}, {"workflowUid": "uid-0", "workflowNamespace": "ns"},
    {"workflowUid": "uid-1"}, {"channel": "general"},
)  # fmt: skip
WHERE: Final = {
    "runId": "run_id = %s", "workflowUid": "workflow_uid = %s", "channel": "channel = %s",
}  # fmt: skip
Blow = tuple[str, Callable[[], Awaitable[object]], Callable[[], Awaitable[object]]]
"""What is hit, the blow, and what puts it right."""


@dataclass(frozen=True)
class Outcome:
    """What a storm left."""

    seed: int
    acked: int
    rows: int
    rejected: int
    events: int
    reconnects: int
    blows: tuple[str, ...]
    calm_after: float
    """Seconds from the end of the storm until all was stored, acked and read."""
    violations: list[str]

    def __str__(self) -> str:
        said = "; ".join(self.violations) or "all well"
        return (
            f"seed {self.seed}: {self.acked} acked, {self.rows} rows, {self.rejected} rejected, {self.events} events "
            f"over {self.reconnects} connections, {len(self.blows)} blows, calm after {self.calm_after:.1f} s: {said}"
        )


@dataclass
class Storm:
    """One storm; `run` is all there is to it."""

    seed: int
    server: NatsServer
    postgres: PostgresServer
    comms: Comms
    dsn: str
    acked: set[str] = field(default_factory=set)
    acked_bad: set[str] = field(default_factory=set)
    blows: list[str] = field(default_factory=list)
    readers: list[Seen] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, seconds: float) -> Outcome:
        """Blow for so many seconds, then wait for calm and look."""
        names = [f"{index}-{number}" for index in range(len(SELECTORS)) for number in range(2)]
        self.readers = [Seen(name, SELECTORS[int(name[0])]) for name in names]
        reading = [asyncio.create_task(self._read(reader)) for reader in self.readers]
        publishing = [asyncio.create_task(self._publish(number)) for number in range(PUBLISHERS)]
        try:
            await asyncio.gather(*(self._blow(number, seconds) for number in range(2)))
            self.over.set()
            await asyncio.gather(*publishing)
            began = time.monotonic()
            wanted = await self._calm(reading)
            outcome = await asyncio.to_thread(self._look, wanted)
        finally:
            for task in (*reading, *publishing):
                task.cancel()
            await asyncio.gather(*reading, *publishing, return_exceptions=True)
        return Outcome(
            self.seed, len(self.acked), len(outcome.rows), len(outcome.rejected),
            sum(len(reader.ids) for reader in self.readers), sum(reader.connections for reader in self.readers),
            tuple(self.blows), time.monotonic() - began, violations(outcome),
        )  # fmt: skip

    # --- the load -------------------------------------------------------------------------------------------------
    async def _publish(self, publisher: int) -> None:
        """Publish until the storm is over; each message until it has its PubAck, always under the same id."""
        client = await nats.connect(
            self.server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.05, error_cb=_quiet, connect_timeout=1
        )
        js = client.jetstream(timeout=1)
        number = 0
        while not self.over.is_set():
            batch = range(number, number + AT_ONCE)
            await asyncio.gather(*(self._until_acked(js, f"{publisher}-{each}", each) for each in batch))
            number += AT_ONCE
            await asyncio.sleep(BREATH)
        await client.close()

    async def _until_acked(self, js: JetStreamContext, name: str, number: int) -> None:
        bad = number % BAD == BAD - 1
        uid = number % 2
        subject = f"argo.workflow.ns.flow.uid-{uid}.agent.roy.message"
        if number % 7 == 0:
            subject = "agentrun.general.message"
        message = {"message_id": name, "run_id": f"run-{number % 3}", "content": f"text of {name} " + "x" * 300}
        payload = f"bad {name}".encode() if bad else json.dumps(message).encode()
        while True:
            try:
                await js.publish(subject, payload, headers={"Nats-Msg-Id": f"{name}:{subject}"})
            except (nats.errors.Error, JetStreamError, OSError, TimeoutError):
                await asyncio.sleep(0.02)
            else:
                (self.acked_bad if bad else self.acked).add(name)
                return

    async def _read(self, seen: Seen) -> None:
        """Follow events for ever, now from one service and now from the other, each time from the last id on."""
        chance = random.Random(f"{self.seed} {seen.name}")
        while True:
            seen.connections += 1
            url = self.comms.url(seen.connections % 2 + 1)
            hang_up = chance.randrange(20, 2_000)
            try:
                after = seen.ids[-1] if seen.ids else 0
                async with asking(url, urlencode(seen.selector), last_event_id=after) as reader:
                    while reader.status == 200 and hang_up and (event := await reader.event()) is not None:
                        seen.ids.append(event.id)
                        hang_up -= 1
            except (OSError, EOFError, TimeoutError):
                pass
            if hang_up:
                await asyncio.sleep(0.02)

    # --- the blows ------------------------------------------------------------------------------------------------
    async def _blow(self, wind: int, seconds: float) -> None:
        """One blow after the other; the two winds never hit the same thing at once."""
        chance = random.Random(f"{self.seed} wind {wind}")
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        mine = self._blows()[wind::2]
        while loop.time() < end:
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            name, hit, right = chance.choice(mine)
            self.blows.append(name)
            await hit()
            try:
                await asyncio.sleep(chance.uniform(0.02, 0.6))
            finally:
                await right()

    def _blows(self) -> list[Blow]:
        """Even ones are for one wind, odd ones for the other."""
        comms, server, postgres = self.comms, self.server, self.postgres

        def held(one: NatsServer | PostgresServer, signal: str) -> Callable[[], Awaitable[object]]:
            return lambda: asyncio.to_thread(one.kill, signal)

        def instance(number: int) -> list[Blow]:
            async def kill() -> None:
                await comms.kill("KILL", number)

            async def restart() -> None:
                await comms.restart(number, without=True)

            async def stop() -> None:
                await comms.kill("STOP", number)

            async def go_on() -> None:
                await comms.kill("CONT", number)

            return [(f"kill comms {number}", kill, restart), (f"freeze comms {number}", stop, go_on)]

        even: list[Blow] = [
            *instance(1),
            ("kill nats", held(server, "KILL"), lambda: asyncio.to_thread(server.restart)),
            ("freeze nats", held(server, "STOP"), held(server, "CONT")),
            *((f"cut {name}", comms.links[name].cut, comms.links[name].heal) for name in LINKS[:1]),
        ]
        odd: list[Blow] = [
            *instance(2),
            ("kill postgres", held(postgres, "KILL"), lambda: asyncio.to_thread(postgres.restart)),
            ("freeze postgres", held(postgres, "STOP"), held(postgres, "CONT")),
            *((f"cut {name}", comms.links[name].cut, comms.links[name].heal) for name in LINKS[1:]),
        ]
        return [blow for pair in zip(even, odd, strict=False) for blow in pair]

    # --- afterwards -----------------------------------------------------------------------------------------------
    async def _calm(self, reading: Sequence[asyncio.Task[None]]) -> dict[str, list[int]]:
        """Until nothing is pending and every reader has as much as there is; or until patience ends, and the history
        tells. Returns the cursors that each reader wants."""
        client = await nats.connect(self.server.url)
        wanted: dict[str, list[int]] = {}
        try:
            async with asyncio.timeout(CALM):
                while True:
                    for task in reading:
                        if task.done():
                            task.result()
                    info = await client.jetstream().consumer_info(STREAM, CONSUMER)
                    if (info.num_pending, info.num_ack_pending) == (0, 0):
                        wanted = await asyncio.to_thread(self._wanted)
                        if all(len(seen.ids) >= len(wanted[seen.name]) for seen in self.readers):
                            return wanted
                    await asyncio.sleep(0.05)
        except TimeoutError:
            info = await client.jetstream().consumer_info(STREAM, CONSUMER)
            self.blows.append(f"no calm: {info.num_pending} pending, {info.num_ack_pending} not acked")
            return wanted or await asyncio.to_thread(self._wanted)
        finally:
            await client.close()

    def _wanted(self) -> dict[str, list[int]]:
        wanted = {}
        with psycopg.connect(self.dsn) as connection:
            for seen in self.readers:
                [(key, value), *more] = seen.selector.items()
                where = WHERE[key] + (" AND workflow_namespace = 'ns'" if more else "")
                query = f"SELECT seq FROM workflow_comms.agent_messages WHERE {where} ORDER BY seq"
                wanted[seen.name] = [seq for (seq,) in connection.execute(query.encode(), (value,))]
        return wanted

    def _look(self, wanted: dict[str, list[int]]) -> History:
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "SELECT attrs->>'message_id', seq FROM workflow_comms.agent_messages ORDER BY seq"
            ).fetchall()
            rejected = connection.execute("SELECT raw, stream_seq FROM workflow_comms.rejected_messages").fetchall()
        kept = [(bytes(raw).decode().removeprefix("bad "), seq) for raw, seq in rejected]
        return History(frozenset(self.acked), frozenset(self.acked_bad), rows, kept, wanted, self.readers)


async def _quiet(_: Exception) -> None:
    """Lost connections are what this is about."""


@asynccontextmanager
async def brewing(seed: int, folder: Path) -> AsyncIterator[Storm]:
    """Servers, stream, consumer and two services of two workers each, with links that can be cut."""
    with NatsServer(folder / "nats") as server, PostgresServer(folder / "postgres") as postgres:
        client = await nats.connect(server.url)
        js = client.jetstream()
        await js.add_stream(name=STREAM, subjects=["argo.workflow.>", "agentrun.>"])
        await js.add_consumer(
            STREAM, durable_name=CONSUMER, ack_policy="explicit", ack_wait=ACK_WAIT, max_ack_pending=20_000
        )
        await client.close()
        dsn = postgres.create_database("comms")
        comms = Comms(REFERENCE_COMMS, CommsService(instances=2, workers=2), folder, cuts=LINKS)
        try:
            await comms.start(Addresses(given(server.url), dsn))
            yield Storm(seed, server, postgres, comms, dsn)
        finally:
            for one in comms.instances:
                one.kill("CONT")
            await comms.stop()


async def storm(seed: int, folder: Path, seconds: float) -> Outcome:
    """Let one storm pass."""
    async with brewing(seed, folder) as brewed:
        return await brewed.run(seconds)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="how many storms")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each blows")
    options = parser.parse_args(arguments)
    wrong = 0
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            outcome = asyncio.run(storm(seed, Path(folder), options.seconds))
        sys.stdout.write(f"{outcome}\n")
        if outcome.violations:
            wrong += 1
            sys.stdout.write(f"  {', '.join(outcome.blows)}\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
