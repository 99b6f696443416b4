"""On a machine without a browser the play goes on, and what is claimed of pages is skipped at once, with the remedy."""

from __future__ import annotations

import pytest

from tests.play.scenes import Scene, claim, outcomes


async def test_pages_are_skipped_and_nothing_else(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_agog.ledger.probing.pages.NAMES", ("no-such-browser",))
    monkeypatch.delenv("AGOG_BROWSER", raising=False)
    result = await scene.play(
        steps=[
            {"open": {"page": "/agents", "as": "list"}},
            {"wait": {"until": {"page": {"reader": "list", "text": "anything"}}, "within": "1h"}},
        ],
        proof=[
            claim("page", "opened", "1h", reader="list", text="Runs"),
            claim("page", "by-path", "1h", path="/agents", text="Runs"),
            claim("http", "served", path="/agents", status=200),
        ],
    )
    assert result.failure is None, result.failure
    assert outcomes(result) == {"opened": "skipped", "by-path": "skipped", "served": "passed"}
    assert all("install Chromium" in one.verdict.observed for one in result.judgements[:2])
