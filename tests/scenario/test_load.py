"""Whole files: what comes out of right ones, and everything that is told of wrong ones."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.scenario.load import load, plain_data
from pytest_agog.scenario.model import Chain, Publish
from pytest_agog.scenario.problems import ScenarioErrors
from pytest_agog.scenario.vocabulary import Vocabulary

HEAD = "agog: 1\nname: s\n"


WHOLE = """\
agog: 1
name: customer-search
summary: A summary
tags: [deliverables, tokens]
vars: {feature: customer-search}
services:
  nats: {max_payload: 12MB, servers: 3, sync_interval: always}
  postgres:
agents:
  cynthia: {report: reports/research.md, notice: {complexity: Medium}}
  jen: {run: [python, agents/jen.py], timeout: 30s}
steps:
  - chain:
      feature: ${feature}
      turns:
        - {agent: cynthia, task: research}
        - {agent: jen, task: frontend, fetches: [cynthia, "cynthia#A # B"]}
  - publish: {subject: a.b, json: null}
tokens:
  spawn_savings: {at_least: 95%}
  notice: {at_most: 200}
proof:
  - id: research-stored
    claim: It is there
    check: deliverable
    with: {agent: cynthia, type: research, feature: "${feature}", equals: reports/research.md}
    within: 5s
    kills: [comms.lose]
"""


def test_a_whole_scenario(desk: Any) -> None:
    desk.write("# report", "reports/research.md")
    scenario = desk.one(WHOLE)
    assert (scenario.name, scenario.summary, scenario.tags) == (
        "customer-search",
        "A summary",
        ("deliverables", "tokens"),
    )
    assert scenario.services.postgres is not None
    assert scenario.services.nats.sync_interval == "always"
    chain = scenario.steps[0]
    assert isinstance(chain.arguments, Chain)
    assert (chain.number, chain.verb, chain.arguments.feature) == (1, "chain", "customer-search")
    assert (chain.position.line, chain.position.column) == (13, 5)
    assert isinstance(scenario.steps[1].arguments, Publish)
    assert scenario.files == {"reports/research.md": desk.folder / "reports/research.md"}
    assert [claim.id for claim in scenario.claims] == ["research-stored", "tokens.spawn_savings", "tokens.notice"]
    proof, savings, notice = scenario.claims
    assert (proof.position.line, proof.position.column, proof.position.end_column) == (23, 5, 24)
    assert (proof.within, proof.kills) == (5.0, ("comms.lose",))
    assert proof.raw == {
        "agent": "cynthia", "type": "research", "feature": "customer-search", "equals": "reports/research.md",
    }  # fmt: skip
    assert (savings.position.line, savings.position.column) == (20, 3)
    assert savings.arguments.model_dump()["value"]["at_least"] == 0.95
    assert savings.raw == {"value": {"at_least": "95%"}}
    assert "at least 95 %" in savings.claim
    assert "at most 200" in notice.claim
    assert (scenario.position.line, scenario.position.column) == (2, 1)
    assert scenario.folder == desk.folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("»", ["the file is empty"]),
        ("»# nothing\n", ["the file is empty"]),
        ("»- 1\n", ["a scenario is a mapping"]),
        ("»just text", ["a scenario is a mapping"]),
        ("»name: s\n", ["'agog' is missing"]),
        ("»agog: 1\n", ["'name' is missing"]),
        ("»---\n", ["the file is empty"]),
        ("»null\n", ["the file is empty"]),
        ("agog: »2\nname: s\n", ["expected 1, not 2"]),
        ("agog: »true\nname: s\n", ["expected 1, not true"]),
        ("agog: »'1'\nname: s\n", ["expected 1, not '1'"]),
        ("agog: 1\nname: »a b\n", ["'a b' is no name"]),
        ("agog: 1\nname: »7\n", ["expected text, not 7"]),
        ("agog: 1\nname: s\n»prooof: []\n", ["unknown key 'prooof'; did you mean 'proof'?"]),
        ("agog: 1\nname: s\nsteps:»\n", ["expected a list, not nothing (null)"]),
        ("agog: 1\nname: s\nsteps: »{a: 1}\n", ["expected a list, not a mapping"]),
        ("agog: 1\nname: s\ntags: »x\n", ["expected a list, not 'x'"]),
        ("agog: 1\nname: s\ntags: [a, »'b c']\n", ["'b c' is no name"]),
        ("agog: 1\nname: s\ntags: [slow, »skip]\n", ["'skip' has a meaning of its own in pytest"]),
        ("agog: 1\nname: s\ntags: [»and]\n", ["'and' has a meaning of its own in pytest"]),
        ("agog: 1\nname: s\nservices: {nats: {servers: »2}}\n", ["expected 1 or 3, not 2"]),
        (
            "agog: 1\nname: s\nservices: {nats: {max_payload: »100MB}}\n",
            ["a server takes payloads of 1,000 to 67,108,864 bytes, not 100,000,000"],
        ),
        (
            "agog: 1\nname: s\nservices: {nats: {max_payload: »12 mb}}\n",
            ["expected a size such as 4096, 700B, 128KiB, 10MB or 5GiB, not '12 mb'"],
        ),
        (
            "agog: 1\nname: s\nservices: {nats: {sync_interval: »soon}}\n",
            ["expected always or a duration such as 500ms, 2s, 30m, 1h or 7d, not 'soon'"],
        ),
        (
            "agog: 1\nname: s\nservices: {nats: {streams: »non}}\n",
            ["expected wire or none, not 'non'; did you mean 'none'?"],
        ),
        (
            "agog: 1\nname: s\nservices: {»component: [deliverables]}\n",
            ["unknown key 'component'; did you mean 'components'?"],
        ),
        ("agog: 1\nname: s\nagents: {»a b: {}}\n", ["'a b' is no name"]),
        ("agog: 1\nname: s\nagents: {jen: {fails: »true}}\n", ["expected a whole number, not true"]),
        ("agog: 1\nname: s\nagents: {jen: {fails: »-1}}\n", ["must be at least 0, not -1"]),
        ("agog: 1\nname: s\nagents: {jen: {fails: »1.5}}\n", ["expected a whole number, not 1.5"]),
        ("agog: 1\nname: s\nagents: {jen: {run: »[]}}\n", ["must not be empty (at least 1)"]),
        (
            "agog: 1\nname: s\nagents: {jen: {report: {»generate: {»tokns: 9}}}}\n",
            ["'tokens' is missing in 'generate'", "unknown key 'tokns'; did you mean 'tokens'?"],
        ),
        ("agog: 1\nname: s\nagents: {jen: {report: »3}}\n", ["expected text or a mapping, not 3"]),
        (
            "agog: 1\nname: s\nagents: {jen: {»report: {»generat: 1}}}\n",
            ["'generate' is missing in 'report'", "unknown key 'generat'; did you mean 'generate'?"],
        ),
        (
            "agog: 1\nname: s\nagents: {jen: {run: [x], »report: {generate: {tokens: 99}}}}\n",
            ["an agent with `run` makes its report itself, so `report` would do nothing"],
        ),
        (
            "agog: 1\nname: s\ntokens: {»spawn_saving: 1}\n",
            ["unknown key 'spawn_saving'; did you mean 'spawn_savings'?"],
        ),
        ("agog: 1\nname: s\ntokens: {notice: {»at_mots: 1}}\n", ["unknown key 'at_mots'; did you mean 'at_most'?"]),
        (
            "agog: 1\nname: s\ntokens: {notice: »lots}\n",
            ["expected a number, or one with a unit: 95%, 200ms, 10MB, not 'lots'"],
        ),
        ("agog: 1\nname: s\ntokens: {notice: »{}}\n", ["give one of equals, at_least, at_most, between"]),
        ("agog: 1\nname: s\ntokens: {notice: »{between: [3, 1]}}\n", ["between takes the smaller number first"]),
    ],
)
def test_the_top_of_the_file(desk: Any, text: str, expected: list[str]) -> None:
    assert desk.wrong_at(text) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("»chain", ["expected a mapping, not 'chain'"]),
        ("»{}", ["a step has one key, its verb"]),
        ("{publish: {subject: a, text: b}, »kill: {component: nats}}", ["a step has one key, its verb"]),
        ("»publsh: {}", ["unknown step 'publsh'; did you mean 'publish'?"]),
        ("kill:»", ["expected a mapping, not nothing (null)"]),
        (
            "kill: {component: »nat}",
            ["expected nats, postgres, comms, orchestrator or listener, not 'nat'; did you mean 'nats'?"],
        ),
        ("kill: {component: nats, server: »2}", ["there is no server 2: this scenario runs 1"]),
        ("open: {page: /agents, as: a, instance: »2}", ["there is no instance 2 of comms: this scenario runs 1"]),
        ("open: {sse: {runId: r}, as: a, instance: »9}", ["must be at most 4, not 9"]),
        ("kill: {component: comms, server: »3}", ["there is no instance 3 of comms: this scenario runs 1"]),
        ("kill: {component: postgres, server: »1}", ["postgres is one server, so none can be named"]),
        (
            "»restart: {»componnt: nats}",
            ["'component' is missing", "unknown key 'componnt'; did you mean 'component'?"],
        ),
        ("»publish: {text: x}", ["'subject' is missing"]),
        ("publish: »{subject: a}", ["the message has no payload"]),
        ("publish: {subject: a, text: x, »json: 1}", ["the message has several payloads: json, text"]),
        ("publish: »{subject: a, text: null}", ["the message has no payload"]),
        ("publish: {subject: »a.*, text: x}", ["'a.*' has a wildcard; a message goes to one subject"]),
        ("publish: {subject: »a..b, text: x}", ["'a..b' is no subject"]),
        ("publish: {subject: »a b, text: x}", ["'a b' is no subject"]),
        ("publish: {subject: a, base64: »'*'}", ["'*' is no base64"]),
        ("publish: {subject: a, text: x, times: »0}", ["must be at least 1, not 0"]),
        ("publish: {subject: a, text: x, headers: {»A b: x}}", ["'A b' is no header name"]),
        ('publish: {subject: a, text: x, headers: {A: »"x\\n\\ny"}}', ["a header's value is one line"]),
        ("publish: {subject: a, text: x, headers: {A: »true}}", ["expected text, not true"]),
        ("publish: {subject: a, file: »nope.bin}", ["there is no file 'nope.bin'"]),
        (
            "publish: {subject: a, file: »/etc/passwd}",
            ["a path is relative to the scenario and may not leave its data root"],
        ),
        ("run: {command: »[]}", ["must not be empty (at least 1)"]),
        ("run: {command: »echo hi}", ["expected a list, not 'echo hi'"]),
        ("run: {command: [echo, »true]}", ["expected text, not true"]),
        ("wait: {until: {»mesage: {subject: a}}}", ["unknown check 'mesage'; did you mean 'message'?"]),
        (
            "wait: {until: {»message: {»subjct: a}}, within: »3}",
            [
                "'subject' is missing",
                "unknown key 'subjct'; did you mean 'subject'?",
                "expected a duration such as 500ms, 2s, 30m, 1h or 7d, not 3",
            ],
        ),
        ("wait: {until: {message: {subject: »'a b'}}}", ["'a b' is no subject"]),
        ("wait: {until: »{}}", ["must not be empty (at least 1)"]),
        (
            "chain: {feature: »f.g, turns: [{agent: roy, task: t}]}",
            [
                (
                    "token 'f.g' cannot be part of a subject: it contains '.'. "
                    "Use 1 to 128 bytes without dots, spaces, '*', '>' or control characters."
                )
            ],
        ),
        ("chain: {feature: f, turns: »[]}", ["must not be empty (at least 1)"]),
        (
            "chain: {feature: f, turns: [»{agent: »rou, »tsk: t}]}",
            [
                "'task' is missing in an entry of 'turns'",
                "unknown agent 'rou'; did you mean 'roy'?",
                "unknown key 'tsk'; did you mean 'task'?",
            ],
        ),
        (
            "chain: {feature: f, turns: [{agent: roy, task: t, fetches: [»roy]}]}",
            ["'roy' has no turn before this in the chain, so there is nothing to fetch"],
        ),
        (
            "chain: {feature: f, turns: [{agent: roy, task: t}, {agent: roy, task: u, fetches: [»a#, »non, »sylvia]}]}",
            [
                "'a#' names no heading",
                "unknown agent 'non'",
                "'sylvia' has no turn before this in the chain, so there is nothing to fetch",
            ],
        ),
    ],
)
def test_steps(desk: Any, step: str, expected: list[str]) -> None:
    assert desk.wrong_at(f"{HEAD}steps:\n  - {step}\n") == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{id: a, claim: b, check: »mesage}", ["unknown check 'mesage'; did you mean 'message'?"]),
        ("{id: a, claim: b, check: »message}", ["'subject' is missing"]),
        ("{id: a, claim: b, check: message, »with: {}}", ["'subject' is missing"]),
        ("{id: a, claim: b, check: message, with: »[a]}", ["expected a mapping, not a list"]),
        ("»{id: a, claim: b}", ["'check' is missing in an entry of 'proof'"]),
        (
            "»{id: a, »clam: b, check: stream, with: {name: A}}",
            ["'claim' is missing in an entry of 'proof'", "unknown key 'clam'; did you mean 'claim'?"],
        ),
        ("{id: »a.b, claim: b, check: stream, with: {name: A}}", ["'a.b' is no name"]),
        ("{id: »play, claim: b, check: stream, with: {name: A}}", ["'play' is the id of the play itself"]),
        (
            "{id: a, claim: b, check: stream, »with: {»nam: A, »storge: file}}",
            [
                "'name' is missing",
                "unknown key 'nam'; did you mean 'name'?",
                "unknown key 'storge'; did you mean 'storage'?",
            ],
        ),
        (
            "{id: a, claim: b, check: stream, with: {name: A, storage: »fil, sealed: »yes}}",
            ["expected file or memory, not 'fil'; did you mean 'file'?", "expected true or false, not 'yes'"],
        ),
        ("{id: a, claim: b, check: stream, with: {name: A, subjects: [»'a b', c.>]}}", ["'a b' is no subject"]),
        (
            "{id: a, claim: b, check: message, with: {subject: a, where: {x: {matches: »'('}}}}",
            ["'(' is no regular expression: missing ), unterminated subpattern at position 0"],
        ),
        (
            "{id: a, claim: b, check: message, with: {subject: a, where: {x: »{match: y, exists: true}}}}",
            ["match cannot stand beside exists"],
        ),
        (
            "{id: a, claim: b, check: message, with: {subject: a, count: {at_least: »x}}}",
            ["expected a number, or one with a unit: 95%, 200ms, 10MB, not 'x'"],
        ),
        (
            "{id: a, claim: b, check: deliverable, with: {agent: a, type: b, feature: c, equals: »../x}, within: »1}",
            ["'../x' leaves the data root", "expected a duration such as 500ms, 2s, 30m, 1h or 7d, not 1"],
        ),
    ],
)
def test_claims(desk: Any, entry: str, expected: list[str]) -> None:
    assert desk.wrong_at(f"{HEAD}proof:\n  - {entry}\n") == expected


def test_the_second_of_two_ids_is_wrong(desk: Any) -> None:
    entry = "  - {id: %s, claim: b, check: stream, with: {name: A}}\n"
    assert desk.wrong(f"{HEAD}proof:\n{entry % 'a'}{entry % 'b'}{entry % 'a'}") == [
        "6:10: the id 'a' stands here twice"
    ]


def test_everything_is_told_at_once(desk: Any) -> None:
    found = desk.wrong_at(f"""\
{HEAD}»summry: x
agents: {{jen: {{fails: »x, report: »nope.md}}}}
steps:
  - »publsh: {{}}
  - publish: {{subject: »"a b", text: "»${{nope}}", times: »x}}
tokens: {{notice: »x}}
proof:
  - {{id: a, claim: b, check: »nope}}
  - {{id: »a, claim: b, check: message, with: {{subject: »">.a"}}, within: »x}}
""")
    assert len(found) == 12


def test_a_validator_that_breaks_is_told_at_its_place(desk: Any) -> None:
    from dataclasses import replace

    from pydantic import model_validator

    from pytest_agog.values import Strict

    class Broken(Strict):
        @model_validator(mode="before")
        @classmethod
        def _break(cls, value: Any) -> Any:
            raise KeyError("oops")

    words = desk.words
    check = replace(words.checks["stream"], arguments=Broken)
    desk.words = Vocabulary({**words.checks, "stream": check}, words.steps, words.agents)
    assert desk.wrong(f"{HEAD}proof: [{{id: a, claim: b, check: stream, with: {{x: 1}}}}]\n") == [
        "3:48: Broken could not read this: KeyError: ''oops''"
    ]


def test_a_large_file_takes_about_a_second(tmp_path: Path, words: Vocabulary) -> None:
    lines = ["agog: 1", "name: big", "steps:"]
    lines += [
        f"  - publish: {{subject: argo.workflow.general.status, json: {{n: {n}, text: '{'some text ' * 8}{n}'}}}}"
        for n in range(5000)
    ]
    lines.append("proof:")
    for n in range(500):
        lines += [f"  - id: p{n}", f"    claim: message {n} came", "    check: message"]
        lines.append(f"    with: {{subject: argo.workflow.general.status, where: {{n: {n}}}}}")
    path = tmp_path / "big.yaml"
    path.write_text("\n".join(lines))
    assert path.stat().st_size > 800_000
    began = time.process_time()
    (scenario,) = load(path, words)
    assert len(scenario.steps) == 5000
    assert len(scenario.claims) == 500
    assert time.process_time() - began < 2  # about 0.5 s of processor time; twice that and more on a slow machine


def test_plain_data_is_the_file_before_substitution(desk: Any) -> None:
    desk.write("{a: '${x}'}", "part.yaml")
    path = desk.write(f"{HEAD}vars: !include part.yaml\n")
    assert plain_data(path) == {"agog": 1, "name": "s", "vars": {"a": "${x}"}}


def test_what_is_no_readable_file(desk: Any, tmp_path: Path) -> None:
    for data in (b"\0\1\2", b"\xff\xfe", b"a: \xff", b"#" * 2_000_000):
        assert len(desk.wrong(data)) == 1
    for path in (tmp_path, tmp_path / "none.yaml", Path("/dev/null")):
        with pytest.raises(ScenarioErrors, match=r":1:1: "):
            load(path, desk.words)
