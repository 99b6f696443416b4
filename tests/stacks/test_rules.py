"""Rules on compose files as people write them: what is found, and what is not."""

from __future__ import annotations

import pytest

from pytest_agog.stacks.judging import judge
from tests.stacks.looking import look, service


# --- healthchecks -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("image", "test", "found"),
    [
        ("nats:2.10", '["CMD", "wget", "-q", "http://localhost:8222/healthz"]', True),
        ("nats:latest", '["CMD-SHELL", "nats-server --version"]', True),
        ("docker.io/library/nats:2.10.7", '["CMD", "nats", "server", "check"]', True),
        ("nats:2.10-alpine", '["CMD", "wget", "-q", "http://localhost:8222/healthz"]', False),
        ("nats:2.10-alpine", '["CMD", "/nats-server", "-v"]', False),
        ("nats:${NATS_TAG}", '["CMD", "wget", "x"]', False),
        ("nats:${NATS_TAG:-2.10}", '["CMD", "wget", "x"]', True),
        ("postgres:16", '["CMD", "curl", "x"]', True),
        ("postgres:16", "pg_isready -U me", False),
        ("postgres:16-alpine", '["CMD-SHELL", "curl -f x || exit 1"]', True),
        ("postgres:16-alpine", '["CMD-SHELL", "curl -f x || wget -q x || exit 1"]', False),
        ("ollama/ollama", '["CMD", "curl", "-f", "http://localhost:11434"]', True),
        ("ollama/ollama:latest", '["CMD", "ollama", "list"]', False),
        ("ollama/ollama:latest", "bash -c 'cat < /dev/null > /dev/tcp/localhost/11434'", False),
        ("ollama/ollama:latest", "cat < /dev/null > /dev/tcp/localhost/11434", True),
        ("redis:7", '["CMD", "redis-cli", "ping"]', False),
        ("redis:7", "redis-cli ping | grep PONG", False),
        ("redis:7-alpine", "nc -z localhost 6379", False),
        ("nginx:1.27", '["CMD", "curl", "-f", "http://localhost"]', False),
        ("nginx:1.27", "wget -q http://localhost", True),
        ("nginx:alpine", "wget -q http://localhost", False),
        ("node:22", '["CMD", "curl", "-f", "http://localhost"]', False),
        ("node:22-slim", '["CMD", "curl", "-f", "http://localhost"]', True),
        ("node:22-alpine", '["CMD", "curl", "-f", "http://localhost"]', True),
        ("node:22-alpine", '["CMD", "wget", "-q", "http://localhost"]', False),
        ("node:22-alpine", '["CMD", "node", "check.js"]', False),
        ("python:3.12-slim", '["CMD-SHELL", "curl x"]', True),
        ("python:3.12-slim", '["CMD", "python", "-c", "import urllib.request"]', False),
        ("mariadb:11", '["CMD", "mysqladmin", "ping"]', True),
        ("mariadb:10.6", '["CMD", "mysqladmin", "ping"]', False),
        ("mongo:7", "mongo --eval 'db'", True),
        ("mongo:7", "mongosh --eval 'db'", False),
        ("somebody/unknown:1", '["CMD", "curl", "x"]', False),
        ("registry.example.com/postgres-with-curl:1", '["CMD", "curl", "x"]', False),
    ],
)
def test_tools_that_the_image_has(image: str, test: str, found: bool) -> None:
    judged = look(service(f"image: {image}\nhealthcheck:\n  test: {test}"))
    assert ("healthcheck-tool" in judged.rules) == found


def test_an_image_that_is_built_is_unknown() -> None:
    assert look(service('build: .\nimage: node:22-slim\nhealthcheck: {test: ["CMD", "curl", "x"]}')).findings == ()


def test_what_the_command_installs_is_there() -> None:
    text = service(
        'image: python:3.12-slim\ncommand: sh -c "apt-get install -y curl && x"\nhealthcheck: {test: curl x}'
    )
    assert look(text).findings == ()


@pytest.mark.parametrize(
    ("test", "rule"),
    [
        ('["pg_isready"]', True),
        ('["CMD", "pg_isready -U me"]', True),
        ('["CMD", "curl", "-f", "http://x", "||", "exit", "1"]', True),
        ('["CMD", "sh", "-c", "a || exit 1"]', False),
        ('["CMD-SHELL", "a || exit 1"]', False),
        ('["NONE"]', False),
        ("a || exit 1", False),
    ],
)
def test_forms(test: str, rule: bool) -> None:
    judged = look(service(f"image: somebody/thing\nhealthcheck:\n  test: {test}"))
    assert ("healthcheck-form" in judged.rules) == rule


@pytest.mark.parametrize(
    ("test", "noted"),
    [
        ('["CMD", "/nats-server", "--version"]', True),
        ("node --version || exit 1", True),
        ("exit 0", True),
        ('["CMD", "true"]', True),
        ("curl -f http://localhost || exit 0", True),
        ("curl -f http://localhost || true", True),
        ('["CMD", "python", "-c", "import sys; sys.exit(0)"]', True),
        ("curl -f http://localhost || exit 1", False),
        ('["CMD", "ollama", "list"]', False),
        ("test -f /tmp/ready", False),
        ("echo srvr | nc localhost 2181", False),
    ],
)
def test_health_that_cannot_fail_is_a_note(test: str, noted: bool) -> None:
    judged = look(service(f"image: somebody/thing\nhealthcheck:\n  test: {test}"))
    assert judged.findings == ()
    assert [one.rule for one in judged.notes] == (["healthcheck-cannot-fail"] if noted else [])


# --- starting in order ------------------------------------------------------------------------------------------------
def test_a_database_is_waited_for() -> None:
    judged = look(service("image: mine\ndepends_on: [db]", db="postgres:16"))
    assert judged.rules == ("depends-on-healthy", "healthcheck-missing")


def test_what_may_have_a_healthcheck_of_its_own_is_a_note() -> None:
    text = "services:\n  web: {image: nginx:alpine, depends_on: [api]}\n  api: {build: .}\n"
    judged = look(text)
    assert judged.findings == ()
    assert [one.rule for one in judged.notes] == ["depends-on-healthy"]


@pytest.mark.parametrize("condition", ["service_completed_successfully", "service_healthy"])
def test_conditions(condition: str) -> None:
    text = f"""\
    services:
      one: {{image: mine, depends_on: {{db: {{condition: {condition}}}}}}}
      db: {{image: "postgres:16", healthcheck: {{test: pg_isready}}, volumes: ["/var/lib/postgresql/data"]}}
    """
    assert look(text).findings == ()


def test_a_migration_ends_and_is_never_healthy() -> None:
    text = """\
    services:
      one: {image: mine, depends_on: {flyway: {condition: service_healthy}}}
      flyway: {image: "flyway/flyway:10"}
    """
    assert look(text).rules == ("depends-on-healthy",)


# --- clashes ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("8080:80", "8080:81", True),
        ("8080:80/tcp", "8080:80/udp", False),
        ("127.0.0.1:8080:80", "8080:80", True),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80", False),
        ("8000-8010:8000-8010", "8005:80", True),
        ("8000-8010:80", "8005:80", False),
        ("80", "80", False),
        ("${A}:80", "${B}:80", False),
        ("${A:-8080}:80", "8080:80", True),
        ("[::1]:8080:80", "127.0.0.1:8080:80", False),
        ("0.0.0.0:8080:80", "[::]:8080:80", False),
    ],
)
def test_ports(one: str, other: str, found: bool) -> None:
    text = f'services:\n  a: {{image: x, ports: ["{one}"]}}\n  b: {{image: x, ports: ["{other}"]}}\n'
    assert (look(text).rules == ("port-clash",)) == found


def test_long_ports_clash_too() -> None:
    text = """\
    services:
      a: {image: x, ports: [{target: 80, published: "8080", protocol: tcp}]}
      b: {image: x, ports: [{target: 81, published: 8080}]}
      c: {image: x, ports: [{target: 81, published: 8080, protocol: udp}]}
    """
    judged = look(text)
    assert [(one.rule, one.line) for one in judged.findings] == [("port-clash", 3)]


def test_profiles_that_exclude_each_other_share_a_port() -> None:
    text = """\
    x-ollama: &ollama
      image: ollama/ollama:1
      ports: ["11434:11434"]
      volumes: ["models:/root/.ollama"]
      container_name: o
    services:
      cpu: {<<: *ollama, profiles: [cpu]}
      gpu: {<<: *ollama, profiles: [gpu]}
    volumes: {models: }
    """
    assert look(text).findings == ()


def test_development_and_production_are_not_up_together() -> None:
    text = service("image: mine\nports: ['8080:80']\ncontainer_name: one")
    judged = judge([("docker-compose.dev.yml", text), ("docker-compose.prod.yml", text)])
    assert judged.findings == ()


# --- mounts -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("build: ./web\ncommand: npm run dev\nvolumes: ['./web:/app']", True),
        ("build: ./web\ncommand: npm run dev\nvolumes: ['./web:/app', 'modules:/app/node_modules']", False),
        ("build: ./web\ncommand: npm run dev\nvolumes: ['./web/src:/app/src']", False),
        ("build: ./web\ncommand: npm run dev\nvolumes: ['./web:/app', './web/node_modules:/app/node_modules']", True),
        ("build: ./api\ncommand: python manage.py runserver\nvolumes: ['./api:/app']", False),
        (
            "image: node:22\nworking_dir: /app\ncommand: npm start\nvolumes: ['.:/app', 'modules:/app/node_modules']",
            False,
        ),
    ],
)
def test_node_modules(body: str, found: bool) -> None:
    text = service(body) + "volumes: {modules: }\n"
    assert look(text).rules == (("node-modules-volume",) if found else ())


def test_an_anonymous_volume_of_node_modules_is_a_note_outside_the_two_stacks() -> None:
    judged = look(service("build: ./web\ncommand: npm run dev\nvolumes: ['./web:/app', /app/node_modules]"))
    assert (judged.findings, [one.rule for one in judged.notes]) == ((), ["node-modules-volume"])


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (r"'.\src:/app'", True), (r"'C:\data:/data'", True), ("'C:/data:/data'", False), ("./src:/app", False),
        (r"'\\.\pipe\docker_engine:\\.\pipe\docker_engine'", False),
    ],
)  # fmt: skip
def test_backslashes(entry: str, found: bool) -> None:
    assert (look(service(f"image: x\nvolumes: [{entry}]")).rules == ("backslash-path",)) == found


# --- NATS -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("command", "rules"),
    [
        ("-js -sd /data -m 8222", ()),
        ("--jetstream --store_dir=/data --http_port 8222", ()),
        ('["-js", "-sd", "/elsewhere"]', ("jetstream-store",)),
        ("-js -sd /data --max_payload 8MB", ("nats-flag",)),
        ("-c /etc/nats/nats.conf", ()),
        ('["-c", "/etc/nats/nats-server.conf", "-js"]', ()),
        ('["nats-server", "-DV", "-js", "-sd", "/data/jetstream"]', ()),
        ('["sh", "-c", "exec nats-server --whatever"]', ()),
    ],
)
def test_flags_of_nats(command: str, rules: tuple[str, ...]) -> None:
    text = service(f"image: nats:2.10-alpine\ncommand: {command}\nvolumes: ['data:/data']") + "volumes: {data: }\n"
    assert look(text).rules == rules


# --- which is which ---------------------------------------------------------------------------------------------------
def test_an_ordinary_file_with_nats_is_no_second_stack() -> None:
    text = """\
    services:
      nats: {image: "nats:2.10-alpine"}
      shop: {image: mine, environment: {NATS_URL: "nats://nats:4222"}}
    """
    judged = look(text)
    assert (judged.findings, judged.stacks[0].kind) == ((), None)


def test_options_say_which_is_which() -> None:
    text = service("image: nats:2.10-alpine")
    assert judge([], app=[("x.yaml", text)]).rules == ("agent-dependency",)
    assert "jetstream-off" in judge([], agents=[("x.yaml", text)]).rules


def test_monitoring_agents_are_no_agents() -> None:
    text = service("image: prom/node-exporter:v1.8.0")
    judged = look(text, "docker-compose.agents.yml")
    assert (judged.findings, judged.notes, judged.stacks[0].kind) == ((), (), None)
