"""The JSON Schema takes what the reader takes, and refuses what is misspelt."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.data_files import bundled_fixtures
from pytest_agog.scenario.describing.schema import schema
from pytest_agog.scenario.describing.starter import THEMES, starter
from pytest_agog.scenario.finding import find
from pytest_agog.scenario.load import load, plain_data
from pytest_agog.scenario.vocabulary import Vocabulary

GOOD: dict[str, Any] = {
    "agog": 1,
    "name": "x",
    "vars": {"a": 1},
    "matrix": {"size": [1, {"a": 2}]},
    "services": {"nats": {"max_payload": "12MB", "servers": "${n}", "sync_interval": "always"}, "postgres": None},
    "agents": {
        "cynthia": {"report": "a.md", "notice": {"x": 1}, "fails": "${n}"},
        "roy": {"run": ["python", "${file}"], "timeout": "30s"},
        "jen": {"report": {"generate": {"tokens": 8000, "seed": "${env:SEED}"}}},
        "billy": "${agent}",
    },
    "steps": [
        {"chain": {"feature": "${f}", "turns": [{"agent": "a", "task": "b-${n}", "fetches": ["x#H"]}], "retries": 2}},
        {"publish": {"subject": "a", "json": {"a": 1}, "times": "${n}", "core": "${core}"}},
        {"wait": {"until": {"message": {"subject": "a", "count": "${n}"}}, "within": "10s"}},
        {"open": {"sse": {"workflowUid": "${u}", "workflowNamespace": "n", "limit": "${n}"}, "as": "live"}},
        {"open": {"page": "/agents/${run}", "as": "page", "instance": 2}},
        {"backfill": {"dir": "runs/1", "run_id": "${run}", "expect_exit": 2}},
        {"cut": {"link": "reader-comms", "for": "2s"}},
    ],
    "tokens": {"spawn_savings": {"at_least": "95%"}, "notice": 200},
    "proof": [
        {
            "id": "a", "claim": "x", "check": "message", "within": "5s", "kills": ["a.b"],
            "with": {
                "subject": "a",
                "where": {"a.b": {"matches": "x"}, "c": 3, "d": {"foo": 1}, "e": None, "f": "${x}"},
                "count": {"between": [1, "${x}"]},
            },
        },
        {
            "id": "b", "claim": "c", "check": "deliverable",
            "with": {"agent": "a", "type": "b", "feature": "${f}", "tokens": 3},
        },
        {"id": "c", "claim": "c", "check": "stream", "with": {"name": "A", "storage": "${s}", "subjects": "${list}"}},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def validator(words: Vocabulary) -> jsonschema.Draft202012Validator:
    made = schema(words)
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_it_takes_everything_the_format_has(validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(GOOD)] == []


BAD: dict[str, Callable[[Any], object]] = {
    "top key": lambda d: d.update(stps=[]),
    "version": lambda d: d.update(agog=2),
    "no name": lambda d: d.pop("name"),
    "name is a variable": lambda d: d.update(name="${x}"),
    "id is a variable": lambda d: d["proof"][0].update(id="${x}"),
    "service key": lambda d: d["services"]["nats"].update(server=1),
    "service value": lambda d: d["services"]["nats"].update(servers=2),
    "agent name": lambda d: d["agents"].update({"a b": {}}),
    "agent key": lambda d: d["agents"]["jen"].update(fail=1),
    "report key": lambda d: d["agents"]["jen"]["report"]["generate"].update(sed=1),
    "duration": lambda d: d["agents"]["roy"].update(timeout="30"),
    "two verbs": lambda d: d["steps"][0].update(kill={"component": "nats"}),
    "verb": lambda d: d["steps"].append({"publsh": {}}),
    "step key": lambda d: d["steps"][1]["publish"].update(tims=3),
    "turn key": lambda d: d["steps"][0]["chain"]["turns"][0].update(agnt=1),
    "bool for int": lambda d: d["steps"][1]["publish"].update(times=True),
    "link": lambda d: d["steps"][6]["cut"].update(link="comms-agents"),
    "cut for no time": lambda d: d["steps"][6]["cut"].update({"for": "2"}),
    "selector": lambda d: d["steps"][3]["open"]["sse"].update(runid="r"),
    "page that is no path": lambda d: d["steps"][4]["open"].update(page="agents"),
    "nameless reader": lambda d: d["steps"][3]["open"].pop("as"),
    "backfill of nothing": lambda d: d["steps"][5]["backfill"].pop("dir"),
    "check in wait": lambda d: d["steps"][2]["wait"]["until"].update(mesage={}),
    "arguments in wait": lambda d: d["steps"][2]["wait"]["until"]["message"].update(cnt=1),
    "token key": lambda d: d["tokens"].update(notices=1),
    "bound key": lambda d: d["tokens"]["spawn_savings"].update(at_lest=1),
    "claim key": lambda d: d["proof"][0].update(clam=1),
    "check": lambda d: d["proof"][0].update(check="mesage"),
    "argument": lambda d: d["proof"][0]["with"].update(cnt=3),
    "argument of another check": lambda d: d["proof"][2]["with"].update(count=3),
    "no arguments": lambda d: d["proof"][0].pop("with"),
    "pattern key": lambda d: d["proof"][0]["with"]["where"]["a.b"].update(match=1),
    "literal": lambda d: d["proof"][2]["with"].update(storage="disk"),
    "empty matrix": lambda d: d.update(matrix={"a": []}),
}


@pytest.mark.parametrize("wrong", BAD)
def test_it_refuses(validator: jsonschema.Draft202012Validator, wrong: str) -> None:
    document = copy.deepcopy(GOOD)
    BAD[wrong](document)
    assert not validator.is_valid(document)


def test_bundled_and_starter_scenarios_load_and_are_valid(desk: Any) -> None:
    words = vocabulary()
    made = jsonschema.Draft202012Validator(schema(words))
    paths = find(bundled_fixtures().parent / "scenarios")
    assert len(paths) >= 12
    paths += [desk.write(starter(f"new-{theme}", theme), f"{theme}.yaml") for theme in THEMES]
    for path in paths:
        assert load(path, words), path
        assert [error.message for error in made.iter_errors(plain_data(path))] == [], path


@pytest.mark.parametrize(
    ("check", "arguments", "fits"),
    [
        ("sse", {"reader": "live", "count": 3, "once": True, "latency_p99": {"at_most": "100ms"}}, True),
        ("sse", {"count": 3}, False),
        ("sse", {"reader": "live", "once": "yes"}, False),
        ("page", {"path": "/agents", "text": ["a", "b"], "absent": "c", "no_script": True}, True),
        ("page", {"path": "agents"}, False),
        ("page", {"reader": "live", "texts": "a"}, False),
        ("lag", {"stream": "S", "consumer": "c", "pending_and_unacked": {"at_most": 3}}, True),
        ("lag", {"stream": "S", "consumer": "c"}, False),
    ],
)
def test_checks_of_agent_comms(check: str, arguments: dict[str, Any], fits: bool) -> None:
    made = jsonschema.Draft202012Validator(schema(vocabulary()))
    claim = {"id": "a", "claim": "b", "check": check, "with": arguments}
    assert made.is_valid({"agog": 1, "name": "x", "proof": [claim]}) is fits


def test_every_key_is_described(words: Vocabulary) -> None:
    for name, definition in schema(words)["$defs"].items():
        if name.endswith("Arguments"):
            continue  # those of the fake checks
        for key, part in definition.get("properties", {}).items():
            assert "description" in part or "$ref" in part, f"{name}.{key}"
