"""Whatever strangers publish: each message is one row or one rejected row, and holds up nobody. [C3, J03]"""

from __future__ import annotations

import json
import random
from typing import Final

from tests.reference.comms.conftest import PATIENCE, REJECTED, SUBJECT, Comms

KEYS: Final = (
    "message_id", "messageId", "id", "workflow_uid", "workflowUid", "agent_run_uid", "run_id", "runId", "step_id",
    "agent_id", "role", "kind", "timestamp", "sent_at", "createdAt", "channel", "stage", "content", "text", "message",
    "status", "error", "tool", "attrs", "exit_code", "exitCode", "repository", "issueNumber", "branch", "runtime",
)  # fmt: skip
VALUES: Final = (
    "null", "true", "0", "1.5", '""', '"x"', "[]", "{}", "1" * 40, "1e999", "-0.0", "[" * 50 + "]" * 50,
    '{"a": {"b": [1, null]}}', '"\\u0000"', '"\\ud800"', '"2026-01-01T00:00:00Z"', '"0000-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59.999999Z"', '"2026-06-30T23:59:60Z"', '"2026-01-01T00:00:00+99:99"', '"\u2028"', "NaN",
)  # fmt: skip
SUBJECTS: Final = (
    "argo.workflow.x", "argo.workflow.a.b", "agentrun.general.a.b", "argo.workflow.general.agent",
    "argo.workflow.ns.a.b.c.d.uid.agent.x.y.z.kind", f"argo.workflow.{'x' * 2000}.w.u.agent.r.k",
    "argo.workflow.ns.%2e%2E.uid.agent.roy.log", "argo.workflow.ns.w.uid.agent.\u202e.log",
)  # fmt: skip


def bad(number: int) -> bytes:
    """A message that no row can hold."""
    noise = random.Random(number).randbytes(number % 200)
    return (
        b"\xff" + noise, b'{"content": "a\\u0000b"}', b'{"content": "\\udfff"}', b"[1, 2]", b"", b"{" * 500,
        b'{"timestamp": "0000-00-00T00:00:00Z"}', b'{"content": {"a": 1}}', b'{"attrs": [1]}', b'{"n": 1e999}',
        b'{"run_id": "' + b"x" * 3000 + b'"}',
    )[number % 11]  # fmt: skip


async def _every_one_is_there(comms: Comms, published: int) -> None:
    """Ids are unique here, so nothing may have been taken for a repeat."""
    await comms.acked()
    assert comms.count() + comms.count(REJECTED) == published
    info = await comms.js.consumer_info("agent-comms", "jangar-agent-comms")
    assert info.num_redelivered == 0


async def test_every_type_of_value_at_every_key(comms: Comms) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        number = 0
        for key in KEYS:
            for value in VALUES:
                number += 1
                # Another content each: one id given by several names would be one message.
                content = "" if key == "content" else f', "content": "{number}"'
                payload = f'{{"{key}": {value}, "n{number}": 1{content}}}'
                await comms.publish(payload.encode("utf-8", "surrogatepass"))
        await _every_one_is_there(comms, number)
        assert comms.count() > number / 3


async def test_odd_subjects_large_contents_and_many_keys(comms: Comms) -> None:
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        for subject in SUBJECTS:
            await comms.publish({"content": "odd"}, subject=subject)
        await comms.publish({f"key {number}": number for number in range(1000)}, {"content": "x" * 900_000})
        await _every_one_is_there(comms, len(SUBJECTS) + 2)
        [(keys,)] = comms.rows(
            "SELECT max((SELECT count(*) FROM jsonb_object_keys(attrs))) FROM workflow_comms.agent_messages"
        )
        assert keys == 1000


async def test_every_tenth_message_is_bad(comms: Comms) -> None:
    many = 5_000
    async with comms.service() as service:
        await service.wait_ready(PATIENCE)
        for number in range(many):
            good = json.dumps({"message_id": f"m{number}", "content": f"text {number}"}).encode()
            await comms.js.publish_async(SUBJECT, bad(number // 10) if number % 10 == 0 else good)
        await comms.js.publish_async_completed()
        await _every_one_is_there(comms, many)
        assert comms.count(REJECTED) == many // 10
    [(distinct,)] = comms.rows("SELECT count(DISTINCT content) FROM workflow_comms.agent_messages")
    assert distinct == many * 9 // 10
