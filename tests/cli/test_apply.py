"""`agog apply`: what it prints, and its exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Agog

NACK = Path(__file__).parents[2] / "deploy" / "nack"


def test_apply_then_nothing_to_do(here: Agog) -> None:
    assert here("apply", "-f", NACK, "--replicas", "1").out.startswith("nothing to do: 15 streams and 11 consumers")
    done = here("apply", "-f", NACK, "--replicas", "1", "--check")
    assert (done.code, done.out, done.err) == (
        0, "no drift: 15 streams and 11 consumers are as their manifests have them\n", "",
    )  # fmt: skip


def test_several_paths_after_one_option(here: Agog) -> None:
    done = here("apply", "--replicas", "1", "--check", "-f", NACK / "nats", NACK / "jangar")
    assert (done.code, done.out.partition(":")[0]) == (0, "no drift")
    # One folder alone leaves the other's consumer without a manifest.
    alone = here("apply", "--replicas", "1", "--check", "-f", NACK / "nats")
    assert (alone.code, "agent-comms.jangar-agent-comms" in alone.out) == (1, True)


def test_the_check_changes_nothing_and_exits_1(here: Agog) -> None:
    for _ in range(2):
        done = here("apply", "-f", NACK, "--check")
        assert done.code == 1
        assert "num_replicas is 1 instead of 3; 3 replicas need a cluster" in done.out
    found = here("apply", "-f", NACK, "--check", "--json").json
    assert (found["drift"], found["streams"], found["consumers"], len(found["changes"])) == (True, 15, 11, 15)
    comms = next(each for each in found["changes"] if each["name"] == "agent-comms")
    assert (comms["is"], comms["differences"]) == ("differs", [{"field": "num_replicas", "wanted": 3, "found": 1}])
    assert comms["place"].endswith("deploy/nack/nats/agent-comms.yaml:5")


def test_what_is_refused_exits_1(here: Agog) -> None:
    done = here("apply", "-f", NACK, "--json")
    assert (done.code, done.json["ok"]) == (1, False)
    assert {each["is"] for each in done.json["changes"]} == {"refused"}


def test_kubernetes_without_a_context_is_said_plainly(
    here: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    done = here("apply", "-f", NACK, "--replicas", "1", "--check", "--kubernetes")
    assert done.code == 0
    assert "so Kubernetes was not asked" in done.out
    found = here("apply", "-f", NACK, "--replicas", "1", "--check", "--kubernetes", "--json").json
    assert found["kubernetes"]["context"] is None


@pytest.mark.parametrize("arguments", [["apply"], ["apply", "-f", "absent"], ["apply", "-f", ".", "--replicas", "0"]])
def test_wrong_usage_exits_2_in_one_line(
    agog: Agog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = agog(*arguments)
    assert done.code == 2
    assert done.err.count("\n") == 1


def test_an_unreachable_server_exits_3(agog: Agog) -> None:
    done = agog("apply", "-f", NACK, "--nats-url", "nats://127.0.0.1:1")
    assert done.code == 3
    assert "cannot be reached" in done.err
