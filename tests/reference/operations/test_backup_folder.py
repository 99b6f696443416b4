"""A backup is whole or not there, its owner's alone, and refused when anything in it is not as it was written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.errors import (
    BackupExists,
    BackupUnusable,
    BadInput,
    PostgresUnreachable,
)
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.reference.operations import archive
from tests.reference.operations.systems import (
    System,
    filled,
)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def resum(folder: Path) -> None:
    """As somebody would who changes a backup on purpose."""
    lines = (folder / archive.SUMS).read_text("utf-8").splitlines()
    digest = hashlib.sha256((folder / archive.MANIFEST).read_bytes()).hexdigest()
    lines[0] = f"{digest}  {archive.MANIFEST}"
    (folder / archive.SUMS).write_text("\n".join(lines) + "\n", "utf-8")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / archive.MANIFEST).read_text("utf-8"))
    change(manifest)
    (folder / archive.MANIFEST).write_text(json.dumps(manifest), "utf-8")
    resum(folder)


def escape(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["file"] = "../../etc/passwd"


def misname(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["name"] = "A.>"


def mislead(manifest: dict[str, Any]) -> None:
    manifest["streams"][0]["config"]["name"] = "other"


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda f: flip(next((f / "streams").glob("*RESULTS"))), "is not as it was written"),
    "a cut file": (lambda f: os.truncate(next((f / "streams").glob("*RESULTS")), 100), "has 100 bytes instead of"),
    "a missing file": (lambda f: next((f / "postgres").iterdir()).unlink(), "is missing"),
    "a link": (lambda f: relink(next((f / "streams").glob("*RESULTS"))), "is missing"),
    "a changed manifest": (lambda f: flip(f / "backup.json"), "backup.json is not as it was written"),
    "no manifest": (lambda f: (f / "backup.json").unlink(), "no complete backup"),
    "no sums": (lambda f: (f / "SHA256SUMS").unlink(), "no complete backup"),
    "odd sums": (lambda f: (f / "SHA256SUMS").write_bytes(b"\xff\n"), "damaged or from another tool"),
    "another tool": (lambda f: rewrite(f, lambda m: m.update(format="tar")), "not one of agog's"),
    "a later format": (lambda f: rewrite(f, lambda m: m.update(version=2)), "this agog reads 1"),
    "a file elsewhere": (lambda f: rewrite(f, escape), "cannot be read"),
    "a name of a subject": (lambda f: rewrite(f, misname), "cannot be read"),
    "another configuration": (lambda f: rewrite(f, mislead), "is called otherwise"),
    "a later schema": (
        lambda f: rewrite(f, lambda m: m["schemas"][0]["migrations"].update({"9.sql": "0"})),
        "another version of agog",
    ),
    "a foreign schema": (lambda f: rewrite(f, lambda m: m["schemas"][0].update(name="public")), "none of agog's"),
    "a file too few": (lambda f: rewrite(f, lambda m: m["streams"].pop()), "name different files"),
}  # fmt: skip


def relink(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


async def test_what_is_damaged_is_refused_before_anything_changes(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    for name, (damage, told) in DAMAGES.items():
        folder = tmp_path / name.replace(" ", "-")
        shutil.copytree(tmp_path / "copy", folder)
        damage(folder)
        with pytest.raises(BackupUnusable) as caught:
            await there.restore(folder, force=True)
        assert told in str(caught.value), name
        assert "\n" not in str(caught.value)
    assert await there.link.nc.jetstream().streams_info() == []
    assert there.rows("SELECT to_regclass('workflow_comms.agent_messages')") == [(None,)]


async def test_a_folder_that_is_none_is_refused(tmp_path: Path, there: System) -> None:
    with pytest.raises(BackupUnusable, match="there is no such folder"):
        await there.restore(tmp_path / "absent")
    with pytest.raises(BackupUnusable, match="no complete backup"):
        await there.restore(tmp_path)


async def test_a_backup_appears_whole_or_not_at_all(tmp_path: Path, here: System) -> None:
    await init_streams(here.link)
    place = tmp_path / "copies"
    broken = System(here.url, here.link, "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(PostgresUnreachable):
        await broken.backup(place / "copy")
    assert list(place.iterdir()) == []
    await here.backup(place / "copy")
    assert [path.name for path in place.iterdir()] == ["copy"]


def test_what_a_killed_backup_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys\n"
        "from pytest_agog.reference.operations import archive\n"
        "with archive.writing(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'streams' / '0001-a').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path / "monday")], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    foreign = tmp_path / ".notes.partial-abcdefgh"
    (foreign / "streams").mkdir(parents=True)
    (foreign / "mine.txt").write_text("kept", "utf-8")
    with archive.writing(tmp_path / "tuesday") as folder:
        assert archive.clear_remains(tmp_path / "wednesday") == [left]
        assert folder.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == [foreign.name, "tuesday"]
    assert archive.clear_remains(tmp_path / "absent" / "friday") == []


async def test_an_older_backup_is_never_overwritten(tmp_path: Path, here: System) -> None:
    await here.backup(tmp_path / "copy")
    written = (tmp_path / "copy" / "backup.json").read_bytes()
    with pytest.raises(BackupExists):
        await here.backup(tmp_path / "copy")
    assert (tmp_path / "copy" / "backup.json").read_bytes() == written
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput):
        await here.backup(tmp_path / "file" / "copy")


async def test_only_its_owner_can_read_it(tmp_path: Path, here: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    modes = {path.stat().st_mode & 0o077 for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]}
    assert modes == {0}


def test_names_of_streams_stay_within_the_folder() -> None:
    for name in ("..", "../../x", "a/b", "/etc/passwd", "a\\b", "C:x", "ü" * 200, "\n"):
        file = archive.file_name("streams", 1, name)
        assert (Path("/backup") / file).resolve().parent == Path("/backup/streams")
        assert archive.StreamCopy.model_fields["file"].metadata
