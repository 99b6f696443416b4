"""The command that a failure prints runs just that item again, typed into a shell in the same folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.plugin.projects import FAILING, MATRIX

FAILING_MATRIX = MATRIX.replace('with: {subject: "test.${size}"}', 'with: {subject: "test.${size}.z"}')


def shell(command: str, folder: Path, *, path: bool = True) -> str:
    scripts = sysconfig.get_path("scripts") + os.pathsep if path else ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AGOG_", "PYTEST_"))}
    environment |= {"PATH": scripts + "/usr/bin:/bin", "COLUMNS": "200"}
    if "AGOG_CACHE_DIR" in os.environ:
        environment["AGOG_CACHE_DIR"] = os.environ["AGOG_CACHE_DIR"]
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=environment, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)  # fmt: skip
    return done.stdout


def again(output: str) -> list[str]:
    return re.findall(r"^again +(.*?)\s*$", output, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "item", "options"),
    [
        (FAILING, "seen", ""),
        (FAILING_MATRIX, "seen[large]", ""),
        (FAILING, "seen", " --agog-backend=cluster"),
    ],
    ids=["one", "matrix", "another backend"],
)
def test_typed_into_a_shell(tmp_path: Path, text: str, item: str, options: str) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "my play.yaml").write_text(text)
    first = shell(f"pytest --agog-scenario='my play.yaml'{options} -p no:randomly", folder)
    command = again(first)[-1]
    assert command.startswith("pytest ")
    assert options.strip() in command
    second = shell(f"{command} -v", folder)
    assert f"my play.yaml::{item} FAILED" in second
    assert " 1 failed in " in second
    assert again(second) == [command]


def test_a_bundled_scenario_from_an_empty_folder_without_pytest_on_the_path(tmp_path: Path) -> None:
    python = shlex.quote(sys.executable)
    options = "--agog-scenario=monitoring --agog-nats-url=nats://127.0.0.1:9"
    first = shell(f"{python} -m pytest {options}", tmp_path, path=False)
    command = again(first)[0]
    assert command.startswith(f"{python} -m pytest ")
    assert "--agog-scenario=scenarios/deliverables/monitoring.yaml::" in command
    assert "--agog-nats-url=nats://127.0.0.1:9" in command
    second = shell(command, tmp_path, path=False)
    assert " 1 failed in " in second
