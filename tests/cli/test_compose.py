from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Agog

FIXTURES = Path(__file__).parents[2] / "fixtures" / "compose"
APP, AGENTS = FIXTURES / "app.yaml", FIXTURES / "agents.yaml"
SHARED = FIXTURES / "wrong" / "port-of-the-other.agents.yaml"


def test_a_sound_pair_says_nothing(agog: Agog) -> None:
    done = agog("compose", "check", APP, AGENTS)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_a_finding_is_a_line_with_its_place(agog: Agog) -> None:
    done = agog("compose", "check", APP, SHARED)
    assert done.code == 1
    assert done.out == (
        f"{SHARED.as_posix()}:14: port-clash: service agent-postgres publishes port 5433/tcp, "
        f"which postgres has already ({APP.as_posix()}:13). Publish another port on the host.\n"
    )


def test_json(agog: Agog) -> None:
    done = agog("compose", "check", APP, SHARED, "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    assert [stack["kind"] for stack in done.json["stacks"]] == ["app", "agents"]
    assert [(one["rule"], one["line"]) for one in done.json["findings"]] == [("port-clash", 14)]
    assert done.json["findings"][0]["reason"].startswith("The second of two services")
    assert done.json["notes"] == []


def test_a_note_is_no_failure(agog: Agog, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text('services:\n  nats: {image: "nats:2", healthcheck: {test: [CMD, /nats-server, --version]}}\n')
    done = agog("compose", "check", file)
    assert done.code == 0
    assert ": healthcheck-cannot-fail (note): " in done.out


def test_options_say_which_is_which(agog: Agog, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text('services:\n  nats: {image: "nats:2-alpine"}\n')
    assert agog("compose", "check", file).code == 0
    assert "agent-dependency" in agog("compose", "check", "--app", file).out
    assert "jetstream-off" in agog("compose", "check", "--agents", file).out


@pytest.mark.parametrize(
    ("text", "said"),
    [("port: 1\n", "compose.yaml:1: "), ("services:\n  a: [\n", "not valid YAML"), (None, "cannot be read")],
)
def test_wrong_input_is_told_in_one_line(agog: Agog, tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "compose.yaml"
    if text is not None:
        file.write_text(text)
    done = agog("compose", "check", file)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_without_files_it_asks_for_some(agog: Agog) -> None:
    done = agog("compose", "check")
    assert done.code == 2
    assert "agog compose check compose.yaml" in done.err


def test_names_that_would_steer_a_terminal_do_not(agog: Agog, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text('services:\n  "a\\e[31m": {image: x, depends_on: ["b\\e]0;"]}\n')
    done = agog("compose", "check", file)
    assert done.code == 1
    assert "\x1b" not in done.out


def test_rules_are_listed_with_their_reasons(agog: Agog) -> None:
    lines = agog("compose", "rules").out.splitlines()
    assert any(line.startswith("secret-in-file: ") for line in lines)
    listed = agog("compose", "rules", "--json").json
    assert [f"{row['rule']}: {row['reason']}" for row in listed] == lines


def test_what_never_ends_is_no_compose_file(agog: Agog) -> None:
    done = agog("compose", "check", "/dev/zero")
    assert (done.code, done.out) == (2, "")
    assert "has more than 8,000,000 bytes" in done.err
