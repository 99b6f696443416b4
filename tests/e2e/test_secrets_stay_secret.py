"""Secrets go in everywhere that they can, and come out nowhere: every byte that is written is searched for them."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from pytest_agog.stage.servers.nats import NatsServer

PATIENCE = 60
USERINFO = "Kp7-userinfo-in-a-url"
ESCAPED = "Kp7/escaped@in:a url"
KEY_VALUE = "Kp7,key=value;dsn"
QUOTED = "Kp7 quoted in a dsn"
BEARER = "Kp7bearer0123456789abcdef"
SEED = "SUAKP7" + "B2C3D4E5F6G7" * 4 + "ABCD"
NAMED = "Kp7-named-in-the-environment"
AWS_ID = "AKIA" + "KP7ODNN7EXAMPLEX"
AWS_KEY = "Kp7rXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEYX"
JSON_SECRET = "Kp7-in-json"
YAML_SECRET = "Kp7 spoken in yaml"
TRACEBACK = "Kp7-in-a-traceback"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


SIGNATURE = "Kp7sigKp7sig" * 7 + "Kp"
JWT = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part({'jti': 'Kp7', 'sub': 'roy', 'nats': {}})}.{SIGNATURE}"
PEM_BODY = "MIGHAgEAKp7GByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgKp7Kp7Kp7Kp7Kp7Kp7Kp"
PEM = f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----"
NATS_URL = f"nats://roy:{USERINFO}@127.0.0.1:1"
DSN = f"postgresql://agog:{quote(ESCAPED, safe='')}@127.0.0.1:1/agog"
NEEDLES = (
    USERINFO, ESCAPED, quote(ESCAPED, safe=""), KEY_VALUE, QUOTED, BEARER, SEED, NAMED, AWS_ID, AWS_KEY, JSON_SECRET,
    YAML_SECRET, TRACEBACK, SIGNATURE, PEM_BODY, SEED[10:40], SIGNATURE[:40], PEM_BODY[20:50],
)  # fmt: skip

TALKATIVE = """
import json, os, sys, textwrap
for name, value in sorted(os.environ.items()):
    if name.startswith(("GIVEN_", "PG", "AWS_", "DB_", "NATS_", "DATABASE_")):
        print(f"{name}={value}")
jwt, seed = os.environ["GIVEN_JWT"], os.environ["GIVEN_SEED"]
print("wrapped:", *textwrap.wrap(jwt, 60), sep="\\n    ")
print("wrapped:", *textwrap.wrap(seed, 25), sep="\\n    ")
print(json.dumps({"password": os.environ["JSON_SECRET"], "inner": json.dumps({"api_key": os.environ["JSON_SECRET"]})}))
print("-----BEGIN NATS USER JWT-----", jwt, "------END NATS USER JWT------", sep="\\n")
print("-----BEGIN USER NKEY SEED-----", seed, "------END USER NKEY SEED------", sep="\\n")
sys.stdout.flush()
def connect(url):
    raise ConnectionError(f"cannot connect to {url}, password='{os.environ['TRACEBACK']}'")
connect(f"nats://roy:{os.environ['TRACEBACK']}@127.0.0.1:4222")
"""

SCENARIO = f'''
agog: 1
name: leaky
summary: Everything here says a secret, and every claim fails.
agents:
  cynthia:
    report: report.md
    notice: {{summary: "see {NATS_URL}", key_findings: ["password={NAMED}", "{SEED}"]}}
  roy:
    run: [python, -c, "import os; print(os.environ['PGPASSWORD'], 'PGPASSWORD=' + os.environ['PGPASSWORD']); exit(3)"]
steps:
  - publish:
      subject: argo.workflow.general.status
      headers: {{Authorization: Bearer {BEARER}, X-Password: "{NAMED}"}}
      json: {{message_id: a, content: "connect to {NATS_URL} with password={NAMED}", password: "{JSON_SECRET}"}}
  - publish:
      subject: argo.workflow.general.message
      json: {{message_id: b, content: {json.dumps(PEM)}, seed: {SEED}}}
  - publish: {{subject: argo.workflow.general.error, text: "{JWT}"}}
  - run: {{command: [python, talkative.py, --token, {BEARER}, --url, "{NATS_URL}"], as: talkative, expect_exit: 1}}
  - chain:
      feature: leaking
      turns: [{{agent: cynthia, task: research}}, {{agent: roy, task: backend, fetches: [cynthia]}}]
proof:
  - id: report
    claim: A report of other words
    check: deliverable
    with: {{agent: cynthia, type: research, feature: leaking, contains: "api_key={JSON_SECRET}", equals: other.md}}
  - id: notice
    claim: A notice of other words
    check: notice
    with: {{agent: cynthia, status: BLOCKED}}
  - id: message
    claim: Not even one with db_password={NAMED}
    check: message
    with: {{subject: argo.workflow.general.status, where: {{content: "no {NATS_URL}"}}}}
  - id: never
    claim: None at all
    check: never
    with: {{subject: argo.workflow.general.>}}
  - id: output
    claim: It prints something else
    check: process
    with: {{name: talkative, exit: 0, output_contains: "host=h password={KEY_VALUE} user=u"}}
  - id: http
    claim: A URL with a password in it answers
    check: http
    with: {{url: "http://roy:{USERINFO}@127.0.0.1:1/x?access_token={BEARER}"}}
'''

WRONG = f'''
agog: 1
name: wrong
services: {{nats: {{max_payload: many, password: "{NAMED}"}}}}
steps:
  - publish: {{subject: "{NATS_URL}", json: {{password: {YAML_SECRET}}}, apiKey: {JSON_SECRET}}}
proof:
  - id: x
    claim: password={NAMED}
    check: mesage
    with:
      password: {YAML_SECRET}
      dsn: "host=h password='{QUOTED}' user=u"
      seed: {SEED}
'''


def _environment(folder: Path, **further: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGOG_", "PYTEST_", "NATS_"))}
    if "AGOG_CACHE_DIR" in os.environ:
        kept["AGOG_CACHE_DIR"] = os.environ["AGOG_CACHE_DIR"]
    return kept | {
        "GIVEN_JWT": JWT, "GIVEN_SEED": SEED, "GIVEN_PEM": PEM, "GIVEN_DSN": f"host=h password={KEY_VALUE} user=u",
        "GIVEN_QUOTED": f"host=h password='{QUOTED}' user=u", "GIVEN_URL": DSN, "GIVEN_HEADER": f"Bearer {BEARER}",
        "PGPASSWORD": NAMED, "DB_PASS": NAMED, "AWS_ACCESS_KEY_ID": AWS_ID, "AWS_SECRET_ACCESS_KEY": AWS_KEY,
        "JSON_SECRET": JSON_SECRET, "TRACEBACK": TRACEBACK, "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "step-summary.md"), "COLUMNS": "120", **further,
    }  # fmt: skip


def _run(folder: Path, *words: str, **further: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=_environment(folder, **further), check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=PATIENCE,
    )  # fmt: skip
    return done.stdout


def _leaks(told: Mapping[str, bytes]) -> list[str]:
    """Which secret stands where; also in the forms that JSON and HTML give to it."""
    found = []
    for where, data in told.items():
        for needle in NEEDLES:
            forms = {needle, json.dumps(needle)[1:-1], needle.replace("&", "&amp;"), needle.replace("/", "\\/")}
            found += [f"{where}: {needle}" for form in forms if form.encode() in data]
    return found


def _written(folder: Path, apart: set[str]) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in apart
    }


def test_reports_of_a_play_that_fails(tmp_path: Path) -> None:
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    (tmp_path / "leaky.yaml").write_text(SCENARIO)
    (tmp_path / "report.md").write_text(f"# Report\n\nConnect to {NATS_URL}.\n\n{PEM}\n\nGITHUB_TOKEN={BEARER}\n" * 20)
    (tmp_path / "other.md").write_text(f"# Report\n\nConnect to {DSN}.\n" * 20)
    told = _run(
        tmp_path, "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-v", "--agog-scenario=leaky.yaml",
        "--agog-report=report", "--junitxml=junit.xml",
    )  # fmt: skip
    written = _written(tmp_path, {"talkative.py", "leaky.yaml", "report.md", "other.md"})
    names = {Path(name).name for name in written}
    assert {"report.json", "report.html", "summary.md", "step-summary.md", "junit.xml"} <= names
    assert any("bundle" in name for name in written)
    assert "7 failed" in told, told
    assert "::error" in told
    assert "****" in told
    assert b"roy:****@127.0.0.1:1" in written["report/report.json"]
    assert not _leaks({"terminal": told.encode(), **written})


def test_errors_of_a_file_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    told = _run(tmp_path, "pytest", "--agog-scenario=wrong.yaml", "-p", "no:cacheprovider")
    linted = _run(tmp_path, "pytest_agog", "lint", "wrong.yaml")
    assert "wrong.yaml:" in told
    assert "wrong.yaml:" in linted
    assert not _leaks({"pytest": told.encode(), "lint": linted.encode()})


@pytest.mark.parametrize(
    "dsn", [DSN, f"host=127.0.0.1 port=1 user=agog password={KEY_VALUE}", f"host=127.0.0.1 port=1 password='{QUOTED}'"]
)
def test_commands_that_find_nothing_there(tmp_path: Path, dsn: str) -> None:
    creds = tmp_path / "agent.creds"
    creds.write_text(f"-----BEGIN NATS USER JWT-----\n{JWT}\n------END NATS USER JWT------\n\n"
                     f"-----BEGIN USER NKEY SEED-----\n{SEED}\n------END USER NKEY SEED------\n")  # fmt: skip
    services = {"NATS_URL": NATS_URL, "DATABASE_URL": dsn, "NATS_CREDS": str(creds)}
    told = {
        command: _run(tmp_path, "pytest_agog", *command.split(), **services).encode()
        for command in (
            "doctor", "doctor --json", "serve --patience 300ms", "orchestrate", "listen", "init-streams",
            "comms publish message --content x", "fetch agog.deliverables.roy.backend.x",
        )
    }  # fmt: skip
    assert b"127.0.0.1" in told["doctor"]
    assert all(told.values())
    assert not _leaks(told)


@contextmanager
def _service(folder: Path, *words: str, **further: str) -> Iterator[Path]:
    """A service of ours, and its log. What it needs is away, so that it has something to say."""
    log = folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest_agog", *words], cwd=folder, env=_environment(folder, **further),
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def _ask(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return bytes(answer.read()) + str(answer.headers).encode()
    except urllib.error.HTTPError as error:
        return bytes(error.read()) + str(error.headers).encode()


def test_a_service_whose_services_are_away(tmp_path: Path, unused_tcp_port: int) -> None:
    services = {"NATS_URL": NATS_URL, "DATABASE_URL": DSN, "AGOG_HTTP_TOKEN": BEARER}
    words = ("serve", "--port", str(unused_tcp_port))
    base = f"http://127.0.0.1:{unused_tcp_port}"
    with _service(tmp_path, *words, **services) as log:
        until = time.monotonic() + PATIENCE
        while b"migrations" not in log.read_bytes():  # its processes tell of nothing but by their log
            assert time.monotonic() < until, log.read_text()
        told = {
            path: _ask(base + path, Authorization=f"Bearer {BEARER}", Accept=accept)
            for path, accept in (
                ("/readyz", "*/*"), ("/metrics", "*/*"), ("/agents", "text/html"), ("/agents/run-7", "text/html"),
                ("/api/agents/runs", "*/*"), ("/api/agents/events?channel=general", "*/*"), ("/sign-in", "text/html"),
            )
        }  # fmt: skip
        told["refused"] = _ask(f"{base}/agents?token={BEARER}x", Authorization=f"Bearer {BEARER}x")
    assert b"agog_http_limited_total" in told["/metrics"]
    told["log"] = log.read_bytes()
    assert not _leaks(told)


def test_a_foreign_component_that_prints_its_environment_and_ends(tmp_path: Path) -> None:
    code = (
        "import os; print('connecting to', os.environ['URL'], 'password=' + os.environ['NAMED']); raise SystemExit(4)"
    )
    (tmp_path / "target.yaml").write_text(
        json.dumps({
            "agog_target": 1, "name": "foreign",
            "components": {"comms": {"process": {
                "command": ["python", "-c", code], "ready": {"http": "${url}/healthz"},
                "env": {"URL": DSN, "NAMED": NAMED},
            }}},
        })
    )  # fmt: skip
    (tmp_path / "play.yaml").write_text("agog: 1\nname: play\nservices: {components: [comms]}\n"
                                        "steps: [{publish: {subject: a, text: b, core: true}}]\n")  # fmt: skip
    told = _run(
        tmp_path, "pytest", "-p", "no:cacheprovider", "--agog-scenario=play.yaml", "--agog-target=target.yaml",
        "--agog-report=report", "--junitxml=junit.xml", "--agog-debug",
    )  # fmt: skip
    assert "it ended with status 4" in told
    assert not _leaks({"terminal": told.encode(), **_written(tmp_path, {"target.yaml"})})


def test_wrong_usage_and_what_nobody_expected(tmp_path: Path) -> None:
    told = {
        command + debug: _run(tmp_path, "pytest_agog", *command.split(" "), AGOG_DEBUG=debug).encode()
        for debug in ("", "1")
        for command in (
            f"doctor {DSN}", f"doctor --postgres-dns={DSN}", f"doctor --nats-url={NATS_URL} {NATS_URL}", f"{DSN}",
            f"serve --postgres-dsn={DSN} --port={DSN}", f"serve --postgres-dsn={DSN} --retention={DSN}",
            f"plan {DSN}", f"serve --postgres-dsn={DSN} --token-file={DSN}",
        )
    }  # fmt: skip
    assert all(told.values())
    assert not _leaks(told)


def test_credentials_that_nats_refuses(tmp_path: Path) -> None:
    from pytest_agog.stage.servers.nats import NatsOptions

    with NatsServer(tmp_path / "nats", NatsOptions()) as server:
        host = server.url.removeprefix("nats://")
        told = _run(tmp_path, "pytest_agog", "doctor", NATS_URL=f"nats://roy:{USERINFO}@{host}")
    assert host in told
    assert not _leaks({"doctor": told.encode()})
