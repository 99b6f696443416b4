from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.wire import deliverables as wire

URL = "nats://agog.deliverables.roy.backend.search"
REPORT = "# Search\r\n\r\nAll of it: é.\r\n\r\n## Risks\r\n\r\nFew."
NOWHERE = "nats://127.0.0.1:1"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.md"
    path.write_bytes(REPORT.encode())
    return path


def test_publish_and_fetch_byte_for_byte(here: Any, report: Path, tmp_path: Path) -> None:
    done = here("publish", "roy", "backend", "search", report, "--meta", "complexity=Medium")
    assert (done.code, done.out, done.err) == (0, URL + "\n", "")

    assert here("fetch", URL).out == REPORT
    assert here("fetch", "roy", "backend", "search").out == REPORT
    assert here("fetch", URL, "--section", "Risks").out == "## Risks\r\n\r\nFew."
    copy = tmp_path / "copy.md"
    assert here("fetch", URL, "--out", copy).out == ""
    assert copy.read_bytes() == REPORT.encode()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    told = here("fetch", URL, "--json").json
    assert (told["content"], told["digest"], told["sequence"]) == (REPORT, wire.digest(REPORT), 1)
    assert told["metadata"]["complexity"] == "Medium"


def test_publish_says_what_json_says(here: Any, report: Path) -> None:
    first, again = (here("publish", "roy", "backend", "search", report, "--json").json for _ in range(2))
    assert first == {
        "subject": URL[7:], "url": URL, "stream": "agog_features_backend", "sequence": 1, "duplicate": False,
    }  # fmt: skip
    assert again == {**first, "duplicate": True}


def test_stdin(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(REPORT.encode())))
    assert here("publish", "roy", "backend", "search", "-").code == 0
    assert here("fetch", URL).out == REPORT


def test_revisions(here: Any, tmp_path: Path) -> None:
    for content in ("first", "second"):
        (tmp_path / "r.md").write_text(content)
        here("publish", "roy", "backend", "search", tmp_path / "r.md")
    assert [r["sequence"] for r in here("fetch", URL, "--revisions", "--json").json] == [1, 2]
    assert wire.digest("first") in here("fetch", URL, "--revisions").out
    assert here("fetch", URL, "--revision", "1").out == "first"
    missing = here("fetch", URL, "--revision", "9")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "--revisions" in missing.err


def test_outline(here: Any, report: Path) -> None:
    here("publish", "roy", "backend", "search", report)
    told = here("outline", URL, "--json").json
    assert [(h["level"], h["title"]) for h in told["headings"]] == [(1, "Search"), (2, "Risks")]
    assert told["tokens"] == told["headings"][0]["tokens"] > told["headings"][1]["tokens"] > 0
    plain = here("outline", URL).out
    assert "  Risks" in plain
    assert "(the whole report)" in plain


def test_init_streams_reports_what_differs(here: Any, server: NatsServer) -> None:
    told = here("init-streams", "--json").json
    assert told["ok"] is True
    assert len(told["streams"]) == 15
    assert {stream["action"] for stream in told["streams"]} == {"unchanged"}
    differs = here("init-streams", "--agent", "rob=backend")
    assert differs.code == 1
    assert "agog_features_backend" in differs.out
    assert "subjects is" in differs.out
    assert "--update" in differs.out
    assert here("init-streams", "--agent", "rob=backend", "--update").code == 0
    assert here("init-streams", "--agent", "robbackend").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("publish", "roy", "backend", "search", "absent.md"), 2, "absent.md cannot be read"),
        (("publish", "roy", "backend", "se.arch", __file__), 2, "'se.arch' cannot be part of a subject"),
        (("publish", "nobody", "backend", "search", __file__), 1, "agog init-streams"),
        (("publish", "roy", "backend"), 2, "Missing argument"),
        (("publish", "roy", "backend", "search", __file__, "--meta", "x"), 2, "NAME=VALUE"),
        (("fetch", URL), 1, "No deliverable at"),
        (("fetch", "http://x"), 2, "is no deliverable"),
        (("fetch", "a", "b"), 2, "agent, type and feature"),
        (("fetch", URL, "--revision", "x"), 2, "See `agog fetch --help`"),
        (("fetch", URL, "--nats-url", NOWHERE), 3, "--nats-url"),
        (("fetch", URL, "--nats-creds", "absent.creds"), 2, "absent.creds"),
        (("outline", URL, "--nats-url", NOWHERE), 3, "cannot be reached"),
        (("init-streams", "--nats-url", "nats://user:secret@127.0.0.1:1"), 3, "****"),
        (("no-such-command",), 2, "No such command"),
        (("fetch", "--no-such-option"), 2, "No such option"),
        (("notice", "-a", "roy", "-r", "search"), 2, "--deliverable, --summary"),
    ],
)
def test_errors_are_one_line_with_the_remedy(here: Any, arguments: tuple[str, ...], code: int, told: str) -> None:
    done = here(*arguments)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert done.err.startswith("agog: ")
    assert done.err.count("\n") == 1
    assert "secret" not in done.err


def test_files_that_are_no_report(here: Any, tmp_path: Path) -> None:
    for content, told in ((b"\xff\xfe", "no UTF-8"), (b" \n", "is empty")):
        (tmp_path / "odd").write_bytes(content)
        done = here("publish", "roy", "backend", "search", tmp_path / "odd")
        assert done.code == 2
        assert told in done.err
    assert here("publish", "roy", "backend", "search", tmp_path).code == 2


def test_a_report_that_is_too_large_inline(here: Any, tmp_path: Path) -> None:
    (tmp_path / "large.md").write_text("x" * 12_500_000)
    refused = here("publish", "roy", "backend", "search", tmp_path / "large.md", "--inline")
    assert refused.code == 1
    assert "10000000" in refused.err
    assert "12500383" in refused.err
    assert here("publish", "roy", "backend", "search", tmp_path / "large.md").code == 0
    assert here("fetch", URL).out == "x" * 12_500_000


def test_an_unwritable_place(here: Any, report: Path, tmp_path: Path) -> None:
    here("publish", "roy", "backend", "search", report)
    done = here("fetch", URL, "--out", tmp_path / "absent" / "x.md")
    assert done.code == 2
    assert "cannot be written" in done.err


NOTICE = ("notice", "-a", "roy", "-r", "search", "-d", URL, "-s")


def test_a_notice_is_made_and_parsed_again(here: Any, tmp_path: Path) -> None:
    made = here(*NOTICE, "Done.", "--file", "a.py", "--next-agent", "billy")
    assert made.code == 0
    (tmp_path / "out.txt").write_text(f"Working on it…\r\n```json\r\n{made.out}```\r\nBye.")
    parsed = here("notice", "--parse", tmp_path / "out.txt", "-a", "roy", "-r", "search")
    assert parsed.out == made.out
    told = here("notice", "--parse", tmp_path / "out.txt", "-a", "roy", "--json").json
    assert told["notice"]["files_modified"] == ["a.py"]
    assert 0 < told["tokens"] <= 200
    other = here("notice", "--parse", tmp_path / "out.txt", "-a", "jen", "-r", "search")
    assert (other.code, other.out) == (1, "")
    assert "from 'roy'" in other.err


def test_a_long_notice_names_its_field(here: Any) -> None:
    done = here(*NOTICE, "word " * 300)
    assert (done.code, done.out) == (1, "")
    assert "'summary'" in done.err
    assert "the limit is 200" in done.err


def test_a_notice_is_checked(here: Any, report: Path, tmp_path: Path) -> None:
    absent = here(*NOTICE, "Done.", "--check")
    assert (absent.code, absent.out) == (1, "")
    assert "No deliverable at" in absent.err
    assert ".." not in absent.err
    here("publish", "roy", "backend", "search", report)
    assert here(*NOTICE, "Done.", "--check").code == 0
    contradiction = here(*NOTICE, "Done.", "--check", "--blocker", "no database", "--json")
    assert contradiction.code == 1
    assert contradiction.json["problems"] == ["COMPLETE with blockers: no database"]
    foreign = here("notice", "-a", "jen", "-r", "search", "-d", URL, "-s", "Done.", "--check")
    assert "not of jen" in foreign.err
    (tmp_path / "o").write_text('{"agent":"roy","req_number":"s","status":"COMPLETE","deliverable":"x","summary":"y"}')
    assert "is no deliverable" in here("notice", "--parse", tmp_path / "o", "-a", "roy", "--check").err
    assert here(*NOTICE, "Done.", "--check", "--nats-url", NOWHERE).code == 3
    assert here("notice", "--parse", tmp_path / "o", "-a", "roy", "-s", "x").code == 2


def test_every_command_has_an_example(agog: Any) -> None:
    for command in ("init-streams", "publish", "fetch", "outline", "notice", "doctor"):
        done = agog(command, "--help")
        assert done.code == 0
        assert f"Example: agog {command}" in done.out
    assert agog("--version").out.startswith("agog ")
    assert agog().code == 2


COMMAND = [sys.executable, "-m", "pytest_agog"]


def test_a_terminal_obeys_nothing_in_a_report(here: Any, server: NatsServer, tmp_path: Path) -> None:
    (tmp_path / "evil.md").write_text("# Title\n\n\x1b]0;owned\x07 [red]text[/red] \u202e\n")
    here("publish", "roy", "backend", "search", tmp_path / "evil.md")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NATS_URL": server.url, "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, "fetch", URL], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # EIO: the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert "\x1b" not in text
    assert "\\x1b]0;owned\\x07 [red]text[/red] \\u202e" in text


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(here: Any, server: NatsServer, tmp_path: Path, unbuffered: str) -> None:
    (tmp_path / "long.md").write_text("x" * 2_000_000)
    here("publish", "roy", "backend", "search", tmp_path / "long.md")
    environment = {**os.environ, "NATS_URL": server.url, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(
        [*COMMAND, "fetch", URL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == b"x" * 10
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_ctrl_c_ends_quietly(server: NatsServer) -> None:
    server.kill("STOP")
    environment = {**os.environ, "NATS_URL": server.url}
    try:
        with subprocess.Popen(
            [*COMMAND, "publish", "roy", "backend", "x", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        ) as process:  # fmt: skip
            assert process.stdin is not None
            # Once stdin is being read the command runs: it ends only through the signal.
            process.stdin.write(b"x" * 200_000)
            process.stdin.flush()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    finally:
        server.kill("CONT")
    assert (process.returncode, out, err) == (130, b"", b"")
