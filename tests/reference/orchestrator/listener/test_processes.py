"""Agents' processes: nothing of them is left, whatever they do, and never are two at one attempt. [O10] [F45] [F46]"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import pytest

from tests.reference.orchestrator.listener.rooms import REQ, Room, alive, most_at_once, notice, python, shell

LOGS = "log = lambda line: os.write(fd, (line + '\\n').encode())\n"
HEAD = "import os, sys, time, signal\nfd = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n" + LOGS
LEAVES = (
    "open(os.environ['AGENT_OUTPUT_DIR'] + '/deliverables/r.md', 'w').write('# Report\\n\\nWhat was found.\\n')\n"
    "print(sys.argv[1], flush=True)\n"
)
FAMILY = (
    HEAD + "log(f'+ {os.getpid()}')\n"
    "if os.fork() == 0:\n    log(f'+ {os.getpid()}')\n    time.sleep(600)\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n        log(f'+ {os.getpid()}')\n        time.sleep(600)\n"
    "    log(f'+ {os.getpid()}')\n    os._exit(0)\n"
    "while len(open('log').readlines()) < 4:\n    time.sleep(0.01)\n"
)
"""An agent with a child, and a grandchild that left its session."""
SLOW = (
    HEAD + "log(f'+ {os.getpid()}')\n"
    "while not os.path.exists('go'):\n    time.sleep(0.01)\n" + LEAVES + "log(f'- {os.getpid()}')\n"
)
"""An agent that goes on until the file `go` is there."""


def pids(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines]


async def test_what_an_agent_leaves_behind_is_killed(room: Room) -> None:
    async with room.listening({"roy": python(FAMILY + LEAVES, notice())}):
        await room.start()
        await room.heard("results.")
        found = pids(room.log())
        assert len(found) == 4
        assert not any(alive(pid) for pid in found)


@pytest.mark.parametrize("end", ["timeout", "kill", "stop"])
async def test_a_hanging_agent_is_killed_with_all_that_it_started(room: Room, end: str) -> None:
    async with room.listening({"roy": python(FAMILY + "time.sleep(600)\n")}) as listener:
        await room.start(seconds=2.0 if end == "timeout" else 60.0)
        found = pids(await room.logged(4))
        if end == "timeout":
            assert (await room.heard("errors."))["kind"] == "timeout"
        elif end == "kill":
            asked = {"reqNumber": REQ, "stage": "backend", "attempt": 1}
            assert await room.ask("agog.spawn.kill", asked) == {"killed": True}
            error = await room.heard("errors.")
            assert (error["kind"], error["transient"]) == ("killed", True)
            assert await room.ask("agog.spawn.kill", asked) == {"killed": False}
        else:
            listener.stop()
            await room.until(lambda: not listener.attempts.hands)
            assert not room.said
        assert not any(alive(pid) for pid in found)


@pytest.mark.parametrize("whom", ["listener", "keeper"])
async def test_sigkill_leaves_nothing_behind(room: Room, whom: str) -> None:
    listener = await room.process({"roy": python(FAMILY + "time.sleep(600)\n")}, ack_wait="2s")
    await room.start()
    found = pids(await room.logged(4))
    if whom == "listener":
        listener.kill()
        await listener.wait()
        await room.until(lambda: not any(alive(pid) for pid in found))
    else:
        keeper = parent(found[0])
        assert keeper != listener.pid
        group = [pid for pid in found if alive(pid) and os.getpgid(pid) == found[0]]
        fled = set(found) - set(group)
        os.kill(keeper, signal.SIGKILL)
        assert (await room.heard("errors."))["transient"]
        await room.until(lambda: not any(alive(pid) for pid in group))
        assert len(group) == 2
        for pid in filter(alive, fled):  # without a keeper nobody finds who left the session
            os.kill(pid, signal.SIGKILL)


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return int(file.read().rpartition(")")[2].split()[1])


async def test_a_killed_listener_is_taken_over_and_never_two_run_at_once(room: Room) -> None:
    agents = {"roy": python(SLOW, notice())}
    first = await room.process(agents, ack_wait="1s")
    await room.start()
    before = pids(await room.logged(1))
    second = await room.process(agents)
    first.kill()
    lines = await room.logged(2)
    assert not alive(before[0])
    (room.folder / "go").touch()
    await room.heard("agog.orchestration.events.stage.completed")
    await room.acked()
    assert len(room.of("results.")) == 1
    assert len(lines) == 2
    claim = await room.claim(f"{REQ}.backend.1")
    assert claim is not None
    assert (claim.state, claim.run, claim.pid) == ("ended", 2, second.pid)


async def test_a_listener_that_hangs_is_not_overtaken(room: Room) -> None:
    """Its messages are delivered again, its agent still runs: on the same machine the lock keeps the other one out."""
    agents = {"roy": python(SLOW, notice())}
    first = await room.process(agents, ack_wait="1s")
    await room.start()
    await room.logged(1)
    first.send_signal(signal.SIGSTOP)
    async with room.listening(agents) as second:
        await room.until(lambda: bool(second.attempts.hands))
        (room.folder / "go").touch()
        await room.logged(2)
        first.send_signal(signal.SIGCONT)
        await room.heard("agog.orchestration.events.stage.completed")
        await room.acked()
    assert most_at_once(room.log()) == 1
    assert len(room.log()) == 2
    assert len(room.said) == 2


async def test_listeners_are_killed_again_and_again(room: Room) -> None:
    """Every attempt gets one result and one event, and no two agents are at one attempt at the same time. [F44]"""
    code = (
        HEAD + "import fcntl\nreq = os.environ['AGOG_REQUIREMENT']\nguard = open(req + '.guard', 'w')\n"
        "try:\n    fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError:\n    log('two at ' + req)\n"
        "log('+ %d' % os.getpid())\ntime.sleep(0.05)\n"
        + LEAVES.replace("sys.argv[1]", "sys.argv[1].replace('ID', req)")
    )
    agents = {"roy": python(code, notice(req="ID"))}
    names = [f"REQ-{number}" for number in range(12)]
    for name in names:
        await room.start(req=name)
    for count in (1, 5, 9):
        listener = await room.process(agents, ack_wait="1s", concurrency=3)
        await room.logged(count)
        listener.kill()
        await listener.wait()
    await room.process(agents, concurrency=3)
    await room.heard("agog.orchestration.events.stage.completed", 12)
    await room.acked()
    assert not [line for line in room.log() if line.startswith("two")]
    assert sorted(one["req_number"] for one in room.of("results.")) == sorted(names)
    assert len(room.said) == 24


async def test_the_command(room: Room) -> None:
    """`agog listen` with its settings file, from ready to SIGTERM."""
    run = json.dumps(shell("", said=notice()))
    (room.folder / "agog.toml").write_text(f"[listener]\nconcurrency = 1\n[agents.roy]\nrun = {run}\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest_agog", "listen", "--json", cwd=room.folder, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NATS_URL": room.server.url},
    )  # fmt: skip
    room.processes.append(process)
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    data = room.folder / ".agog" / "listener"
    assert told == {"nats": room.server.url, "agents": ["roy"], "data": str(data)}
    await room.start()
    await room.heard("results.")
    process.terminate()
    assert await process.wait() == 0
    assert (data / "attempts" / f"{REQ}.backend.1" / "stdout.log").read_text() == notice() + "\n"


async def test_stopped_listeners_hand_over_at_once(room: Room) -> None:
    agents = {"roy": python(SLOW, notice())}
    first = await room.process(agents, ack_wait="600s")
    await room.start()
    await room.logged(1)
    await room.process(agents, ack_wait="600s")
    first.send_signal(signal.SIGTERM)
    await room.logged(2)
    (room.folder / "go").touch()
    await room.heard("results.")
    assert await first.wait() == 0


async def test_working_longer_than_the_ack_wait_is_not_started_again(room: Room) -> None:
    agents = {"roy": python(SLOW, notice())}
    async with room.listening(agents, ack_wait="300ms"), room.listening(agents):
        await room.start()
        await room.logged(1)
        # Nothing tells that something does not happen: four times the ack wait is let pass.
        await asyncio.sleep(1.2)
        info = await room.link.nc.jetstream().consumer_info("agog_orchestration_events", "host-listener")
        assert info.config.ack_wait == pytest.approx(0.3)
        assert info.num_redelivered == 0
        (room.folder / "go").touch()
        await room.heard("results.")
        await room.acked()
    assert len(room.log()) == 2


async def test_concurrency_is_bounded_and_two_listeners_share_the_work(room: Room) -> None:
    code = HEAD + "log(f'+ {os.getpid()}')\ntime.sleep(0.05)\nlog(f'- {os.getpid()}')\n" + LEAVES
    agents = {"roy": [*python(code)[:-1], code, "{}"]}
    async with room.listening(agents, concurrency=2), room.listening(agents, concurrency=1, data="other"):
        for number in range(12):
            await room.start(req=f"REQ-{number}")
        await room.heard("errors.", 12)
        await room.acked()
    assert most_at_once(room.log()) <= 3
    assert len(room.log()) == 24
    assert sorted(one["reqId"] for one in room.of("errors.")) == sorted(f"REQ-{n}" for n in range(12))


async def test_nats_goes_away_while_an_agent_runs(room: Room) -> None:
    async with room.listening({"roy": python(SLOW, notice())}, ack_wait="1s"):
        await room.start()
        await room.logged(1)
        await asyncio.to_thread(room.server.halt)
        (room.folder / "go").touch()
        await room.logged(2)
        await asyncio.to_thread(room.server.restart)
        await room.heard("agog.orchestration.events.stage.completed")
        await room.acked()
    assert len(room.log()) == 2
    assert len(room.of("results.")) == 1


async def test_an_agent_is_killed_when_nats_is_away_for_a_lease_and_runs_again_then(room: Room) -> None:
    async with room.listening({"roy": python(SLOW, notice())}, ack_wait="600ms", lease="500ms"):
        await room.start()
        before = pids(await room.logged(1))
        await asyncio.to_thread(room.server.halt)
        await room.until(lambda: not alive(before[0]))
        await asyncio.to_thread(room.server.restart)
        await room.logged(2)
        (room.folder / "go").touch()
        await room.heard("results.")
        await room.acked()


async def test_end_of_input_for_an_agent_that_asks(room: Room) -> None:
    async with room.listening({"roy": shell("cat > /dev/null; read answer || echo nobody answers; exit 4")}):
        await room.start()
        error = await room.heard("errors.")
    assert error["exit"] == 4
    assert "nobody answers" in error["output"]
