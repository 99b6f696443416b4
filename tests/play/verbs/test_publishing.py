"""The step `publish`: payloads, headers, acknowledgements, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pytest_agog.checks.evidence.accounting import account_for
from pytest_agog.ledger.facts import PublishAcked, PublishAttempted, PublishRefused
from pytest_agog.play.play import play
from pytest_agog.play.result import PlayResult
from pytest_agog.wire.streams import AGENT_TYPES
from tests.play.scenes import Scene, claim, of, outcomes

SUBJECT = "results.roy.REQ-1"


def payloads(result: PlayResult, pattern: str = SUBJECT) -> list[bytes]:
    return [result.ledger.payloads[message.payload] for message in result.ledger.messages(pattern)]


def published(given: dict[str, Any]) -> dict[str, Any]:
    return {"publish": {"subject": SUBJECT, **given}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"json": {"a": [1, None, "ü"]}}, '{"a":[1,null,"ü"]}'.encode()),
        ({"json": None}, b"null"),
        ({"json": "text"}, b'"text"'),
        ({"text": ""}, b""),
        ({"text": "ü\n"}, "ü\n".encode()),
        ({"base64": base64.encodebytes(bytes(range(256))).decode()}, bytes(range(256))),
        ({"file": "data.bin"}, b"\x00\xff\r\n"),
    ],
)
async def test_the_payload_is_what_is_written(scene: Scene, given: dict[str, Any], expected: bytes) -> None:
    scene.file("data.bin", b"\x00\xff\r\n")
    result = await scene.play(steps=[published(given)])
    assert result.outcome == "passed"
    assert payloads(result) == [expected]


async def test_headers_are_sent_and_none_are_added(scene: Scene) -> None:
    result = await scene.play(
        steps=[published({"json": {"n": 1}, "headers": {"X-One": "1: ü", "x-two": ""}}), published({"text": "bare"})]
    )
    with_headers, bare = result.ledger.messages(SUBJECT)
    assert dict(with_headers.headers) == {"X-One": "1: ü", "x-two": ""}
    assert not bare.headers


async def test_the_same_message_id_is_stored_once_and_acknowledged_as_a_duplicate(scene: Scene) -> None:
    result = await scene.play(
        steps=[published({"text": "once", "times": 5, "headers": {"Nats-Msg-Id": "one"}})],
        proof=[claim("message", subject=SUBJECT, count=1), claim("no_loss", "loss")],
    )
    assert set(outcomes(result).values()) == {"passed"}
    assert [seen.fact.duplicate for seen in result.ledger.of(PublishAcked)] == [False, True, True, True, True]


async def test_many_messages_are_all_accounted_for(scene: Scene) -> None:
    told: list[str] = []
    scenario = scene.load(
        steps=[published({"json": {"n": 1}, "times": 12_000})],
        proof=[claim("message", subject="results.>", count=12_000), claim("no_loss", "loss")],
    )
    result = await play(scenario, scene.options(scenario, progress=told.append))
    assert set(outcomes(result).values()) == {"passed"}
    account = account_for(result.ledger)
    assert (account.attempted, len(account.acked), account.observed) == (12_000, 12_000, 12_000)
    assert f"publishing on {SUBJECT}: 10,000 of 12,000" in told


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"subject": "nobody.listens", "text": "x"}, "no stream takes this subject; `core: true`"),
        ({"text": "x", "headers": {"Nats-Expected-Last-Sequence": "77"}}, "wrong last sequence"),
        ({"text": "x", "headers": {"Nats-Expected-Stream": "OTHER"}}, "expected stream does not match"),
        ({"subject": "agog.deliverables.roy.backend.x", "file": "large.bin"}, "message size exceeds maximum"),
        ({"file": "huge.bin"}, "bytes with headers, the server takes 12000000; raise services.nats.max_payload"),
        ({"file": "almost.bin", "headers": {"X-One": "1234567890"}}, "12000012 bytes with headers"),
    ],
)
async def test_a_refused_publish_fails_the_step_with_the_reason(
    scene: Scene, given: dict[str, Any], reason: str
) -> None:
    scene.file("large.bin", b"x" * 10_000_001)
    scene.file("huge.bin", b"x" * 12_000_001)
    scene.file("almost.bin", b"x" * 11_999_981)
    result = await scene.play(
        steps=[published(given), published({"text": "later"})], proof=[claim("never", subject=SUBJECT)]
    )
    assert result.outcome == "failed"
    assert result.failure is not None
    assert reason in result.failure.message
    assert "\n" not in result.failure.message
    assert of(result).verdict.passed
    refused = result.ledger.of(PublishRefused)
    assert len(refused) == len(result.ledger.of(PublishAttempted))


async def test_core_messages_need_no_stream(scene: Scene) -> None:
    result = await scene.play(
        steps=[
            {"publish": {"subject": "agog.spawn.request", "json": {"agentId": "roy"}, "core": True, "times": 3}},
            published({"text": "a stream takes it all the same", "core": True}),
        ],
        proof=[
            claim("message", subject="agog.spawn.request", count=3),
            claim("message", "stored", subject=SUBJECT, count=1),
            claim("stream", "stream", name="RESULTS", messages=1),
        ],
    )
    assert (result.outcome, set(outcomes(result).values())) == ("passed", {"passed"})
    assert account_for(result.ledger).core == 4
    assert not result.ledger.of(PublishAcked)


@pytest.mark.parametrize("core", [False, True])
async def test_without_a_server_a_publish_fails_and_says_so(scene: Scene, core: bool) -> None:
    result = await scene.play(
        steps=[published({"text": "before"}), {"kill": {"component": "nats"}}, published({"text": "x", "core": core})],
        proof=[claim("message", subject=SUBJECT, count=1)],
    )
    assert result.failure is not None
    assert result.failure.step is not None
    assert result.failure.step.number == 3
    expected = "the server did not answer within 5s" if core else "was not acknowledged: no PubAck within 5s"
    assert expected in result.failure.message
    assert of(result).verdict.passed


async def test_without_the_contract_s_streams_nothing_is_stored(scene: Scene) -> None:
    result = await scene.play(
        services={"nats": {"streams": "none"}},
        steps=[published({"text": "x"})],
        proof=[claim("stream", name="RESULTS")],
    )
    assert result.failure is not None
    assert "no stream takes this subject" in result.failure.message
    assert outcomes(result) == {"it": "failed"}


async def test_payloads_near_the_limit_go_through(scene: Scene) -> None:
    scene.file("large.bin", b"x" * 9_999_000)
    result = await scene.play(steps=[published({"file": "large.bin", "times": 12})])
    assert result.outcome == "passed"
    assert [message.size for message in result.ledger.messages(SUBJECT)] == [9_999_000] * 12


STREAMS = (
    *(f"agog.deliverables.{agent}.{kind}.x" for agent, kind in AGENT_TYPES.items()),
    SUBJECT,
    "agog.orchestration.events.stage.completed",
    "argo.workflow.prod.billing.wf-1.agent.roy.log",
)
"""A subject of each of these streams: at least one of them is led by whichever server goes, as good as always."""


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_when_a_server_of_a_cluster_goes_a_publish_waits_for_the_new_leader(scene: Scene, signal: str) -> None:
    result = await scene.play(
        services={"nats": {"servers": 3}},
        steps=[
            {"kill": {"component": "nats", "server": 1, "signal": signal}},
            *(published({"subject": subject, "json": {"n": 1}, "times": 3}) for subject in STREAMS),
        ],
        proof=[claim("no_loss", "loss")],
    )
    assert result.failure is None
    assert outcomes(result) == {"loss": "passed"}
    account = account_for(result.ledger)
    assert (account.attempted, len(account.acked), account.observed) == (3 * len(STREAMS),) * 3
    assert not result.ledger.of(PublishRefused)
