from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agog.errors import SpoolFull, SpoolUnusable
from pytest_agog.reference.comms.publishing.drafting import Outgoing
from pytest_agog.reference.comms.publishing.spool import Spool, folder


def message(number: int, size: int = 10) -> Outgoing:
    return Outgoing(f"agentrun.general.k{number}", f"id-{number}", b'{"content":"%s"}' % (b"x" * size))


def numbers(spool: Spool, most: int = 1000) -> list[int]:
    return [int(one.message.message_id[3:]) for one in spool.read(most, 10**9) if one.message is not None]


def test_order_and_progress(spool: Spool) -> None:
    spool.append([message(1), message(2)])
    spool.append([message(3)])
    first = spool.read(1, 10**6)
    assert [one.message for one in first] == [message(1)]
    spool.delivered(first[-1].end)
    assert numbers(Spool(spool.path)) == [2, 3]  # another process goes on there
    spool.delivered(spool.read(9, 10**6)[-1].end)
    assert spool.waiting() == 0
    assert spool.read(9, 10**6) == []
    assert spool.path.stat().st_size == 0
    spool.append([message(4)])
    assert numbers(spool) == [4]


def test_nobody_else_may_read_it(spool: Spool) -> None:
    spool.append([message(1)])
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("torn", [b"{", b'{"subject":"a","message', b"\xff" * 70_000])
def test_a_torn_last_line_goes(spool: Spool, torn: bytes) -> None:
    spool.append([message(1)])
    with spool.path.open("ab") as file:
        file.write(torn)
    assert numbers(spool) == [1]
    spool.append([message(2)])
    assert numbers(spool) == [1, 2]
    assert spool.path.read_bytes().count(b"\n") == 2


def test_only_a_torn_line(spool: Spool) -> None:
    spool.path.parent.mkdir()
    spool.path.write_bytes(b"{torn")
    assert spool.read(9, 9999) == []
    assert spool.waiting() == 0


def test_a_broken_line_is_told_from_messages(spool: Spool) -> None:
    spool.append([message(1)])
    with spool.path.open("ab") as file:
        file.write(b"garbage\n[]\n")
    spool.append([message(2)])
    assert [one.message is None for one in spool.read(9, 9999)] == [False, True, True, False]


def test_it_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.jsonl", limit=1000)
    spool.append([message(1, 500)])
    with pytest.raises(SpoolFull, match=r"fit into 1000\. .*AGOG_SPOOL_MAX_BYTES"):
        spool.append([message(2, 500)])
    assert numbers(spool) == [1]
    spool.delivered(spool.read(1, 999)[-1].end)
    spool.append([message(3, 500)])  # what is delivered does not count
    assert numbers(spool) == [3]


def test_what_is_delivered_is_cut_off(spool: Spool) -> None:
    spool.append([message(number, 10**6) for number in range(6)])
    window = spool.read(5, 10**9)
    spool.delivered(window[-1].end)
    assert spool.path.stat().st_size < 2 * 10**6
    assert numbers(spool) == [5]


def test_one_process_delivers_at_a_time(spool: Spool) -> None:
    spool.append([message(1)])
    handle = spool.try_draining()
    assert handle is not None
    assert Spool(spool.path).try_draining() is None
    spool.end_draining(handle)
    again = spool.try_draining()
    assert again is not None
    spool.end_draining(again)


def test_where_it_is(tmp_path: Path) -> None:
    assert folder({"AGOG_SPOOL_DIR": "/a", "XDG_STATE_HOME": "/b"}) == Path("/a")
    assert folder({"XDG_STATE_HOME": "/b"}) == Path("/b/agog/spool")
    assert folder({"HOME": "/h"}) == Path("/h/.local/state/agog/spool")
    environ = {"AGOG_SPOOL_DIR": str(tmp_path)}
    one, same, other = (
        Spool.for_server(url, environ) for url in ("nats://u:secret@h:4222,nats://g", "g, nats://h", "nats://h:1")
    )
    assert one.path == same.path != other.path
    assert "secret" not in one.server


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match="AGOG_SPOOL_DIR"):
        Spool(tmp_path / "file" / "s.jsonl").append([message(1)])
    with pytest.raises(SpoolUnusable, match="number of bytes"):
        Spool.for_server("h", {"AGOG_SPOOL_MAX_BYTES": "much"})


APPEND = """
import sys
from pathlib import Path
from pytest_agog.reference.comms.publishing.drafting import Outgoing
from pytest_agog.reference.comms.publishing.spool import Spool
spool, who = Spool(Path(sys.argv[1])), sys.argv[2]
for number in range(int(sys.argv[3])):
    spool.append([Outgoing("agentrun.general.log", f"{who}-{number}", b'{"content":"' + b"x" * 3000 + b'"}')])
    print(number, flush=True)
"""


def appender(spool: Spool, who: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", APPEND, str(spool.path), who, str(count)], stdout=subprocess.PIPE, text=True
    )


def ids(spool: Spool) -> list[str]:
    return [one.message.message_id for one in spool.read(10_000, 10**9) if one.message is not None]


def test_two_processes_append_whole_lines(spool: Spool) -> None:
    for process in [appender(spool, who, 60) for who in "ab"]:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = ids(spool)
    for who in "ab":
        assert [one for one in found if one.startswith(who)] == [f"{who}-{number}" for number in range(60)]


def test_kill_9_loses_nothing_that_was_promised(spool: Spool) -> None:
    with appender(spool, "a", 100_000) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(25)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().split()
    spool.append([message(7)])
    found = ids(spool)
    assert found[: len(told)] == [f"a-{number}" for number in range(len(told))]
    assert len(found) - 1 - len(told) in (0, 1)  # one may be on the disk that was not promised yet
    assert found[-1] == "id-7"
