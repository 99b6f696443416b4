"""Deliverables on the wire: payload, digest, ids, and the size that the server counts."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.wire import deliverables
from pytest_agog.wire.times import parse_time

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
METADATA = {"agent": "roy", "taskType": "backend", "feature": "x", "timestamp": "2026-01-31T12:00:00Z", "extra": [1]}
ABC = "SHA-256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0="
"""Of `abc`, as FIPS 180 gives it."""


@given(TEXTS)
def test_the_payload_carries_the_content_exactly(content: str) -> None:
    data = deliverables.payload(content, METADATA)
    assert json.loads(data) == {"content": content, "metadata": METADATA}
    model = deliverables.Deliverable.model_validate_json(data)
    assert model.content == content
    assert (model.metadata.task_type, model.metadata.model_extra) == ("backend", {"extra": [1]})


def test_a_reference_takes_the_place_of_the_content() -> None:
    reference = deliverables.ObjectReference(bucket="b", name="n", digest=ABC, size=3)
    model = deliverables.Deliverable.model_validate_json(deliverables.payload_by_reference(reference, METADATA))
    assert (model.content, model.object) == (None, reference)


def test_the_digest_is_the_known_one() -> None:
    assert deliverables.digest("abc") == deliverables.digest(b"abc") == ABC


@given(TEXTS, TEXTS)
def test_digests_agree_exactly_when_the_bytes_do(one: str, other: str) -> None:
    digest = deliverables.digest(one)
    plain = "SHA-256=" + base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()
    assert deliverables.same_digest(digest, plain)
    assert deliverables.same_digest(digest, digest.rstrip("="))
    assert deliverables.same_digest(digest, deliverables.digest(other)) == (one == other)


@pytest.mark.parametrize(
    "wrong",
    ["", "SHA-256=", "SHA-256=abc", ABC.removeprefix("SHA-256="), ABC[:-5], ABC.replace("W", "!"), ABC + "AAAA"],
)
def test_what_is_no_digest_equals_nothing(wrong: str) -> None:
    assert not deliverables.same_digest(wrong, wrong)
    assert not deliverables.same_digest(wrong, ABC)


def test_headers_say_which_revision_it_is() -> None:
    assert deliverables.headers("a.b", ABC) == {"Nats-Msg-Id": f"a.b:{ABC}", "Agog-Digest": ABC}
    assert deliverables.headers("a.b", ABC, 7)["Nats-Msg-Id"] == f"a.b:{ABC}:7"


def test_now_is_a_time_of_the_contract() -> None:
    assert deliverables.now().endswith("Z")
    parse_time(deliverables.now())


@pytest.mark.parametrize("headers", [{}, {"Agog-Digest": ABC, "Empty": "", "Word": "é"}])
async def test_the_size_is_what_the_server_counts(tmp_path: Path, headers: dict[str, str]) -> None:
    limit = 2000
    with NatsServer(tmp_path / "nats", NatsOptions(max_payload=limit)) as server:
        client = await nats.connect(server.url, allow_reconnect=False, error_cb=_quiet)
        try:
            await client.jetstream().add_stream(name="s", subjects=["s"])
            data = b"x" * (limit - deliverables.encoded_size(b"", headers))
            assert deliverables.encoded_size(data, headers) == limit
            await client.jetstream().publish("s", data, headers=headers or None)
            with pytest.raises((nats.errors.Error, TimeoutError)):
                await client.jetstream().publish("s", data + b"x", headers=headers or None, timeout=1)
        finally:
            await client.close()


async def _quiet(_: Exception) -> None:
    """The server's refusal also comes as a connection error."""
