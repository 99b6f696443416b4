"""Updating a roadmap file, also while others write to it."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.errors import BadInput, RoadmapChanging, RoadmapUnwritable
from pytest_agog.reference.orchestrator.intake import roadmap_file
from pytest_agog.reference.orchestrator.intake.roadmap import read_roadmap
from pytest_agog.reference.orchestrator.intake.roadmap_file import update_roadmap
from tests.reference.orchestrator.intake.roadmaps import FIXTURES, large

DONE = {"REQ-1": {"Status": "DONE"}}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "roadmap.md"
    path.write_bytes(b"### REQ-1: t\nStatus: NEW\n\n### REQ-2: u\nStatus: NEW\n")
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_is_replaced_as_a_whole(plan: Path) -> None:
    before = plan.stat().st_ino
    done = update_roadmap(plan, {**DONE, "REQ-9": {"Status": "DONE"}})
    assert plan.read_bytes() == b"### REQ-1: t\nStatus: DONE\n\n### REQ-2: u\nStatus: NEW\n"
    assert (done.changed, done.absent, done.digest) == (("REQ-1",), ("REQ-9",), read_roadmap(plan).digest)
    assert plan.stat().st_ino != before
    assert names(plan.parent) == ["roadmap.md"]


def test_nothing_is_written_when_nothing_changes(plan: Path) -> None:
    before = plan.stat()
    assert update_roadmap(plan, {"REQ-1": {"Status": "NEW"}}).changed == ()
    assert (plan.stat().st_ino, plan.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_the_mode_stays(plan: Path, mode: int) -> None:
    plan.chmod(mode)
    update_roadmap(plan, DONE)
    assert stat.S_IMODE(plan.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away; run as root in a container")
def test_the_owner_stays(plan: Path) -> None:
    os.chown(plan, 1234, 2345)
    update_roadmap(plan, DONE)
    assert (plan.stat().st_uid, plan.stat().st_gid) == (1234, 2345)


def test_a_link_stays_a_link(plan: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / "link.md"
    link.symlink_to(Path("..") / plan.name)
    update_roadmap(link, DONE)
    assert link.is_symlink()
    assert b"DONE" in plan.read_bytes()
    assert names(folder) == ["link.md"]


def during(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Let `act` happen while an update is under way, right before it compares."""
    original = roadmap_file._take_after

    def then(*arguments: Any) -> None:
        original(*arguments)
        act()

    monkeypatch.setattr(roadmap_file, "_take_after", then)


def test_a_change_by_somebody_else_is_kept(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edit() -> None:
        plan.write_bytes(plan.read_bytes().replace(b"REQ-2: u", b"REQ-2: by hand"))

    during(monkeypatch, edit)
    update_roadmap(plan, DONE)
    assert plan.read_bytes() == b"### REQ-1: t\nStatus: DONE\n\n### REQ-2: by hand\nStatus: NEW\n"


def test_a_file_that_never_rests_is_given_up(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    during(monkeypatch, lambda: plan.write_bytes(plan.read_bytes() + b"x"))
    with pytest.raises(RoadmapChanging, match="changed 3 times"):
        update_roadmap(plan, DONE, attempts=3)
    assert plan.read_bytes() == b"### REQ-1: t\nStatus: NEW\n\n### REQ-2: u\nStatus: NEW\nxxx"
    assert names(plan.parent) == ["roadmap.md"]


def test_what_a_killed_writer_left_is_removed(plan: Path) -> None:
    (plan.parent / ".agog-roadmap-dead").write_bytes(b"half")
    update_roadmap(plan, DONE)
    assert names(plan.parent) == ["roadmap.md"]


@pytest.mark.parametrize("name", ["none.md", "loop.md", "."])
def test_what_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop.md").symlink_to("loop.md")
    with pytest.raises(RoadmapUnwritable, match=r"cannot be written \("):
        update_roadmap(tmp_path / name, DONE)


def test_a_value_that_cannot_be_written_leaves_the_file_alone(plan: Path) -> None:
    before = plan.read_bytes()
    with pytest.raises(BadInput, match="would not read back"):
        update_roadmap(plan, {"REQ-1": {"Status": "SOON"}})
    assert plan.read_bytes() == before


def _complete(path: Path, first: int, step: int, count: int) -> None:
    for number in range(first, count, step):
        update_roadmap(path, {f"REQ-{number:05d}": {"Status": "COMPLETE"}})


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path, count = tmp_path / "roadmap.md", 40
    path.write_bytes(large(count))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_complete, args=(path, first, 2, count)) for first in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert path.read_bytes() == large(count).replace(b"Status: NEW", b"Status: COMPLETE")
    assert names(tmp_path) == ["roadmap.md"]


@pytest.mark.parametrize("name", ["warehouse.md", "odd-ids.md", "windows.md"])
def test_there_and_back_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes((FIXTURES / name).read_bytes())
    before = read_roadmap(path)
    status = {identity: entry.fields["Status"].value for identity, entry in before.entries.items()
              if entry.fields.get("Status") and entry.fields["Status"].value}  # fmt: skip
    update_roadmap(path, {identity: {"Status": "IN_PROGRESS"} for identity in status})
    update_roadmap(path, {identity: {"Status": value} for identity, value in status.items()})
    assert path.read_bytes() == (FIXTURES / name).read_bytes()
