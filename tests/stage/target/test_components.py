"""Parts of a target as processes: started until they say that they are ready, killed, restarted, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pytest_agog.errors import BadInput, CommandNotFound, ServiceDidNotStart, UsageError
from pytest_agog.ledger.access import given
from pytest_agog.scenario.model import CommsService
from pytest_agog.stage.links import COMMS_NATS, COMMS_POSTGRES, READER_COMMS
from pytest_agog.stage.target.components import Addresses, Comms, Component
from pytest_agog.stage.target.parts import PartElsewhere, PartProcess, filled, unknown_variables

SERVER = """
import http.server, os, sys, signal

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = self.path != "/never"
        self.send_response(200 if ready else 503)
        body = repr((os.getpid(), sys.argv[1:], os.environ.get("TOLD"), os.getcwd())).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

signal.signal(signal.SIGTERM, lambda *_: (print("told to stop", flush=True), os._exit(7)))
server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer)
print("listening", flush=True)
server.serve_forever()
"""
SOME = Addresses(given("nats://127.0.0.1:4222"), "postgresql://u:p@127.0.0.1:5432/d")


@pytest.fixture
def part(tmp_path: Path) -> PartProcess:
    """A server that tells who it is."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    env = {"HOST": "${host}", "PORT": "${port}", "TOLD": "${nats} $${port} ${instance}"}
    return PartProcess(("python", str(script), "${postgres}"), "${url}/ready", env, cwd=tmp_path)


def told(url: str) -> tuple[int, list[str], str, str]:
    """What the server at `url` says of itself."""
    with urllib.request.urlopen(url) as answer:
        found: tuple[int, list[str], str, str] = eval(answer.read())  # its own repr
    return found


def runs(one: Component) -> bool:
    """Whether its process is there now."""
    return one.alive


def component(part: PartProcess, folder: Path) -> Component:
    made = Component("comms", part, folder / "stage" / "comms.log")
    made.values = {"nats": SOME.nats.url, "postgres": SOME.postgres, "workers": "1", "instance": "1"}
    return made


def test_a_component_gets_its_words_and_comes_back_at_its_address(part: PartProcess, tmp_path: Path) -> None:
    with component(part, tmp_path) as one:
        pid, words, environment, folder = told(one.url)
        assert pid == one.pid
        assert words == [SOME.postgres]
        assert environment == f"{SOME.nats.url} ${{port}} 1"
        assert folder == str(tmp_path)
        address = one.url
        one.kill()
        assert not runs(one)
        assert one.exit == -signal.SIGKILL
        one.restart()
        assert one.url == address
        assert told(one.url)[0] == one.pid != pid
        one.kill("STOP")
        assert runs(one)
        one.restart()
        one.kill("TERM")
        assert one.exit == 7
        one.start()
    assert not runs(one)
    assert one.log_tail().splitlines() == ["listening", "listening", "told to stop", "listening", "told to stop",
                                           "listening", "told to stop"]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("print('alas'); raise SystemExit(3)", r"it ended with status 3; it printed: alas\. Look at .*comms\.log"),
        ("import os; os.kill(os.getpid(), 9)", r"signal 9 ended it; it printed: \(nothing\)"),
    ],
)
def test_what_does_not_start_is_told_with_its_log(code: str, message: str, tmp_path: Path) -> None:
    one = component(PartProcess(("python", "-c", code)), tmp_path)
    with pytest.raises(ServiceDidNotStart, match=message), one:
        pass
    assert not runs(one)


def test_ready_is_what_has_printed_a_line(tmp_path: Path) -> None:
    """Every process has to say so itself; what an earlier one printed stands in the same log."""
    code = "import sys, time; print('at', sys.argv[1], end='', flush=True); time.sleep(0.1); print(flush=True); input()"
    script = tmp_path / "slow.py"
    script.write_text(f"import time\n{code.replace('; ', chr(10))}\n".replace("input()", "time.sleep(60)"))
    part = PartProcess(("python", str(script), "${port}"), prints="at ${port}")
    with component(part, tmp_path) as one:
        assert one.log_tail() == f"at {one.port}"
        one.restart()
        assert one.log_tail().splitlines() == [f"at {one.port}"] * 2
        never = Component("comms", PartProcess(part.command, prints="elsewhere"), tmp_path / "other.log")
        with pytest.raises(ServiceDidNotStart, match=r"not ready in time \(printing 'elsewhere': it has not\)"):
            never.start(patience=0.3)
        never.start(listens=True)
        assert runs(never)
        never.stop()


def test_what_is_never_ready_is_ended(part: PartProcess, tmp_path: Path) -> None:
    never = PartProcess(part.command, "${url}/never", part.env)
    one = component(never, tmp_path)
    with pytest.raises(ServiceDidNotStart, match=r"not ready in time \(http://127.0.0.1:\d+/never: status 503\)"):
        one.start(patience=0.5)
    assert not runs(one)
    one.start(listens=True)
    assert runs(one)
    one.stop()


def test_no_such_program(tmp_path: Path) -> None:
    one = component(PartProcess(("no-such-program",)), tmp_path)
    with pytest.raises(CommandNotFound, match="no-such-program"), one:
        pass


def test_variables() -> None:
    assert filled("${a}/$${a}/$a${b}", {"a": "1", "b": "${a}"}) == "1/${a}/$a${a}"
    assert unknown_variables("${nats} $${x} ${y} ${}") == ["y", ""]
    with pytest.raises(BadInput, match=r"no variable \$\{c\}; there are a"):
        filled("${c}", {"a": "1"})


async def test_instances_stand_side_by_side(part: PartProcess, tmp_path: Path) -> None:
    comms = Comms(part, CommsService(instances=2), tmp_path)
    try:
        await comms.start(SOME)
        pids = [told(comms.url(number))[0] for number in (1, 2)]
        assert pids == [one.pid for one in comms.instances]
        assert [told(comms.url(number))[2][-1] for number in (1, 2)] == ["1", "2"]
        assert [service.name for service in comms.left_up] == ["comms-1", "comms-2"]
        with pytest.raises(UsageError, match="there is no comms 3"):
            comms.url(3)
        await comms.kill("KILL", 2)
        assert [one.alive for one in comms.instances] == [True, False]
        await comms.restart(2)
        assert told(comms.url(2))[0] not in pids
        with pytest.raises(UsageError, match="there is no comms 3"):
            await comms.restart(3)
    finally:
        await comms.stop()
    assert comms.left_up == []


async def test_links_stand_where_they_are_cut_and_nowhere_else(part: PartProcess, tmp_path: Path) -> None:
    comms = Comms(part, CommsService(), tmp_path, cuts=[COMMS_NATS, READER_COMMS])
    try:
        await comms.start(SOME)
        _, words, environment, _ = await asyncio.to_thread(told, comms.url())
        nats = comms.links[COMMS_NATS]
        assert words == [SOME.postgres]
        assert environment.startswith(nats.in_nats(SOME.nats.url))
        assert nats.in_nats(SOME.nats.url) != SOME.nats.url
        assert comms.url() != comms.instances[0].url
        assert COMMS_POSTGRES not in comms.links
    finally:
        await comms.stop()


async def test_what_stays_is_given_the_real_addresses(part: PartProcess, tmp_path: Path) -> None:
    comms = Comms(part, CommsService(), tmp_path, cuts=[COMMS_POSTGRES], keep=True)
    try:
        await comms.start(SOME)
        assert (await asyncio.to_thread(told, comms.url()))[1] != [SOME.postgres]
        address = comms.url()
        await comms.leave(SOME)
        assert comms.url() == address
        assert told(comms.url())[1] == [SOME.postgres]
    finally:
        await comms.stop()


async def test_an_external_one_is_not_ours(tmp_path: Path) -> None:
    comms = Comms(PartElsewhere("http://comms.example:80/base"), CommsService(), tmp_path)
    await comms.start(SOME)
    assert comms.url() == "http://comms.example:80/base"
    assert comms.left_up == []
    for done in (comms.kill("KILL", None), comms.restart(None)):
        with pytest.raises(UsageError, match="is external"):
            await done
    await comms.stop()
    with pytest.raises(UsageError, match="comms-nats cannot be cut"):
        Comms(PartElsewhere("http://comms.example"), CommsService(), tmp_path, cuts=[COMMS_NATS])
    with pytest.raises(UsageError, match="one instance"):
        Comms(PartElsewhere("http://comms.example"), CommsService(instances=2), tmp_path)


async def test_one_that_does_not_start_takes_the_others_along(part: PartProcess, tmp_path: Path) -> None:
    comms = Comms(part, CommsService(instances=2), tmp_path)
    comms.instances[1].part = PartProcess(("python", "-c", "raise SystemExit(5)"))
    with pytest.raises(ServiceDidNotStart, match="comms-2 did not start: it ended with status 5"):
        await comms.start(SOME)
    assert runs(comms.instances[0])
    await comms.stop()
    assert not runs(comms.instances[0])


HARNESS = """
    import sys
    from pathlib import Path
    from pytest_agog.stage.target.components import Component
    from pytest_agog.stage.target.parts import PartProcess
    folder = Path(sys.argv[1])
    part = PartProcess(("python", str(folder / "server.py")), "${url}/", {"HOST": "${host}", "PORT": "${port}"})
    one = Component("comms", part, folder / "comms.log")
    one.start()
    print(one.pid, flush=True)
    stay()
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
@pytest.mark.usefixtures("part")
def test_nothing_outlives_the_harness(
    harness: Callable[[str], subprocess.Popen[str]], gone: Callable[[int], bool], how: str
) -> None:
    running = harness(HARNESS)
    assert running.stdout is not None
    pid = int(running.stdout.readline())
    assert psutil.pid_exists(pid)
    if how == "is killed":
        os.kill(running.pid, signal.SIGKILL)
    running.communicate(timeout=20)
    assert gone(pid)
