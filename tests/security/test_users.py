"""What each of the three users may do, and that it may do nothing else: over TLS, for each form of credentials."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.wire.streams import OBJECT_BUCKET
from tests.security.conftest import PATIENCE, Guarded

API = "$JS.API"
COMMS, JANGAR = "agent-comms", "jangar-agent-comms"
CONSUMER = {"durable_name": "others", "ack_policy": "explicit"}
SUBJECT = "argo.workflow.ns.flow.uid-1.agent.roy.message"
REPORT = "agog.deliverables.roy.backend.REQ-1"
ROLLUP_REFUSED = 10111

PUBLISHES: dict[str, tuple[str, str]] = {
    # operation: subject, payload
    "publish comms": (SUBJECT, '{"id": "1", "content": "x"}'),
    "publish a deliverable": (REPORT, "{}"),
    "publish a result": ("results.roy.REQ-1", "{}"),
    "create a stream": (f"{API}.STREAM.CREATE.mine", '{"name": "mine", "subjects": ["mine"]}'),
    "reconfigure a stream": (f"{API}.STREAM.UPDATE.{COMMS}", '{"name": "agent-comms", "subjects": ["x.>"]}'),
    "delete a stream": (f"{API}.STREAM.DELETE.{COMMS}", ""),
    "purge a stream": (f"{API}.STREAM.PURGE.{COMMS}", ""),
    "delete a message": (f"{API}.STREAM.MSG.DELETE.{COMMS}", '{"seq": 1}'),
    "read comms": (f"{API}.STREAM.MSG.GET.{COMMS}", '{"seq": 1}'),
    "create a consumer": (
        f"{API}.CONSUMER.DURABLE.CREATE.{COMMS}.spy",
        '{"stream_name": "agent-comms", "config": {"durable_name": "spy"}}',
    ),
    "delete a consumer": (f"{API}.CONSUMER.DELETE.{COMMS}.others", ""),
    "take another's messages": (f"{API}.CONSUMER.MSG.NEXT.{COMMS}.others", '{"batch": 1, "no_wait": true}'),
    "ack another's messages": (f"$JS.ACK.{COMMS}.others.1.1.1.1.0", "+ACK"),
    "ack another's, newer": (f"$JS.ACK._.x.{COMMS}.others.1.1.1.1.0.y", "+ACK"),
    "take the service's messages": (f"{API}.CONSUMER.MSG.NEXT.{COMMS}.{JANGAR}", '{"batch": 1, "no_wait": true}'),
    "ack the service's messages": (f"$JS.ACK.{COMMS}.{JANGAR}.1.1.1.1.0", "+WPI"),
    "look at its consumer": (f"{API}.CONSUMER.INFO.{COMMS}.{JANGAR}", ""),
    "fetch a deliverable": (f"{API}.STREAM.MSG.GET.agog_features_backend", '{"seq": 1}'),
    "write into another's inbox": ("_INBOX_system.guess", "x"),
}
SUBSCRIBES = {
    "subscribe to comms": "argo.workflow.>",
    "subscribe to everything": ">",
    "read the common inboxes": "_INBOX.>",
    "read system's inbox": "_INBOX_system.>",
    "read agents' inbox": "_INBOX_agents.>",
    "read jangar's inbox": "_INBOX_jangar.>",
}
ALLOWED = {
    "agents": {
        "publish comms", "publish a deliverable", "publish a result", "fetch a deliverable", "read agents' inbox",
    },
    "jangar": {
        "take the service's messages", "ack the service's messages", "look at its consumer", "read jangar's inbox",
    },
    "system": {*PUBLISHES, *SUBSCRIBES},
}  # fmt: skip


class Watcher:
    """What the server says of a connection."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.said: list[str] = []
        link.nc._error_cb = self._note

    async def _note(self, error: Exception) -> None:
        self.said.append(str(error).lower())

    async def allows(self, kind: str, subject: str, payload: bytes = b"") -> bool:
        self.said.clear()
        if kind == "publish":
            await self.link.nc.publish(subject, payload, reply=self.link.nc.new_inbox())
        else:
            subscription = await self.link.nc.subscribe(subject)
        for _ in range(2):  # nats-py's ping overtakes what waits to be written
            await self.link.nc.flush(5)
        if kind == "subscribe" and not self.said:
            await subscription.unsubscribe()
        refused = [text for text in self.said if "permissions violation" in text]
        assert len(refused) == len(self.said), self.said
        return not refused


async def _ask(link: Link, subject: str, value: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await link.request(subject, json.dumps(value or {}).encode())).data)
    assert "error" not in found, found
    return found


@pytest.fixture
async def furnished(guarded: Guarded) -> Guarded:
    """All streams, a consumer of somebody else, and a message."""
    async with guarded.linked("system") as link:
        await init_streams(link)
        await _ask(link, f"{API}.CONSUMER.DURABLE.CREATE.{COMMS}.others", {"stream_name": COMMS, "config": CONSUMER})
        await link.request(SUBJECT, b'{"id": "0", "content": "first"}')
    return guarded


@pytest.mark.parametrize("user", ["agents", "jangar"])
async def test_a_user_may_do_what_it_needs_and_nothing_else(furnished: Guarded, user: str) -> None:
    async with furnished.linked("system") as system:
        before = (await _ask(system, f"{API}.STREAM.INFO.{COMMS}"))["config"]
        async with furnished.linked(user) as link:
            watcher = Watcher(link)
            tried = {
                what: await watcher.allows("publish", subject, payload.encode())
                for what, (subject, payload) in PUBLISHES.items()
            } | {what: await watcher.allows("subscribe", subject) for what, subject in SUBSCRIBES.items()}
        assert {what for what, allowed in tried.items() if allowed} == ALLOWED[user]
        # And indeed nothing has happened: the requests were real ones.
        after = await _ask(system, f"{API}.STREAM.INFO.{COMMS}")
        assert after["config"] == before
        assert after["state"]["first_seq"] == 1
        others = await _ask(system, f"{API}.CONSUMER.INFO.{COMMS}.others")
        assert (others["delivered"]["consumer_seq"], others["ack_floor"]["consumer_seq"]) == (0, 0)
        names = (await _ask(system, f"{API}.STREAM.NAMES"))["streams"]
        assert "mine" not in names


async def _messages(link: Link, stream: str) -> int:
    return int((await _ask(link, f"{API}.STREAM.INFO.{stream}"))["state"]["messages"])


@pytest.mark.parametrize("rollup", ["all", "sub"])
async def test_no_header_purges_what_agents_may_publish_to(furnished: Guarded, rollup: str) -> None:
    wide = [f"$O.{OBJECT_BUCKET}.C.x", f"$O.{OBJECT_BUCKET}.M.x", REPORT, SUBJECT, "results.a", "errors.a"]
    streams = [f"OBJ_{OBJECT_BUCKET}", "agog_features_backend", COMMS, "RESULTS", "ERRORS"]
    async with furnished.linked("system") as system, furnished.linked("agents") as agents:
        for subject in wide * 2:
            assert b'"seq"' in (await agents.request(subject, b"{}")).data
        before = [await _messages(system, stream) for stream in streams]
        for subject in wide:
            answer = json.loads((await agents.request(subject, b"{}", {"Nats-Rollup": rollup})).data)
            assert answer["error"]["err_code"] == ROLLUP_REFUSED, answer
        assert [await _messages(system, stream) for stream in streams] == before


async def test_a_bucket_of_somebody_else_is_closed_to_rollups_on_demand(furnished: Guarded) -> None:
    stream = f"OBJ_{OBJECT_BUCKET}"
    async with furnished.linked("system") as system:
        config = (await _ask(system, f"{API}.STREAM.INFO.{stream}"))["config"] | {"description": "kept"}
        await _ask(system, f"{API}.STREAM.UPDATE.{stream}", config | {"allow_rollup_hdrs": True})
        await init_streams(system)
        assert (await _ask(system, f"{API}.STREAM.INFO.{stream}"))["config"]["allow_rollup_hdrs"]
        await init_streams(system, update=True)
        changed = (await _ask(system, f"{API}.STREAM.INFO.{stream}"))["config"]
        assert not changed.get("allow_rollup_hdrs")
        assert changed["description"] == "kept"


async def test_system_may_do_everything(furnished: Guarded) -> None:
    async with furnished.linked("system") as link:
        watcher = Watcher(link)
        for what, (subject, payload) in PUBLISHES.items():
            if "reconfigure" not in what:
                assert await watcher.allows("publish", subject, payload.encode()), what
        for what, subject in SUBSCRIBES.items():
            assert await watcher.allows("subscribe", subject), what
        assert COMMS not in (await _ask(link, f"{API}.STREAM.NAMES"))["streams"], "it has deleted the stream"


async def test_agents_cannot_hear_what_others_are_answered(furnished: Guarded) -> None:
    async with furnished.linked("system") as system, furnished.linked("agents") as agents:
        heard: list[bytes] = []

        async def note(message: Any) -> None:
            heard.append(message.data)

        await system.nc.subscribe(f"{system.nc.new_inbox()}.*", cb=note)
        Watcher(agents)
        await agents.nc.subscribe("_INBOX_system.>", cb=note)
        await agents.nc.flush()
        answer = await system.request(f"{API}.INFO")
        assert answer.data
        await asyncio.wait_for(agents.nc.flush(), PATIENCE)
        assert heard == []
