"""The generated pages of the reference are not stale, and the generator notices when one is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_agog.wire import examples, streams

ROOT = Path(__file__).resolve().parents[2]


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_pages_are_what_the_code_says() -> None:
    result = generate("--check")
    assert result.returncode == 0, result.stderr


def test_a_stale_page_is_noticed_and_written_anew(tmp_path: Path) -> None:
    assert generate("--folder", str(tmp_path)).returncode == 0
    page = tmp_path / "reference" / "wire.md"
    fresh = page.read_text(encoding="utf-8")
    page.write_text(fresh + "by hand\n", encoding="utf-8")
    result = generate("--check", "--folder", str(tmp_path))
    assert result.returncode == 1
    assert "wire.md is stale; run `python docs/generate.py`" in result.stderr
    assert generate("--folder", str(tmp_path)).stdout.strip() == str(page)
    assert page.read_text(encoding="utf-8") == fresh


def test_the_page_of_the_wire_shows_every_stream_and_every_example() -> None:
    page = (ROOT / "docs" / "reference" / "wire.md").read_text(encoding="utf-8")
    for stream in streams.STREAMS:
        assert f"| `{stream.name}` |" in page
    for example in examples.load():
        assert f"#### `{example.subject}`" in page
