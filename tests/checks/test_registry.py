from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agog.checks import base
from pytest_agog.checks.base import Check, nothing_to_judge, verdict
from pytest_agog.checks.evidence.telling import excerpt, listed, percent, short, shown, visible
from pytest_agog.checks.registry import PLACES, builtin_checks, register
from pytest_agog.errors import BadInput
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.scenario.describing.meanings import meanings
from pytest_agog.values import ABSENT
from tests.checks.builders import CHECKS

NAMES = {
    "stream", "consumer", "message", "never", "order", "deliverable", "notice", "no_inline_report", "table", "rows",
    "file", "process", "http", "no_loss", "sse", "page", "lag", "auth", "metrics", "compose", "spawn", "requirement",
    "gate", "roadmap",
    "tokens.spawn_savings", "tokens.net_savings", "tokens.notice",
}  # fmt: skip


def _arguments(check: Check[Any]) -> Any:
    """The arguments of the check's own example."""
    entry = yaml.safe_load(check.example)
    if check.name.startswith("tokens."):
        return check.arguments.model_validate({"value": entry["tokens"][check.name.partition(".")[2]]})
    assert entry[0]["check"] == check.name
    assert entry[0]["claim"]
    return check.arguments.model_validate(entry[0].get("with") or {})


def test_all_checks_are_there() -> None:
    assert set(CHECKS) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_check_explains_itself(name: str) -> None:
    check = CHECKS[name]
    arguments = _arguments(check)
    assert check.claims.endswith(".")
    assert check.kills
    assert check.vacuous(arguments) is None, "an example that cannot fail is no example"
    assert isinstance(check.growth_can_break(arguments), bool)
    assert all(probe.key for probe in check.probes(arguments))
    assert list(meanings(check.arguments)) == list(check.arguments.model_fields), "each argument says what it means"
    assert check.arguments.model_json_schema()


@pytest.mark.parametrize("name", sorted(NAMES - {"never"}))
def test_each_check_fails_on_an_empty_ledger(name: str) -> None:
    found = CHECKS[name].judge(Ledger(), _arguments(CHECKS[name]))
    assert found.outcome == "failed"
    assert found.expected
    assert found.observed


def test_two_checks_with_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="two checks are named 'stream'"):
        register(builtin_checks(), [CHECKS["stream"]])


def test_every_check_is_found_in_its_module_in_the_order_of_the_modules() -> None:
    modules = list(dict.fromkeys(PLACES.values()))
    found = [(check.name, name) for name in modules for check in import_module(f"pytest_agog.checks.{name}").CHECKS]
    assert found == list(PLACES.items())
    files = Path(base.__file__).parent.glob("*.py")
    with_checks = [file.stem for file in files if "\nCHECKS" in file.read_text(encoding="utf-8")]
    assert sorted(with_checks) == sorted(modules)


def test_registering_keeps_what_is_there_and_imports_nothing() -> None:
    code = (
        "import sys; from pytest_agog.checks.registry import builtin_checks, register; "
        "checks = register(builtin_checks(), []); assert 'rows' in checks and len(list(checks)) == len(checks); "
        "print([m for m in sys.modules if m.startswith('pytest_agog.checks.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pytest_agog.checks.base', 'pytest_agog.checks.registry']"
    mine = dataclasses.replace(CHECKS["stream"], name="mine")
    both = register(builtin_checks(), [mine])
    assert both["mine"] is mine
    assert both["stream"].name == "stream"
    assert list(both) == [*CHECKS, "mine"]
    assert len(both) == len(CHECKS) + 1
    assert "other" not in both


def test_verdicts_are_masked() -> None:
    found = verdict(True, expected="nats://a:secret@h", observed="password=secret", nearest="token: x")
    assert "secret" not in found.expected + found.observed
    assert nothing_to_judge("x", "y").outcome == "failed"


def test_telling() -> None:
    assert visible("a\n\t\x00\u202e") == "a\\n\\t\\x00\\u202e"
    assert short("x" * 500) == "x" * 119 + "…"
    assert shown(ABSENT) == "nothing"
    assert shown({"a": [1, None]}) == '{"a":[1,null]}'
    assert shown(float("nan")) == "NaN"
    assert listed(map(str, range(10)), 3) == "0, 1, 2 and 7 more"
    assert percent(0.9499) == "94.9 %"
    assert percent(-0.5) == "-50 %"
    assert excerpt("a\n\n\n") == "a"


@given(st.text(), st.integers(1, 12))
@settings(max_examples=200)
def test_an_excerpt_is_short_and_harmless(text: str, lines: int) -> None:
    told = excerpt(text, lines)
    assert len(told.splitlines()) <= lines + 1
    assert not any(character in told for character in "\x1b\r\x00\u202e\u2028")
    told.encode("utf-8")


def test_importing_the_checks_imports_no_client() -> None:
    code = (
        "import sys; from pytest_agog.checks.registry import builtin_checks; builtin_checks(); "
        "print([m for m in ('nats', 'psycopg', 'httpx', 'rs_bpe', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
