"""Logs of several parts become one, by time; what is written meanwhile is followed."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import BadInput, ComposeAway, NoLogs
from pytest_agog.reference.operations import logs
from pytest_agog.reference.operations.logs import (
    beginning,
    containers,
    files,
    follow,
    merged,
    stamp,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def forever() -> bool:
    return False


def at(text: str) -> datetime:
    found = stamp(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-03-04 11:17:33.655 UTC [24075] LOG:  starting", "2026-03-04T11:17:33.655000+00:00"),
        ("2026-03-04T11:17:33.655123456Z text", "2026-03-04T11:17:33.655123+00:00"),
        ("2026-03-04T11:17:33+02:00 text", "2026-03-04T09:17:33+00:00"),
        ("2026-03-04T11:17:33,5-0530 text", "2026-03-04T16:47:33.500000+00:00"),
    ],
)
def test_times_of_lines(text: str, told: str) -> None:
    assert at(text).isoformat() == told


def test_a_time_without_a_zone_is_this_machines() -> None:
    assert at("[24065] 2026/03/04 11:17:33.267016 [INF] x") == datetime(2026, 3, 4, 11, 17, 33, 267016).astimezone()


@pytest.mark.parametrize(
    "text", ["", "Traceback", "2026-13-04 11:17:33", "12026-03-04 11:17:33", "2026-03-04", "[x] 2"]
)
def test_lines_without_a_time(text: str) -> None:
    assert stamp(text) is None


@given(st.text())
def test_no_line_is_too_odd(text: str) -> None:
    stamp(text)


def test_since_is_an_age_or_a_time() -> None:
    assert beginning("10m", NOW) == NOW - timedelta(minutes=10)
    assert beginning("2026-03-01T10:00:00Z", NOW) == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert beginning("2026-03-01", NOW) == datetime(2026, 3, 1).astimezone()
    for text in ("yesterday", "10", "9999999d"):
        with pytest.raises(BadInput, match="is no time"):
            beginning(text, NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `agog up --data` leaves."""
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "nats.log").write_text(
        "2026-03-04T12:00:01Z first\n2026-03-04T12:00:04Z user nats://roy:hunter2@host\n", "utf-8"
    )
    (tmp_path / "comms.log").write_bytes(
        b"2026-03-04T12:00:02.5Z agog: trouble\n  in two lines\xff\r\n2026-03-04T12:00:02Z clock went back\nand no end"
    )
    (tmp_path / "backup.txt").write_text("no log")
    return tmp_path


def shown(lines: list[logs.Line]) -> list[tuple[str, str]]:
    return [(line.part, line.text) for line in lines]


def test_lines_are_merged_by_time_and_secrets_masked(folder: Path) -> None:
    assert shown(list(merged(files(folder)))) == [
        ("nats", "2026-03-04T12:00:01Z first"),
        ("comms", "2026-03-04T12:00:02.5Z agog: trouble"),
        ("comms", "  in two lines\ufffd"),
        ("comms", "2026-03-04T12:00:02Z clock went back"),
        ("nats", "2026-03-04T12:00:04Z user nats://roy:****@host"),
    ]


def test_parts_and_time_narrow_it(folder: Path) -> None:
    assert [line.part for line in merged(files(folder, ["nats"]))] == ["nats", "nats"]
    assert [line.part for line in merged(files(folder), at("2026-03-04T12:00:03Z"))] == ["nats"]
    with pytest.raises(NoLogs, match="no logs of orchestrator"):
        files(folder, ["nats", "orchestrator"])
    with pytest.raises(NoLogs, match="no logs of anything"):
        files(folder / "nats" / "absent")


def test_a_file_elsewhere_is_not_read(folder: Path) -> None:
    (folder / "passwd.log").symlink_to("/etc/passwd")
    assert set(files(folder)) == {"nats", "comms"}


def test_what_comes_is_followed_also_when_a_file_begins_anew(folder: Path) -> None:
    lines = follow(files(folder), None, forever)
    assert len(list(islice(lines, 5))) == 5
    with (folder / "comms.log").open("ab") as file:
        file.write(b" yet\n2026-03-04T12:00:05Z next\n")
    assert shown(list(islice(lines, 2))) == [("comms", "and no end yet"), ("comms", "2026-03-04T12:00:05Z next")]
    (folder / "nats" / "nats.log").unlink()
    (folder / "nats" / "nats.log").write_text("2026-03-04T12:00:06Z again\n")
    assert shown(list(islice(lines, 1))) == [("nats", "2026-03-04T12:00:06Z again")]
    (folder / "comms.log").write_text("2026-03-04T12:00:07Z cut\n")
    assert shown(list(islice(lines, 1))) == [("comms", "2026-03-04T12:00:07Z cut")]


def test_following_ends_when_it_is_stopped(folder: Path) -> None:
    answers = iter([False, True])
    assert len(list(follow(files(folder), None, lambda: next(answers)))) == 5


def test_a_large_log_is_not_held_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    with (tmp_path / "large.log").open("w") as file:
        for number in range(100_000):
            file.write(f"2026-03-04T12:00:00Z {number} {'x' * 100}\n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in merged(files(tmp_path))) == 100_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * 10**6


# --- containers -------------------------------------------------------------------------------------------------------
@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for docker-compose: its lines in the forms of both versions."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "docker-compose"
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *--since*) echo "no such option: --since" >&2; exit 1;; esac\n'
        'case "$*" in *missing*) echo "no such service: missing" >&2; exit 1;; esac\n'
        'if [ -e "${0%/*}/says" ]; then cat "${0%/*}/says" >&2; exit 1; fi\n'
        'if [ -e "${0%/*}/warns" ]; then cat "${0%/*}/warns" >&2; fi\n'
        'echo "Attaching to agog_nats_1"\n'
        'echo "comms-1  | 2026-03-04T12:00:02.123456789Z second password=abcdefgh12345"\n'
        'echo "nats-1   | 2026-03-04T12:00:01.123456789Z first"\n'
        'echo "agog_postgres_1 | 2026-03-04T12:00:03.1Z third | with a bar"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/bin{os.pathsep}/usr/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(program) if name == program.name else None)
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\n")
    return file


def test_lines_of_containers_are_read(compose: Path) -> None:
    lines = list(containers(compose, [], None, following=False, stopped=forever))
    assert [(line.part, line.text) for line in lines] == [
        ("nats", "first"), ("comms", "second password=****"), ("agog_postgres", "third | with a bar"),
    ]  # fmt: skip
    later = containers(compose, [], at("2026-03-04T12:00:03Z"), following=False, stopped=forever)
    assert [line.part for line in later] == ["agog_postgres"]
    followed = containers(compose, [], None, following=True, stopped=forever)
    assert [line.part for line in followed] == ["comms", "nats", "agog_postgres"]


@pytest.mark.parametrize("following", [True, False])
def test_warnings_of_compose_hold_nothing_up_however_many(compose: Path, *, following: bool) -> None:
    (compose.parent / "tools" / "warns").write_text(
        'The "A" variable is not set. Defaulting to a blank string.\n' * 5000
    )
    lines = list(containers(compose, [], None, following=following, stopped=forever))
    assert sorted(line.part for line in lines) == ["agog_postgres", "comms", "nats"]


def test_troubles_with_containers_are_told(compose: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ComposeAway, match="no such service: missing"):
        list(containers(compose, ["missing"], None, following=False, stopped=forever))
    with pytest.raises(BadInput, match="is not there"):
        list(containers(tmp_path / "absent.yaml", [], None, following=False, stopped=forever))
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ComposeAway, match="neither docker compose nor docker-compose is installed"):
        list(containers(compose, [], None, following=False, stopped=forever))


@pytest.mark.parametrize(
    ("says", "remedy"),
    [
        ("Missing mandatory value for \"environment\" option interpolating {'A': '${A:?}'}", "Give the variables"),
        ("error while interpolating services.nats: required variable A is missing a value: x", "Give the variables"),
        ("env file /srv/.env not found: stat /srv/.env: no such file or directory", "Give the variables"),
        ("Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?", "Start the engine"),
        ("Couldn't connect to Docker daemon at http+docker://localhost - is it running?", "Start the engine"),
        ("DockerException: Error: ('Connection aborted.', FileNotFoundError(2, 'No such'))", "Start the engine"),
        ("services.nats Additional property imag is not allowed", "Correct what compose complains about"),
    ],
)
def test_the_remedy_fits_what_compose_says(compose: Path, says: str, remedy: str) -> None:
    (compose.parent / "tools" / "says").write_text(says + "\n")
    with pytest.raises(ComposeAway, match=rf"\). {remedy}"):
        list(containers(compose, [], None, following=False, stopped=forever))
