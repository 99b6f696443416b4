from __future__ import annotations

from pathlib import Path

from pytest_agog.report.summary import STEP_SUMMARY_LIMIT, append_step_summary, summary, write
from tests.report.builders import claim, judged, message_evidence, play, views
from tests.report.conftest import Snapshot


def test_the_whole_summary(file: Path, snapshot: Snapshot) -> None:
    snapshot("summary.md", summary(views(file), duration=12.34, additions=["### From a plugin\n\nMore."]))


def test_it_is_written(tmp_path: Path, file: Path) -> None:
    path = write(tmp_path / "out", views(file), duration=1)
    assert path == tmp_path / "out" / "summary.md"
    assert path.read_text("utf-8").startswith("## pytest-agog\n\n6 scenarios, 26 claims: **22 passed**, **1 failed**")


def test_it_is_appended_where_github_says(tmp_path: Path, file: Path) -> None:
    target = tmp_path / "step.md"
    target.write_text("before\n")
    environ = {"GITHUB_STEP_SUMMARY": str(target)}
    assert append_step_summary(views(file), duration=1, environ=environ) == target
    text = target.read_text("utf-8")
    assert text.startswith("before\n## pytest-agog")
    assert text.count("## pytest-agog") == 1


def test_outside_github_nothing_is_appended(file: Path) -> None:
    assert append_step_summary(views(file), duration=1, environ={}) is None


def test_github_s_limit_is_kept(tmp_path: Path, file: Path) -> None:
    huge = tuple(message_evidence(number, "y" * 8000) for number in range(3))
    claims = tuple(judged(claim(f"c{n}", "It holds", file), "failed", evidence=huge) for n in range(50))
    plays = views(file, [play("big", file, claims)])
    assert len(summary(plays, duration=1)) > STEP_SUMMARY_LIMIT
    target = tmp_path / "step.md"
    environ = {"GITHUB_STEP_SUMMARY": str(target)}
    append_step_summary(plays, duration=1, environ=environ)
    text = target.read_text("utf-8")
    assert "yyyy" not in text
    assert "c49" in text
    target.write_bytes(b" " * (STEP_SUMMARY_LIMIT - 200))
    append_step_summary(plays, duration=1, environ=environ)
    assert target.stat().st_size <= STEP_SUMMARY_LIMIT
    assert "50 failed" in target.read_text("utf-8")
    target.write_bytes(b" " * STEP_SUMMARY_LIMIT)
    assert append_step_summary(plays, duration=1, environ=environ) is None
    assert target.stat().st_size == STEP_SUMMARY_LIMIT


def test_markup_in_claims_and_evidence_stays_text(file: Path) -> None:
    nasty = "<script>x</script> | [a](b)\n# heading"
    one = judged(claim("a", nasty, file), "failed", observed=nasty, evidence=(message_evidence(1, "```\n</details>"),))
    text = summary(views(file, [play(nasty, file, (one,))]), duration=1)
    assert "<script>" not in text
    assert "\n# heading" not in text
    assert "````text\n```\n</details>\n````" in text
