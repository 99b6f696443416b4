"""`agog lint`, `schema`, `new`, `explain`, as a person at a terminal meets them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_agog.cli import run

SOUND = (
    "agog: 1\nname: s\nsteps: [{publish: {subject: results.roy.REQ-1, text: x}}]\n"
    "proof: [{id: a, claim: c, check: message, with: {subject: results.>}}]\n"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def agog(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    out, err = capfd.readouterr()
    return code, out, err


def test_lint_says_nothing_of_sound_files(capfd: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SOUND)
    assert agog(capfd, "lint", "s.yaml") == (0, "", "")


def test_lint_prints_one_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    Path("sub").mkdir()
    Path("sub/wrong.yaml").write_text("agog: 1\nname: s\nprof: []\nsteps:\n  - publsh: {}\n")
    Path("doubt.yaml").write_text(SOUND + "vars: {x: 1}\n")
    Path("other.yaml").write_text("services: {}\n")
    code, out, err = agog(capfd, "lint", ".")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0] == "doubt.yaml:5:8: warning: nothing uses the variable 'x'"
    assert lines[1].startswith("sub/wrong.yaml:3:1: unknown key 'prof'; did you mean 'proof'? (allowed: agog, name,")
    assert lines[2].startswith("sub/wrong.yaml:5:5: unknown step 'publsh'; did you mean 'publish'? (allowed: chain,")
    assert len(lines) == 3


def test_warnings_alone_are_exit_0(capfd: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SOUND + "vars: {x: 1}\n")
    assert agog(capfd, "lint", "s.yaml")[0] == 0


def test_what_does_not_exist_is_exit_2_and_the_rest_is_looked_at(capfd: pytest.CaptureFixture[str]) -> None:
    Path("wrong.yaml").write_text("agog: 1\n")
    Path("empty").mkdir()
    code, out, err = agog(capfd, "lint", "nope.yaml", "wrong.yaml")
    assert code == 2
    assert out.startswith("wrong.yaml:1:1: 'name' is missing (")
    assert err == "agog: nope.yaml does not exist. Give scenario files, or folders that hold some.\n"
    assert agog(capfd, "lint", "empty")[0] == 2


@pytest.mark.parametrize("kind", ["fifo", "binary", "large", "forbidden", "tab", "bomb"])
def test_odd_files_are_one_line_and_no_traceback(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = Path("s.yaml")
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "binary":
            path.write_bytes(os.urandom(0) + b"\x7fELF\0\0")
        case "large":
            path.write_bytes(b"#" * 2_000_000)
        case "forbidden":
            path.write_text("")
            path.chmod(0)
        case "tab":
            path.write_text("agog: 1\nsteps:\n\t- x\n")
        case _:
            path.write_text("a: &a [x]\n" + "".join(f"b{n}: &a [*a, *a]\n" for n in range(30)))
    code, out, err = agog(capfd, "lint", "s.yaml")
    assert (code, err) == (1, "")
    assert out.startswith("s.yaml:")
    assert len(out.splitlines()) == 1
    assert "Traceback" not in out


def test_lint_of_a_missing_file_is_not_ok_in_json_either(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = agog(capfd, "lint", "--json", "nope.yaml")
    assert (code, json.loads(out)) == (2, {"ok": False, "files": []})
    assert "nope.yaml does not exist" in err


def test_lint_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    Path("wrong.yaml").write_text("agog: 1\nname: a b\n")
    code, out, _ = agog(capfd, "lint", "--json", "wrong.yaml")
    assert code == 1
    assert json.loads(out) == {
        "ok": False,
        "files": [{
            "path": "wrong.yaml",
            "problems": [{
                "file": "wrong.yaml", "line": 2, "column": 7, "message": "'a b' is no name",
                "hint": "a name has letters, digits, - and _, and begins with a letter or digit",
            }],
            "warnings": [],
        }],
    }  # fmt: skip


def test_lint_takes_further_data_folders(capfd: pytest.CaptureFixture[str]) -> None:
    Path("data").mkdir()
    Path("data/r.md").write_text("x")
    Path("sub").mkdir()
    text = SOUND.replace("text: x", "file: r.md")
    Path("sub/s.yaml").write_text(text)
    assert agog(capfd, "lint", "sub/s.yaml")[0] == 1
    assert agog(capfd, "lint", "--data", "data", "sub/s.yaml")[0] == 0


def test_schema(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = agog(capfd, "schema")
    made: Any = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(made)
    assert code == 0
    assert agog(capfd, "schema", "--out", "scenario.schema.json")[0] == 0
    assert json.loads(Path("scenario.schema.json").read_text()) == made
    assert agog(capfd, "schema", "--out", "no/such/folder.json")[0] == 2


@pytest.mark.parametrize("theme", ["deliverables", "messages", "commands"])
def test_new_scenarios_are_sound_and_nothing_is_overwritten(theme: str, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = agog(capfd, "new", "search", "--theme", theme, "--out", "made/here/s.yaml")
    assert (code, out) == (0, "made/here/s.yaml: play it with `pytest --agog-scenario=made/here/s.yaml`\n")
    assert agog(capfd, "lint", "made") == (0, "", "")
    before = Path("made/here/s.yaml").read_text()
    code, out, err = agog(capfd, "new", "other", "--out", "made/here/s.yaml")
    assert (code, out) == (2, "")
    assert err == "agog: made/here/s.yaml exists already. Choose another file with --out; nothing was written.\n"
    assert Path("made/here/s.yaml").read_text() == before


def test_new_with_a_name_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert agog(capfd, "new", "search", "--json")[1] == (
        '{"path": "search.yaml", "name": "search", "theme": "deliverables"}\n'
    )
    assert agog(capfd, "new", "../x")[0] == 2
    assert agog(capfd, "new", "x", "--theme", "nope")[0] == 2
    Path("file").write_text("")
    assert agog(capfd, "new", "x", "--out", "file/x.yaml")[0] == 2


def test_explain(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = agog(capfd, "explain", "deliverable")
    assert code == 0
    assert out.startswith("check deliverable\n")
    assert "Example:" in out
    assert agog(capfd, "explain")[1].startswith("Steps:\n  chain ")
    code, out, err = agog(capfd, "explain", "delivrable")
    assert (code, out) == (2, "")
    assert err.startswith("agog: Nothing is called 'delivrable'; did you mean 'deliverable'? `agog explain` knows")
    assert json.loads(agog(capfd, "explain", "chain", "--json")[1])["kind"] == "step"
    assert len(json.loads(agog(capfd, "explain", "--all", "--json")[1])) > 20
    assert agog(capfd, "explain", "--all", "--markdown")[1].startswith("# Scenarios: reference\n")
    assert agog(capfd, "explain", "format", "--markdown")[1].startswith("## The file\n")
    assert "check message" in agog(capfd, "explain", "--all")[1]
