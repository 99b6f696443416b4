"""A server sends its answers wherever a request says: nobody may reach JetStream's API so. Over TLS, on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.security import api_guard
from pytest_agog.security.issuing import Form
from pytest_agog.stage.servers.nats import NatsOptions
from pytest_agog.wire.streams import OBJECT_BUCKET
from pytest_agog.wire.users import AGENTS, JANGAR
from tests.security.conftest import PATIENCE, Guarded

API = "$JS.API"
COMMS = "agent-comms"
OTHERS = {"stream_name": COMMS, "config": {"durable_name": "others", "ack_policy": "explicit"}}
REPORT = "agog.deliverables.roy.backend"
STREAM = "agog_features_backend"
HARMS: dict[str, dict[str, Any]] = {
    # request: the body that makes the server obey
    f"STREAM.MSG.DELETE.{COMMS}": {"seq": 1},
    f"STREAM.PURGE.{COMMS}": {},
    f"CONSUMER.DELETE.{COMMS}.others": {},
    f"CONSUMER.DURABLE.CREATE.{COMMS}.spy": {
        "stream_name": COMMS, "config": {"durable_name": "spy", "deliver_subject": "_INBOX_agents.spy"},
    },
    f"STREAM.UPDATE.{COMMS}": {"name": COMMS, "subjects": ["else.>"]},
    "STREAM.CREATE.mine": {"name": "mine", "subjects": ["mine"]},
    f"STREAM.DELETE.{STREAM}": {},
    f"STREAM.DELETE.OBJ_{OBJECT_BUCKET}": {},
}  # fmt: skip


async def _ask(link: Link, request: str, value: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await link.request(f"{API}.{request}", json.dumps(value or {}).encode())).data)
    assert "error" not in found, found
    return found


async def _all(link: Link) -> dict[str, Any]:
    """Each stream with its subjects, what is in it, and its consumers."""
    found = {}
    for name in (await _ask(link, "STREAM.NAMES"))["streams"]:
        info = await _ask(link, f"STREAM.INFO.{name}")
        consumers = (await _ask(link, f"CONSUMER.NAMES.{name}"))["consumers"]
        state = info["state"]
        found[name] = (info["config"]["subjects"], state["messages"], state["first_seq"], sorted(consumers or ()))
    return found


async def _furnish(system: Link) -> None:
    await init_streams(system)
    await _ask(system, f"CONSUMER.DURABLE.CREATE.{COMMS}.others", OTHERS)
    await system.request("argo.workflow.general.status", b"{}")


class Heard:
    """Answers that arrive under the API's names, as system hears them."""

    def __init__(self) -> None:
        self.bodies: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def listen(self, system: Link) -> None:
        async def note(message: Any) -> None:
            self.bodies.put_nowait((message.subject, message.data))

        await system.nc.subscribe(f"{API}.STREAM.>", cb=note)
        await system.nc.subscribe(f"{API}.CONSUMER.>", cb=note)
        await system.nc.flush(int(PATIENCE))

    async def until(self, subject: str, body: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.bodies.get() != (subject, body):
                pass


async def _try(system: Link, agents: Link) -> None:
    """Have the server send each harmful body, from a deliverable, to the API."""
    heard = Heard()
    await heard.listen(system)
    for number, (request, value) in enumerate(HARMS.items()):
        body, subject = json.dumps(value).encode(), f"{REPORT}.REQ-{number}"
        sequence = json.loads((await agents.request(subject, body)).data)["seq"]
        for get, payload in (
            (f"DIRECT.GET.{STREAM}.{subject}", b""),
            (f"DIRECT.GET.{STREAM}", json.dumps({"seq": sequence}).encode()),
        ):
            await agents.nc.publish(f"{API}.{get}", payload, reply=f"{API}.{request}")
            await heard.until(f"{API}.{request}", body)


async def test_the_server_obeys_no_answer_of_its_own(guarded: Guarded) -> None:
    async with guarded.linked("system") as system, guarded.linked("agents") as agents:
        await _furnish(system)
        before = await _all(system)
        await _try(system, agents)
        after = await _all(system)
        reports = after[STREAM][1]
        assert reports == len(HARMS)
        assert after | {STREAM: None} == before | {STREAM: None}
        # System itself may do each of them.
        for request, value in HARMS.items():
            if not request.startswith(("STREAM.UPDATE", "STREAM.DELETE.OBJ")):
                await _ask(system, request, value)


async def test_the_way_that_is_open_to_clients_cannot_be_named_as_reply(guarded: Guarded) -> None:
    async with guarded.linked("system") as system, guarded.linked("agents") as agents:
        await _furnish(system)
        await agents.request(f"{REPORT}.REQ-1", b"{}")
        refused: asyncio.Queue[str] = asyncio.Queue()

        async def note(error: Exception) -> None:
            refused.put_nowait(str(error).lower())

        agents.nc._error_cb = note
        purge = f"{api_guard.BEHIND}.STREAM.PURGE.{COMMS}"
        for subject, reply in ((f"{API}.DIRECT.GET.{STREAM}.{REPORT}.REQ-1", purge), (purge, "")):
            await agents.nc.publish(subject, b"", reply=reply)
            async with asyncio.timeout(PATIENCE):
                said = await refused.get()
            assert "permissions violation" in said
            assert purge.lower() in said
        assert (await _all(system))[COMMS][1] == 1


async def test_a_server_with_an_older_configuration_takes_it_while_it_runs(guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("nkeys")
    whole = guarded.issued.server
    users = [
        {**user, "permissions": user["permissions"] | {"publish": {"allow": list(kind.publish)}}} if kind else user
        for user, kind in zip(whole["accounts"]["AGOG"]["users"], (None, AGENTS, JANGAR), strict=True)
    ]
    older = {"accounts": {"AGOG": {"jetstream": "enabled", "users": users}}}
    guarded.server.stop()
    options = NatsOptions(security={**guarded.server.options.security, **older})
    guarded.server.options = options
    guarded.server.start()
    async with guarded.linked("system") as system:
        await _furnish(system)
        guarded.reload(guarded.issued)
        async with asyncio.timeout(PATIENCE):
            while not await _taken(guarded):
                pass
    async with guarded.linked("system") as system, guarded.linked("agents") as agents:
        await _try(system, agents)
        assert (await _all(system))[COMMS][1:] == (1, 1, ["jangar-agent-comms", "others"])


async def _taken(guarded: Guarded) -> bool:
    """Whether the server maps what agents send: with the older configuration it refuses the new name."""
    async with guarded.linked("agents") as agents:
        refused: list[str] = []

        async def note(error: Exception) -> None:
            refused.append(str(error).lower())

        agents.nc._error_cb = note
        await agents.nc.publish(f"{API}.STREAM.PURGE.{COMMS}", b"{")
        for _ in range(2):
            await agents.nc.flush(int(PATIENCE))
        return any(api_guard.BEHIND.lower() in text for text in refused)
