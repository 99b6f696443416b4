"""Real test runners in a real project: broken, then put right; and tricks to look as if."""

from __future__ import annotations

import py_compile
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.orchestrator.gate.gate import run_gate
from pytest_agog.reference.orchestrator.gate.sealing import Seal
from pytest_agog.reference.orchestrator.gate.work import Verdict
from tests.reference.orchestrator.gate.making import gate_of, some_work

PYTEST = ["python", "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "tests"]
UNITTEST = ["python", "-m", "unittest", "discover", "-s", "tests"]
TEST = """
import unittest
from stock import add

class Test(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(2, 2), 4)
"""


@pytest.fixture
def stock(project: Path) -> Path:
    """A project with a test."""
    (project / "tests").mkdir()
    (project / "tests" / "test_stock.py").write_text(TEST)
    (project / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return project


async def judge(root: Path, words: list[str], **further: Any) -> Verdict:
    command = {"name": "tests", "run": words, "proves": ["tests"], "env": {"PYTHONPATH": "."}}
    return await run_gate(gate_of(command, requires=["tests"]), some_work(), root=root, **further)


@pytest.mark.parametrize("words", [PYTEST, UNITTEST])
async def test_rejected_until_it_is_put_right(stock: Path, words: list[str]) -> None:
    verdict = await judge(stock, words)
    assert not verdict.accepted
    assert "No module named 'stock'" in verdict.feedback()
    (stock / "stock.py").write_text("def add(a, b):\n    return a - b\n")
    verdict = await judge(stock, words)
    assert not verdict.accepted
    assert "0 != 4" in verdict.feedback()
    (stock / "stock.py").write_text("def add(a, b):\n    return a + b\n")
    verdict = await judge(stock, words)
    assert verdict.accepted, verdict.feedback()
    assert verdict.reason == "1 command passed, and 1 test"


@pytest.mark.parametrize("words", [PYTEST, UNITTEST])
async def test_a_test_that_ends_the_runner_proves_nothing(stock: Path, words: list[str]) -> None:
    (stock / "stock.py").write_text("import os\nos._exit(0)\n")
    verdict = await judge(stock, words)
    assert not verdict.accepted
    assert verdict.commands[0].exit == 0


async def test_no_tests_and_skipped_tests(stock: Path) -> None:
    (stock / "tests" / "test_stock.py").write_text("import pytest\n\n@pytest.mark.skip\ndef test_a():\n    pass\n")
    assert "no tests ran, 1 were skipped" in (await judge(stock, PYTEST)).reason
    (stock / "tests" / "test_stock.py").unlink()
    assert not (await judge(stock, PYTEST)).accepted


async def test_compiled_code_does_not_stand_in_for_protected_sources(stock: Path) -> None:
    (stock / "stock.py").write_text("def add(a, b):\n    return 0\n")
    source = stock / "tests" / "helpers.py"
    source.write_text("def expected():\n    return 4\n")
    (stock / "tests" / "test_stock.py").write_text(
        "from helpers import expected\nfrom stock import add\n\ndef test_a():\n    assert add(2, 2) == expected()\n"
    )
    seal = Seal.of(gate_of(protected=["tests/**"]), stock)
    mine = stock / "mine.py"
    mine.write_text("def expected():\n    return 0\n")
    py_compile.compile(
        str(mine), cfile=str(_cached(source)), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    verdict = await judge(stock, PYTEST, seal=seal)
    assert not verdict.accepted
    assert "assert 0 == 4" in verdict.feedback()
    assert seal.changes() == []


def _cached(source: Path) -> Path:
    import importlib.util

    return Path(importlib.util.cache_from_source(str(source)))
