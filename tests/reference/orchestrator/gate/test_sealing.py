"""The gate's own files: nobody passes by changing them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.gate.config import Command
from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.sealing import Seal, scripts_of
from tests.reference.orchestrator.gate.making import Code, gate_of, some_work


@pytest.fixture
def sealed(project: Path) -> Seal:
    """A gate with a script, protected tests, and a file outside of the project."""
    (project / "agog.toml").write_text("[gate]\n")
    (project / "ci").mkdir()
    (project / "ci" / "check.sh").write_text("#!/bin/sh\n")
    (project / "tests" / "deep").mkdir(parents=True)
    (project / "tests" / "conftest.py").write_text("x = 1\n")
    (project / "tests" / "deep" / "test_a.py").write_text("a = 1\n")
    (project.parent / "shared").mkdir()
    (project.parent / "shared" / "limits.json").write_text("{}")
    (project / "src.py").write_text("code\n")
    config = gate_of(
        {"name": "check", "run": ["sh", "ci/check.sh"]},
        protected=["tests/**/*.py", "../shared", "pytest.ini", "quality"],
    )
    return Seal.of(config, project)


def test_work_changes_nothing_of_the_gate(project: Path, sealed: Seal) -> None:
    assert len(sealed) == 5
    (project / "src.py").write_text("other\n")
    (project / "new.py").write_text("new\n")
    (project / "tests" / "notes.md").write_text("not protected\n")
    (project / "agog.toml").touch()
    assert sealed.changes() == []


Deed = Callable[[Path], object]


def _replaced_by_a_link(root: Path) -> None:
    (root.parent / "mine.sh").write_text("#!/bin/sh\n")
    (root / "ci" / "check.sh").unlink()
    (root / "ci" / "check.sh").symlink_to(root.parent / "mine.sh")


def _folder_replaced_by_a_link(root: Path) -> None:
    (root / "ci").rename(root.parent / "moved")
    (root / "ci").symlink_to(root.parent / "moved")


def _linked_tests(root: Path) -> None:
    (root.parent / "mine").mkdir()
    (root / "tests" / "more").symlink_to(root.parent / "mine")


def _pipe(root: Path) -> None:
    (root / "agog.toml").unlink()
    os.mkfifo(root / "agog.toml")


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda root: (root / "agog.toml").write_text("[gate] "), "agog.toml was changed"),
        (lambda root: (root / "agog.toml").unlink(), "agog.toml was removed"),
        (lambda root: (root / "AGOG.toml").write_text(""), "AGOG.toml was added"),
        (lambda root: (root / "ci/check.sh").write_text("exit 0\n"), "ci/check.sh was changed"),
        (lambda root: (root / "ci/check.sh").chmod(0o755), "ci/check.sh was changed"),
        (lambda root: (root / "tests/deep/test_a.py").unlink(), "tests/deep/test_a.py was removed"),
        (lambda root: (root / "tests/deep/test_b.PY").write_text(""), "tests/deep/test_b.PY was added"),
        (lambda root: (root / "pytest.ini").write_text("[pytest]\n"), "pytest.ini was added"),
        (lambda root: (root / "quality").mkdir() or (root / "quality/x").write_text(""), "quality/x was added"),
        (lambda root: (root.parent / "shared/limits.json").write_text("[]"), "shared/limits.json was changed"),
        (lambda root: (root.parent / "shared/new").write_text(""), "shared/new was added"),
        (_replaced_by_a_link, "ci/check.sh was changed"),
        (_folder_replaced_by_a_link, "ci was added"),
        (_linked_tests, "tests/more was added"),
        (_pipe, "agog.toml was changed"),
    ],
)
def test_every_change_is_seen(project: Path, sealed: Seal, deed: Deed, says: str) -> None:
    deed(project)
    assert any(line.endswith(says) for line in sealed.changes()), sealed.changes()


def test_what_a_link_leads_to_counts(project: Path) -> None:
    real = project.parent / "real.toml"
    real.write_text("a")
    (project / "agog.toml").symlink_to(real)
    seal = Seal.of(gate_of(), project)
    real.write_text("b")
    assert seal.changes() == ["agog.toml was changed"]


def test_links_in_circles_end(project: Path) -> None:
    (project / "tests").mkdir()
    (project / "tests" / "again").symlink_to(project / "tests")
    (project / "tests" / "a.py").write_text("")
    seal = Seal.of(gate_of(protected=["tests/**", "**/*.py"]), project)
    assert seal.changes() == []
    (project / "tests" / "b.py").write_text("")
    assert "tests/b.py was added" in seal.changes()


def test_a_neighbour_with_nearly_the_same_name_is_another_project(project: Path) -> None:
    seal = Seal.of(gate_of(), project)
    other = project.with_name("PROJECT")
    other.mkdir()
    (other / "agog.toml").write_text("")
    assert seal.changes() == []


def test_what_cannot_be_read_cannot_be_sealed(project: Path) -> None:
    with pytest.raises(BadInput, match=r"mem belongs to the gate and cannot be read"):
        Seal.of(gate_of(protected=["/proc/self/mem"]), project)


@pytest.mark.parametrize(
    ("words", "scripts"),
    [
        (["./build.sh", "all"], ["build.sh"]),
        (["python", "-u", "tools/check.py", "src.py"], ["tools/check.py"]),
        (["python", "-m", "pytest", "tests/test_a.py"], []),
        (["node", "--test", "tests/a.test.js"], []),
        (["node", "gate.mjs"], ["gate.mjs"]),
        (["pytest", "tests/test_a.py"], []),
        (["timeout", "60", "bash", "ci/run.sh"], ["ci/run.sh"]),
        (["npm", "test"], []),
        (["env", "X=1", "tool"], ["tool"]),
    ],
)
def test_the_scripts_that_a_command_names(project: Path, words: list[str], scripts: list[str]) -> None:
    (project / "tool").write_text("")
    (project / "tool").chmod(0o755)
    found = scripts_of(Command(name="x", run=words), project)
    assert [os.path.relpath(path, project) for path in found] == scripts


async def test_a_changed_gate_is_not_run(project: Path, sealed: Seal, code: Code) -> None:
    (project / "tests" / "conftest.py").write_text("def pytest_collection_modifyitems(items): items.clear()\n")
    verdict = await run_gate(gate_of(code("open('ran', 'w')")), some_work(), root=project, seal=sealed)
    assert not verdict.accepted
    assert verdict.commands == ()
    assert "tests/conftest.py was changed" in verdict.reason
    assert not (project / "ran").exists()
    (project / "tests" / "conftest.py").write_text("x = 1\n")
    assert (await run_gate(gate_of(code("pass")), some_work(), root=project, seal=sealed)).accepted


async def test_a_command_that_changes_the_gate_is_found_out(project: Path, sealed: Seal, code: Code) -> None:
    verdict = await run_gate(
        gate_of(code("open('ci/check.sh', 'w').write('exit 0')")), some_work(), root=project, seal=sealed
    )
    assert not verdict.accepted
    assert "while the commands ran: ci/check.sh was changed" in verdict.reason
    assert len(verdict.commands) == 1
