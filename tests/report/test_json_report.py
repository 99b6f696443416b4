from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_agog.checks.base import Evidence
from pytest_agog.report.json_report import Report, report, schema, to_bytes, write
from pytest_agog.report.view import ScenarioView
from tests.report.builders import ENVIRONMENT, START, chain_ledger, claim, judged, play, views

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


def made(plays: list[ScenarioView]) -> Report:
    return report(plays, started_at=START, duration=12.3456, environment=ENVIRONMENT)


def data(plays: list[ScenarioView]) -> Any:
    return json.loads(to_bytes(made(plays)))


def test_it_has_the_fields_of_the_contract(file: Path) -> None:
    found = data(views(file))
    assert list(found) == ["agog", "started_at", "duration_s", "environment", "scenarios", "summary"]
    assert found["agog"] == 1
    assert found["started_at"] == "2026-01-31T12:34:56.789Z"
    assert found["duration_s"] == 12.346
    assert found["environment"] == {
        "python": "3.11.9", "nats_server": "2.15.1", "postgres": "18.4", "backend": "embedded", "target": "reference",
    }  # fmt: skip
    scenario = found["scenarios"][0]
    assert list(scenario) == ["name", "path", "outcome", "duration_s", "tokens", "checks"]
    assert list(scenario["tokens"]) == ["inline", "notices", "fetched", "spawn_savings", "net_savings"]
    failed = found["scenarios"][2]["checks"][1]
    assert list(failed) == [
        "id", "claim", "check", "outcome", "expected", "observed", "waited_s", "evidence", "location",
    ]  # fmt: skip
    assert failed["location"] == {"file": "scenarios/retry-stores-once.yaml", "line": 11, "column": 5}
    assert failed["evidence"][0]["kind"] == "message"
    assert failed["evidence"][0]["at"] == "2026-01-31T12:34:57.201Z"
    assert failed["evidence"][0]["sequence"] == 4
    assert failed["evidence"][0]["subject"] == "agog.deliverables.cynthia.research.search"


def test_savings_are_fractions_and_null_where_nothing_was_handed_over(file: Path) -> None:
    found = data(views(file, [play("chain", file, ledger=chain_ledger(1000)), play("none", file)]))
    chain, none = (scenario["tokens"] for scenario in found["scenarios"])
    assert chain["inline"] == 6000
    assert chain["spawn_savings"] == pytest.approx(1 - chain["notices"] / 6000)
    assert chain["net_savings"] == pytest.approx(1 - (chain["notices"] + 600) / 6000)
    assert none == {"inline": 0, "notices": 0, "fetched": 0, "spawn_savings": None, "net_savings": None}


def test_counts_add_up_and_a_broken_play_is_one_of_them(file: Path) -> None:
    found = data(views(file))
    summary = found["summary"]
    assert summary["scenarios"] == 6
    assert summary["checks"] == sum(len(scenario["checks"]) for scenario in found["scenarios"]) == 28
    assert summary["checks"] == sum(summary[name] for name in ("passed", "failed", "skipped", "errors"))
    assert [scenario["outcome"] for scenario in found["scenarios"]] == [
        "passed", "passed", "failed", "passed", "failed", "error",
    ]  # fmt: skip
    broken = found["scenarios"][4]["checks"][0]
    assert (broken["id"], broken["check"], broken["outcome"]) == ("play", "chain", "failed")
    assert broken["observed"] == "roy exited with 1 in turn 3 (backend)"


def test_a_scenario_that_is_not_passed_says_why(file: Path) -> None:
    for scenario in data(views(file))["scenarios"]:
        if scenario["outcome"] != "passed":
            assert scenario["outcome"] in {check["outcome"] for check in scenario["checks"]}


def test_real_output_fits_the_schema(file: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    validator.check_schema(schema())
    validator.validate(data(views(file)))
    validator.validate(data([]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.pop("summary"),
        lambda found: found.update(agog=2),
        lambda found: found.update(strange=1),
        lambda found: found["scenarios"][0].update(outcome="maybe"),
        lambda found: found["scenarios"][0]["checks"][0]["location"].update(line=0),
        lambda found: found["scenarios"][0]["tokens"].pop("net_savings"),
        lambda found: found["scenarios"][2]["checks"][1]["evidence"][0].pop("kind"),
    ],
)
def test_the_schema_refuses_what_is_wrong(file: Path, spoil: Any) -> None:
    found = data(views(file))
    spoil(found)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(found)


def test_the_published_schema_is_that_of_the_models() -> None:
    written = json.loads(PUBLISHED.read_text("utf-8"))
    assert written == schema(), "write it anew with `agog schema report`, or json.dumps(schema(), indent=2)"


def test_secrets_are_masked_everywhere(file: Path) -> None:
    evidence = Evidence(
        "process", START, "PGPASSWORD=hunter2", "nats://u:hunter2@h", {"env": {"password": "hunter2"}, "at": "now"}
    )
    one = judged(
        claim("a", "password: hunter2", file),
        "failed",
        expected="api_key=hunter2",
        observed="hunter1 token",
        evidence=(evidence,),
    )
    text = to_bytes(made(views(file, [play("a", file, (one,))]))).decode()
    assert "hunter2" not in text
    assert json.loads(text)["scenarios"][0]["checks"][0]["evidence"][0]["detail_at"] == "now"


def test_odd_text_and_numbers_are_still_json(file: Path) -> None:
    evidence = Evidence(
        "x", None, "lone \udc80", "\x00\x1b", {"n": float("nan"), "b": b"\xff", "s": {1, 2}, "c": object}
    )
    found = data(views(file, [play("\udcff", file, (judged(claim("a", "b", file), evidence=(evidence,)),))]))
    piece = found["scenarios"][0]["checks"][0]["evidence"][0]
    assert piece["at"] is None
    assert piece["n"] is None
    assert piece["excerpt"] == "\x00\x1b"


def test_an_old_report_is_replaced_whole(tmp_path: Path, file: Path) -> None:
    folder = tmp_path / "a folder"
    first = write(folder, made(views(file)))
    second = write(folder, made([]))
    assert first == second == folder / "report.json"
    assert json.loads(second.read_bytes())["scenarios"] == []
    assert [path.name for path in folder.iterdir()] == ["report.json"]
