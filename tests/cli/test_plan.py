from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Agog

ROADMAPS = Path(__file__).parents[2] / "fixtures" / "roadmaps"
KEYS = {"requirements", "waves", "serialised", "critical_path", "cycles", "missing", "human", "unreadable"}


def test_it_prints_the_plan_as_json(agog: Agog) -> None:
    done = agog("plan", ROADMAPS / "warehouse.md", "--json")
    assert (done.code, done.err) == (0, "")
    assert set(done.json) == KEYS
    assert done.json["waves"] == [["REQ-042", "REQ-050", "REQ-060"], ["REQ-043"], ["REQ-044"]]
    assert done.json["missing"] == [{"id": "REQ-051", "needs": "REQ-099"}]
    assert done.json["critical_path"] == ["REQ-042", "REQ-043", "REQ-044"]


def test_several_files_are_one_plan(agog: Agog) -> None:
    done = agog("plan", ROADMAPS / "warehouse.md", ROADMAPS / "submitted.json", ROADMAPS / "issues.json", "--json")
    ids = [row["id"] for row in done.json["requirements"]]
    assert {"REQ-042", "REQ-301", "REQ-303"} < set(ids)
    assert sum(identity.startswith("REQ-GH-spice-yard-warehouse-") for identity in ids) == 2
    assert done.json["unreadable"]
    assert all("issues.json: " in one["why"] for one in done.json["unreadable"])


def test_on_a_terminal_or_not_it_tells_everything(agog: Agog) -> None:
    done = agog("plan", ROADMAPS / "warehouse.md")
    lines = done.out.splitlines()
    assert lines[0].split() == ["wave", "requirement", "agent", "priority", "size", "tokens", "waits", "for", "title"]
    assert lines[1].split()[:5] == ["1", "REQ-042", "roy", "HIGH", "L"]
    assert "8 requirements, 3 waves, 2 held." in lines
    assert "Missing: REQ-051 needs REQ-099, which nobody has stated" in lines
    assert any(line.startswith("A human decides: REQ-052: ") for line in lines)


def test_what_cannot_be_read_is_listed_with_its_line(agog: Agog) -> None:
    done = agog("plan", ROADMAPS / "torn.md")
    assert done.code == 0
    assert f"Unreadable: {ROADMAPS / 'torn.md'}:15: REQ-204 has no title" in done.out
    assert {one["line"] for one in agog("plan", ROADMAPS / "torn.md", "--json").json["unreadable"]} >= {6, 9, 15, 18}


def test_it_touches_nothing(agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roadmap = tmp_path / "roadmap.md"
    roadmap.write_bytes(b"\xef\xbb\xbf### REQ-1: An API\r\n- Status: NEW\r\n")
    before = roadmap.read_bytes(), roadmap.stat().st_mtime_ns
    roadmap.chmod(0o400)
    monkeypatch.chdir(tmp_path)
    assert agog("plan", "roadmap.md").code == 0
    assert (roadmap.read_bytes(), roadmap.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [roadmap]


@pytest.mark.parametrize("text", ["[1, 2", "no entry here", '"REQ-1"'])
def test_wrong_input_is_one_line_and_2(agog: Agog, tmp_path: Path, text: str) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(text)
    done = agog("plan", wrong)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"agog: {wrong}:1")
    assert done.err.count("\n") == 1


def test_no_file_and_no_such_file_are_2(agog: Agog, tmp_path: Path) -> None:
    assert agog("plan").code == 2
    done = agog("plan", tmp_path / "none.md")
    assert done.code == 2
    assert "cannot be read" in done.err


def test_outside_text_is_no_markup_and_moves_no_cursor(agog: Agog, tmp_path: Path) -> None:
    hostile = tmp_path / "r.json"
    hostile.write_text(
        json.dumps({"id": "REQ-1", "title": "An API [red]\x1b[2J\x07", "files": ["src/api/\x1b[31m.ts"]})
    )
    done = agog("plan", hostile)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "[red]" in done.out
