"""What is told of a wrong file says what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.scenario.problems import ScenarioErrors

HEAD = "agog: 1\nname: s\n"


def test_hints_name_what_is_allowed(desk: Any) -> None:
    with pytest.raises(ScenarioErrors) as caught:
        desk.load(
            f"{HEAD}proof: [{{id: a, claim: b, check: zzz}}]\nsteps: [{{kill: {{component: nats, server: 2}}}}]\n"
        )
    hints = [problem.hint for problem in caught.value.problems]
    checks = "message, never, deliverable, stream, process, tokens.spawn_savings, tokens.net_savings, tokens.notice"
    assert hints == [
        f"allowed: {checks}",
        "services: {nats: {servers: 3}} makes a cluster",
    ]
    assert "\n    3 | proof: [{id: a, claim: b, check: zzz}]\n" in str(caught.value)


ROOT_KEYS = "allowed: agog, name, summary, tags, vars, matrix, services, agents, steps, tokens, proof, extends"


BLOCK = "a bare > or | begins text over several lines in YAML; put it in quotes"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("name: s\n", "a scenario begins with `agog: 1`"),
        ("agog: 1\n", "`name: customer-search` names it on the command line and in reports"),
        ("agog: 2\nname: s\n", "1 is the version of the format that this installation reads"),
        (f"{HEAD}extend: x\n", ROOT_KEYS),
        (f"{HEAD}tags: a b\n", "in brackets: [a, b]"),
        (f"{HEAD}services: {{postgres: {{port: 1}}}}\n", "it takes no keys"),
        (f"{HEAD}steps: [{{chain: {{feature: f, turns: [{{agent: roy}}]}}}}]\n",
         "what stands here takes: agent, task, fetches"),
        (f"{HEAD}vars: {{f: x}}\nproof: !include ${{f}}.yaml\n", "files are included before variables are put in"),
        (f"{HEAD}vars: {{f: x}}\nsummary: ${{f.g}}\n", "a variable is taken whole, not by parts"),
        (f"{HEAD}steps:\n  - publish:\n      text: x\n      subject: >\n", BLOCK),
        (f"{HEAD}steps:\n  - publish:\n      text: x\n      subject: |\n        a.b\n", BLOCK),
        (f"{HEAD}steps:\n  - chain:\n      turns: [{{agent: roy, task: t}}]\n      feature: |\n        x\n", BLOCK),
    ],
)  # fmt: skip
def test_the_hint_names_the_remedy(desk: Any, text: str, hint: str) -> None:
    with pytest.raises(ScenarioErrors) as caught:
        desk.load(text)
    assert [problem.hint for problem in caught.value.problems] == [hint]
