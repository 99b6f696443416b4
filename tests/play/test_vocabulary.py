"""The words of a run, and what it costs to know them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pytest_agog.play.vocabulary import vocabulary

READ_A_WRONG_FILE = """
import sys
from pathlib import Path
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import ScenarioErrors, load
try:
    load(Path(sys.argv[1]), vocabulary())
except ScenarioErrors as error:
    print(error.problems[0])
heavy = {"nats", "psycopg", "httpx", "rs_bpe", "regex", "rich", "jinja2", "playwright", "starlette"}
print(sorted(name for name in sys.modules if name in heavy or name.startswith("pytest_agog.stage.")))
"""


def test_every_verb_is_played_by_something() -> None:
    assert list(vocabulary().steps) == [
        "chain", "publish", "run", "wait", "kill", "restart", "open", "backfill", "submit", "advance", "cut",
    ]  # fmt: skip


def test_reading_a_wrong_file_loads_neither_clients_nor_the_stage(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "agog: 1\nname: s\nsteps:\n  - chian: {}\nproof:\n"
        "  - {id: a, claim: b, check: message, with: {subject: results.>, where: {x: {matches: y}}}}\n"
        "  - {id: b, claim: b, check: deliverable, with: {url: nats://a.b}}\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", READ_A_WRONG_FILE, str(wrong)], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [f"{wrong}:4:5: unknown step 'chian'; did you mean 'chain'?", "[]"]
