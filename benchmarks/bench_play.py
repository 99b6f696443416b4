"""What a play costs: a whole pytest run around one turn, and many messages. Peers: pytest alone, and nats-py alone."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Result, alternating, result
from pytest_agog.play.agents.generate import report
from pytest_agog.play.play import PlayOptions, play
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.stage import StageOptions
from pytest_agog.stage.target.targets import REFERENCE

ONE_TURN, RATE, GENERATED = 400.0, 0.2, 5.0
MANY = 20_000

_ONE_TURN = """
agog: 1
name: one-turn
agents:
  cynthia: {report: {generate: {tokens: 8000, seed: 7}}}
steps:
  - chain: {feature: search, turns: [{agent: cynthia, task: research}]}
proof:
  - id: stored
    claim: The report is stored
    check: deliverable
    with: {agent: cynthia, type: research, feature: search, digest: true}
  - {id: one, claim: It is stored once, check: message, with: {subject: agog.deliverables.>, count: 1}}
  - {id: small, claim: The notice is small, check: notice, with: {tokens: {at_most: 200}}}
"""
_MANY = f"""
agog: 1
name: many
steps:
  - publish: {{subject: results.roy.REQ-1, json: {{n: 1}}, times: {MANY}}}
proof:
  - {{id: all, claim: All are there, check: message, with: {{subject: results.>, count: {MANY}}}}}
  - {{id: no-loss, claim: None is lost, check: no_loss}}
"""


def run() -> list[Result]:
    """All of them."""
    folder = Path(tempfile.mkdtemp(prefix="agog-bench-"))
    try:
        return [_one_turn(folder), _many(folder), _generated()]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one_turn(folder: Path) -> Result:
    (folder / "one-turn.yaml").write_text(_ONE_TURN)
    (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")

    def ours() -> None:
        _pytest(folder, "--agog-scenario=one-turn.yaml")

    def peer() -> None:
        _pytest(folder, "test_empty.py")

    ours()
    peer()
    whole, bare = alternating(ours, peer, rounds=9)
    return result(
        "one-turn scenario, beyond pytest's own start",
        whole - bare,
        "ms",
        peer=bare,
        goal=f"< {ONE_TURN:.0f} ms",
        ok=whole - bare < ONE_TURN,
        note="whole processes, nothing warm but the files; peer: pytest on a file with one empty test",
    )


def _pytest(folder: Path, *words: str) -> None:
    # Hypothesis's plugin takes half a second at the end of a run that never used it, which a run of scenarios spares
    # itself: that would count in our favour.
    command: Sequence[str] = (
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *words,
    )  # fmt: skip
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _many(folder: Path) -> Result:
    (folder / "many.yaml").write_text(_MANY)
    (scenario,) = load(folder / "many.yaml", vocabulary())
    seconds = asyncio.run(_published(scenario, folder))
    bare = _bare(folder / "bare")
    return result(
        f"{MANY:,} messages published, recorded and accounted for",
        MANY / seconds,
        "messages/s",
        peer=MANY / bare,
        goal=f"> {RATE:g} x publishing them",
        ok=bare / seconds > RATE,
        note="from the first step to the last verdict; peer: nats-py's publish_async, acknowledgements awaited",
    )


async def _published(scenario: Scenario, folder: Path) -> float:
    stage = folder / "stage"
    stage.mkdir()
    began: list[float] = []

    def progress(text: str) -> None:
        if text.startswith(("step 1", "judging")):
            began.append(time.perf_counter())

    played = await play(scenario, PlayOptions(stage=StageOptions(folder=stage), progress=progress))
    waited = max(judgement.waited for judgement in played.judgements)
    assert all(judgement.verdict.passed for judgement in played.judgements)
    return began[1] - began[0] + waited


def _bare(folder: Path) -> float:
    async def publish(url: str) -> float:
        import nats

        await REFERENCE.prepare_streams(url)
        client = await nats.connect(url)
        jetstream = client.jetstream(publish_async_max_pending=1000)
        started = time.perf_counter()
        for _ in range(MANY):
            await jetstream.publish_async("results.roy.REQ-1", b'{"n":1}')
        await jetstream.publish_async_completed()
        seconds = time.perf_counter() - started
        await client.close()
        return seconds

    with NatsServer(folder) as server:
        return asyncio.run(publish(server.url))


def _generated() -> Result:
    report(50, 1)
    started = time.perf_counter()
    report(2_000_000, 1)
    seconds = time.perf_counter() - started
    return result(
        "report of 2,000,000 tokens made up",
        seconds,
        "s",
        goal=f"< {GENERATED:g} s",
        ok=seconds < GENERATED,
        note="the longest that a scenario may ask for",
    )
