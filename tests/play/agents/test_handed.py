"""What commands read is seen on the wire, whatever they read it with; what the harness reads does not count."""

from __future__ import annotations

import json

import pytest

from pytest_agog.checks.tokens import account
from pytest_agog.ledger.facts import AgentHanded
from pytest_agog.play.result import PlayResult
from tests.play.scenes import Scene, chain, claim, outcomes

URL = "nats://agog.deliverables.cynthia.research.search"
REPORT = "# Report\n\n## Findings\n\nThe cache is stale.\n\n## Risks\n\nNone.\n"
STREAM = "agog_features_research"


def handed(result: PlayResult) -> list[tuple[str, str, bytes]]:
    """Agent, URL and payload of all that was handed out."""
    facts = [seen.fact for seen in result.ledger.of(AgentHanded)]
    assert all(fact.section is None for fact in facts)
    return [(fact.agent, fact.url, result.ledger.payloads[fact.payload]) for fact in facts]


async def read_by(scene: Scene, work: str, **parts: object) -> PlayResult:
    """Play a chain in which roy, a command, does `work` and then publishes and prints a notice."""
    scene.file("report.md", REPORT)
    publish = '\nawait js.publish(SUBJECT, report("# Mine\\n"))\nnotice()\n'
    command = scene.agent("roy.py", work + publish)
    given: dict[str, object] = {
        "agents": {"cynthia": {"report": "report.md"}, "roy": {"run": command}},
        "steps": [chain(("cynthia", "research"), ("roy", "backend"), ("jen", "frontend"))],
        **parts,
    }
    result = await scene.play(**given)
    assert (result.outcome, result.failure) == ("passed", None)
    return result


READERS = {
    "direct get": f"await js.get_last_msg('{STREAM}', INPUTS[0]['url'][7:], direct=True)",
    "message get": f"await js.get_last_msg('{STREAM}', INPUTS[0]['url'][7:])",
    "by sequence": f"await js.get_msg('{STREAM}', seq=1)",
    "pull consumer": (
        f"sub = await js.pull_subscribe('agog.deliverables.cynthia.>', stream='{STREAM}')\n"
        "(message,) = await sub.fetch(1, timeout=5)\n"
        "await message.ack()"
    ),
    "push consumer": (
        "sub = await js.subscribe('agog.deliverables.cynthia.>')\nmessage = await sub.next_msg(5)\nawait message.ack()"
    ),
    "ordered consumer": (
        "sub = await js.subscribe('agog.deliverables.cynthia.>', ordered_consumer=True)\nawait sub.next_msg(5)"
    ),
}


@pytest.mark.parametrize("reader", READERS)
async def test_whatever_it_is_read_with_the_whole_message_counts_once(scene: Scene, reader: str) -> None:
    result = await read_by(scene, READERS[reader])
    ((agent, url, payload),) = handed(result)
    assert (agent, url) == ("roy", URL)
    assert json.loads(payload)["content"] == REPORT
    assert account(result.ledger).fetched == result.ledger.count_tokens(payload.decode())


async def test_an_agent_that_reads_nothing_is_handed_nothing(scene: Scene) -> None:
    """The recorder and the harness's own engine read every message at the same time."""
    result = await read_by(scene, "await asyncio.sleep(0.2)")
    assert handed(result) == []


async def test_headers_alone_are_no_report(scene: Scene) -> None:
    work = (
        "sub = await js.subscribe('agog.deliverables.cynthia.>', ordered_consumer=True, "
        "config=nats.js.api.ConsumerConfig(headers_only=True))\nawait sub.next_msg(5)"
    )
    assert handed(await read_by(scene, work)) == []


async def test_agog_fetch_as_an_agent_s_tool(scene: Scene) -> None:
    work = (
        "import subprocess\n"
        "done = subprocess.run(['agog', 'fetch', INPUTS[0]['url'], '--section', 'Risks'], capture_output=True)\n"
        "assert b'None.' in done.stdout and b'stale' not in done.stdout, done"
    )
    ((_, url, payload),) = handed(await read_by(scene, work))
    assert url == URL
    assert json.loads(payload)["content"] == REPORT  # the whole message crossed the wire


@pytest.mark.parametrize("twice", [False, True])
async def test_an_oversized_report_counts_once_for_each_reading(scene: Scene, twice: bool) -> None:
    read = "subprocess.run(['agog', 'fetch', INPUTS[0]['url']], capture_output=True, check=True)\n"
    result = await read_by(
        scene,
        "import subprocess\n" + read * (2 if twice else 1),
        agents={
            "cynthia": {"report": {"generate": {"tokens": 120_000, "seed": 3}}},
            "roy": {"run": ["python", "roy.py"]},
        },
        steps=[
            {"run": {"command": scene.script("small.py", SMALL)}},
            chain(("cynthia", "research"), ("roy", "backend")),
        ],
        proof=[claim("deliverable", agent="cynthia", type="research", feature="search",
                     tokens={"between": [119_000, 121_000]})],
    )  # fmt: skip
    assert outcomes(result) == {"it": "passed"}
    found = handed(result)
    contents = [payload for _, url, payload in found if url == URL and not payload.startswith(b"{")]
    references = [payload for _, url, payload in found if payload.startswith(b"{")]
    assert len(contents) == len(references) == (2 if twice else 1)
    assert result.ledger.count_tokens(contents[0].decode()) == pytest.approx(120_000, rel=0.01)
    assert b'"object"' in references[0]
    assert {url for _, url, _ in found} == {URL}


SMALL = f"""
import asyncio, os
import nats

async def main():
    client = await nats.connect(os.environ["NATS_URL"])
    js = client.jetstream()
    config = (await js.stream_info("{STREAM}")).config
    config.max_msg_size = 100_000
    await js.update_stream(config)
    await client.close()

asyncio.run(main())
"""


async def test_what_steps_read_is_handed_to_no_agent(scene: Scene) -> None:
    result = await read_by(
        scene,
        "pass",
        steps=[
            chain(("cynthia", "research"), ("roy", "backend")),
            {"run": {"command": ["agog", "fetch", URL]}},
        ],
    )
    assert handed(result) == []


async def test_an_agent_that_looks_only_like_a_reader_does_no_harm(scene: Scene) -> None:
    """Replies that only resemble those of JetStream."""
    work = """
await client.publish("_INBOX.fake.1", b"not json", headers={"Nats-Subject": "agog.deliverables.a.b.c"})
await client.publish("_INBOX.fake.2", b'{"type":"io.nats.jetstream.api.v1.stream_msg_get_response", "message": 3}')
await client.publish("_INBOX.fake.3", b"x", reply="$JS.ACK.short")
await client.publish("_INBOX.fake.4", b"x", reply="$JS.ACK.a.b.c.d.e.f.g")
await client.flush()
"""
    assert handed(await read_by(scene, work.strip())) == []
