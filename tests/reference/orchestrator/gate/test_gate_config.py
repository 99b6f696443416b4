"""Table [gate]: what it takes, and what it says of what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.gate.config import GateConfig, load

TESTS = '[[gate.commands]]\nname = "tests"\nrun = ["npm", "test"]\nproves = ["tests"]\n'


def read(tmp_path: Path, text: str) -> GateConfig:
    path = tmp_path / "agog.toml"
    path.write_text(text)
    return load(path)


def test_defaults(tmp_path: Path) -> None:
    found = read(tmp_path, "[budget]\ndaily = 1\n[gate]\n" + TESTS + 'timeout = "5m"\nlanes = ["backend"]\n')
    assert found.commands[0].timeout == 300
    assert found.required("backend") == found.required(None) == ("tests",)
    assert found.required("documentation") == ()
    assert found.deliverable
    assert len(found.commands_for("backend")) == len(found.commands_for(None)) == 1
    assert found.commands_for("frontend") == ()
    assert GateConfig().required("backend") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[budget]\n", "no table [gate]"),
        ("[gate", "no TOML"),
        ("[gate]\ncommand = []\n", "gate.command: "),
        ('[gate]\n[[gate.commands]]\nname = "x"\nrun = "npm test"\n', "gate.commands.0.run: "),
        ('[gate]\n[[gate.commands]]\nname = "x"\nrun = [" "]\n', "the program"),
        ("[gate]\n" + TESTS + 'lanes = ["backned"]\n', "gate.commands.0.lanes.0: "),
        ("[gate]\n" + TESTS + "timeout = 5\n", "500ms, 2s"),
        ("[gate]\n" + TESTS + "tests_pattern = '(\\d+'\n", "no regular expression"),
        ("[gate]\n" + TESTS + "tests_pattern = '\\d+'\n", "has no group"),
        ("[gate]\n" + TESTS + TESTS, "two commands are called 'tests'"),
        ("[gate]\n" + TESTS + 'env = {"A B" = "1"}\n', "variable of the environment"),
        ('[gate]\n[[gate.commands]]\nname = "b"\nrun = ["make"]\nproves = ["build"]\n', "no command proves tests"),
        ('[gate]\nrequires = ["build"]\n' + TESTS, "no command proves build"),
        ('[gate]\nrequires = ["tests"]\n', "no command proves tests"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput) as raised:
        read(tmp_path, text)
    assert says in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "agog.toml"))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load(tmp_path / "agog.toml")
