from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agog.ledger import bundle
from pytest_agog.report.writer import environment, meta, span, write_bundle, write_reports
from tests.report.builders import START, play, varied_plays, views


@pytest.fixture(autouse=True)
def _outside_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def test_everything_is_written(tmp_path: Path, file: Path) -> None:
    written = write_reports(tmp_path / "out", views(file), ["From a plugin."])
    assert [path.name for path in written] == ["report.json", "report.html", "summary.md"]
    assert all(path.stat().st_size > 0 for path in written)
    assert "From a plugin." in written[2].read_text("utf-8")
    found = json.loads(written[0].read_bytes())
    assert found["started_at"] == "2026-01-31T12:34:56.789Z"
    assert found["duration_s"] == 6.2


def test_a_job_summary_is_written_too(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    assert write_reports(tmp_path / "out", views(file))[-1] == target
    assert target.read_text("utf-8").startswith("## pytest-agog")


def test_a_run_without_scenarios_is_reported(tmp_path: Path) -> None:
    written = write_reports(tmp_path, [])
    assert json.loads(written[0].read_bytes())["summary"]["scenarios"] == 0


def test_the_run_is_as_long_as_its_plays(file: Path) -> None:
    early, late = play("a", file, started_at=START, duration=2), play("b", file, started_at=START + 1, duration=5)
    assert span(views(file, [late, early])) == (START, 6.0)
    assert environment(views(file)).nats_server == "2.15.1"


def test_a_bundle_can_be_read_again(tmp_path: Path, file: Path) -> None:
    result = varied_plays(file)[2]
    folder = write_bundle(tmp_path / "out", result, base=tmp_path)
    assert folder.parent == tmp_path / "out" / "bundle"
    read = bundle.read(folder)
    assert len(read.ledger) == len(result.ledger)


def test_scenarios_of_one_name_have_bundles_of_their_own(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "other" / file.name
    other.parent.mkdir()
    other.write_bytes(file.read_bytes())
    folders = {write_bundle(tmp_path / "out", play("same", path), base=tmp_path) for path in (file, other)}
    assert len(folders) == 2
    again = write_bundle(tmp_path / "out", play("same", file), base=tmp_path)
    assert again in folders, "a second run replaces the bundle of the first"


def test_what_a_bundle_says_of_its_claims(tmp_path: Path, file: Path) -> None:
    found = meta(varied_plays(file)[2], tmp_path)
    assert found["scenario"] == "retry-stores-once"
    assert found["path"] == "scenarios/retry-stores-once.yaml"
    assert found["claims"][1] == {
        "id": "stored-once",
        "check": "message",
        "with": {"subject": "a.b"},
        "claim": "The retry stores nothing twice",
        "location": {"file": "scenarios/retry-stores-once.yaml", "line": 11, "column": 5},
    }
    assert found["verdicts"][1]["outcome"] == "failed"
    assert found["environment"]["nats_server"] == "2.15.1"
