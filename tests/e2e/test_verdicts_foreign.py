"""Systems that share nothing with the reference but the wire: sound ones pass, and each fault shows its sign."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.play.result import PlayResult
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.load import load

AGENT = '''
"""An agent on a bare socket: no client library, no harness. Its one argument says what is wrong with it."""
import base64, hashlib, json, os, socket, sys
from urllib.parse import urlsplit

env, mode = os.environ, sys.argv[1]
address = urlsplit(env["NATS_URL"])
wire = socket.create_connection((address.hostname, address.port))
lines = wire.makefile("rb")
lines.readline()


def send(data):
    wire.sendall(data + b"PING\\r\\n")
    got = None
    while not (line := lines.readline()).startswith(b"PONG"):
        if line.startswith((b"MSG", b"HMSG")):
            got = lines.read(int(line.split()[-1]) + 2)[:-2]
        elif line.startswith(b"-ERR"):
            sys.exit(line.decode())
    return got


def publish(subject, payload, headers=""):
    head = f"NATS/1.0\\r\\n{headers}\\r\\n".encode()
    return send(b"HPUB %s _INBOX.bare.1 %d %d\\r\\n%s%s\\r\\n" % (
        subject.encode(), len(head), len(head) + len(payload), head, payload))


send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\\r\\nSUB _INBOX.bare.* 1\\r\\n')
feature, subject = env["AGOG_FEATURE"], env["AGOG_SUBJECT"]
text = f"# Report of {env['AGOG_AGENT']}\\r\\n\\r\\n" + "Findings about Gr\\u00f6\\u00dfen and indexes. " * 200
if mode == "placeholder":
    text = "[truncated]"
meta = {"agent": env["AGOG_AGENT"], "taskType": env["AGOG_TASK"], "feature": feature,
        "timestamp": "2026-01-01T00:00:00Z"}
digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
headers = f"agog-digest: SHA-256={digest}\\r\\n" + ("" if mode == "no-id" else f"Nats-Msg-Id: {digest}\\r\\n")
for entry in json.loads(env["AGOG_INPUTS"]) if mode == "reads" else []:
    place = entry["url"].removeprefix("nats://")
    ask = json.dumps({"last_by_subj": place}).encode()
    api = b"$JS.API.STREAM.MSG.GET.agog_features_research"
    send(b"PUB %s _INBOX.bare.2 %d\\r\\n%s\\r\\n" % (api, len(ask), ask))
payload = json.dumps({"content": text, "metadata": meta}).encode()
for _ in range(2):  # a retry
    publish(subject, payload, headers)
notice = {"status": "complete", "agent": env["AGOG_AGENT"], "task": feature, "nats_channel": subject,
          "summary": "Done.", "blockers": [], "ready_for_next_stage": True}
if mode == "notice-behind":
    publish(subject, json.dumps(notice).encode())
if mode == "wrong-url":
    notice["nats_channel"] = f"agog.features.research.{feature}"
if mode == "result-in-own-words":
    own = {"reqId": feature, "agent": "cynthia", "status": "PHASE_1_COMPLETE"}
    publish(f"results.cynthia.{feature}", json.dumps(own).encode())
print("Done.\\r\\n```json\\r\\n" + json.dumps(notice, indent=2) + "\\r\\n```")
'''
CLAIMS = """
  - {id: intact, claim: It is there, check: deliverable,
     with: {agent: cynthia, type: research, feature: f, digest: true}}
  - {id: once, claim: It is there once, check: deliverable,
     with: {agent: cynthia, type: research, feature: f, revisions: 1}}
  - {id: notice, claim: Notices are honest, check: notice,
     with: {resolves: true, consistent: true, tokens: {at_most: 200}}}
  - {id: prompts, claim: Nothing is inline, check: no_inline_report}
"""


@pytest.fixture
def play_yaml(tmp_path: Path, agog_play: Callable[..., PlayResult]) -> Callable[[str], PlayResult]:
    """Plays a scenario that is given as text; `agent.py` lies beside it."""

    def play(text: str) -> PlayResult:
        (tmp_path / "agent.py").write_text(AGENT)
        path = tmp_path / "scenario.yaml"
        path.write_text(text)
        (scenario,) = load(path, vocabulary())
        return agog_play(scenario)

    return play


def failed(result: PlayResult) -> set[str]:
    """Ids of the claims that failed; the play itself must have gone well."""
    assert result.failure is None, result.failure
    outcomes = {judged.claim.id: judged.verdict.outcome for judged in result.judgements}
    assert set(outcomes.values()) <= {"passed", "failed"}, outcomes
    return {name for name, outcome in outcomes.items() if outcome == "failed"}


@pytest.mark.parametrize(
    ("mode", "signs"),
    [
        ("sound", set()),
        ("wrong-url", {"notice"}),  # F05
        ("notice-behind", {"intact", "once", "notice", "prompts"}),  # F07: what should be a report is none
        ("no-id", {"once"}),  # F09
        ("placeholder", {"intact", "once", "prompts"}),  # F15
        ("result-in-own-words", {"notice"}),  # F18
    ],
)
def test_each_fault_shows_its_sign(play_yaml: Callable[[str], PlayResult], mode: str, signs: set[str]) -> None:
    result = play_yaml(
        f"agog: 1\nname: foreign\nagents: {{cynthia: {{run: [python, agent.py, {mode}]}}}}\n"
        "steps:\n  - chain: {feature: f, turns: [{agent: cynthia, task: research}]}\n"
        f"proof:{CLAIMS}"
    )
    found = failed(result)
    assert found - {"prompts"} == signs - {"prompts"}


def test_what_a_command_reads_counts_and_what_the_recorder_reads_does_not(
    play_yaml: Callable[[str], PlayResult],
) -> None:
    """The recorder reads every message by sequence while agents run; nobody was handed those."""
    text = textwrap.dedent("""
        agog: 1
        name: reading
        agents:
          cynthia: {run: [python, agent.py, sound]}
          roy: {run: [python, agent.py, MODE]}
        steps:
          - chain: {feature: f, turns: [{agent: cynthia, task: research}, {agent: roy, task: backend}]}
        tokens: {net_savings: {at_least: 50%}}
    """)
    assert failed(play_yaml(text.replace("MODE", "sound"))) == set()
    assert failed(play_yaml(text.replace("MODE", "reads"))) == {"tokens.net_savings"}


def _proof(*claims: dict[str, Any]) -> str:
    return "proof: " + json.dumps([{"claim": "It is so", **claim} for claim in claims]) + "\n"


def test_messages_are_found_by_the_subject_they_were_published_on(play_yaml: Callable[[str], PlayResult]) -> None:
    """[F33] The stream stores `work.requirements.>` under `requirements.>`; both names lead to the message."""
    old, new = "work.requirements.backend.REQ-1", "requirements.backend.REQ-1"
    result = play_yaml(
        f"agog: 1\nname: renamed\nsteps:\n  - publish: {{subject: {old}, json: {{id: REQ-1}}, times: 3}}\n"
        + _proof(
            {"id": "old", "check": "message", "with": {"subject": old, "count": 3}},
            {"id": "new", "check": "message", "with": {"subject": new, "count": 3}},
            {"id": "all", "check": "message", "with": {"subject": ">", "count": 3}},
            {"id": "loss-new", "check": "no_loss", "with": {"subjects": [new]}},
            {"id": "loss-old", "check": "no_loss", "with": {"subjects": [old]}},
            {"id": "never-old", "check": "never", "with": {"subject": "work.>"}},
        )
    )
    assert failed(result) == {"never-old"}


def test_publishes_under_way_at_once_with_one_id(play_yaml: Callable[[str], PlayResult]) -> None:
    subject = "results.roy.REQ-1"
    result = play_yaml(
        f"agog: 1\nname: at-once\nsteps:\n  - publish:\n      {{subject: {subject}, json: {{}}, times: 20,"
        " headers: {Nats-Msg-Id: same}}\n"
        + _proof(
            {"id": "kept", "check": "no_loss"},
            {"id": "one", "check": "message", "with": {"subject": subject, "count": 1}},
        )
    )
    assert failed(result) == set()


def test_links_that_lead_nowhere_or_outside(play_yaml: Callable[[str], PlayResult]) -> None:
    script = "cd $AGENT_OUTPUT_DIR && ln -s loop loop && ln -s /etc/passwd out && echo hi > a && ln -s a b"
    claims = [
        {"id": f"{name}{'' if there else '-absent'}", "check": "file",
         "with": {"path": f"$AGENT_OUTPUT_DIR/{name}", "exists": there}}
        for name in ("loop", "out", "b") for there in (True, False)
    ]  # fmt: skip
    result = play_yaml(
        "agog: 1\nname: links\nsteps:\n  - run: "
        + json.dumps({"command": ["sh", "-c", script]})
        + "\n"
        + _proof(*claims)
    )
    assert failed(result) == {"loop", "loop-absent", "out", "out-absent", "b-absent"}
