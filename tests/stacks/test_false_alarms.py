"""What looks wrong in public compose files and is not, beside what is: a finding and its sound neighbour."""

from __future__ import annotations

import textwrap

import pytest

from pytest_agog.stacks.judging import Judged, judge


def look(text: str, name: str = "docker-compose.yml") -> Judged:
    return judge([(name, textwrap.dedent(text))])


def found(judged: Judged) -> list[tuple[int, str, str]]:
    return [(one.line, one.rule, one.severity) for one in (*judged.findings, *judged.notes)]


# --- waiting ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        ("{build: ./api}", "Give api a healthcheck, here or in its image, and write depends_on"),
        ("{image: postgres}", "Give api a healthcheck and write depends_on"),
        ("{image: postgres, healthcheck: {test: pg_isready}}", "Write depends_on"),
    ],
)
def test_what_has_no_healthcheck_gets_one_before_others_wait_for_it(target: str, remedy: str) -> None:
    judged = look(
        f"""\
        services:
          proxy: {{image: nginx, depends_on: [api]}}
          api: {target}
        """
    )
    said = [one for one in (*judged.findings, *judged.notes) if one.rule == "depends-on-healthy"]
    assert [one.remedy for one in said] == [f"{remedy}: api: condition: service_healthy."]


@pytest.mark.parametrize(
    ("name", "image", "severity"),
    [
        ("cli", "natsio/nats-box:latest", "note"),
        ("box", "synadia/nats-box", "note"),
        ("gui", "ghcr.io/nats-nui/nui:latest", "note"),
        ("nats-nui", "mine/own", "note"),
        ("metrics", "natsio/prometheus-nats-exporter:0.15.0", "note"),
        ("publisher", "mine/own", "finding"),
    ],
)
def test_tools_that_people_look_into_nats_with_need_not_wait(name: str, image: str, severity: str) -> None:
    judged = look(
        f"""\
        services:
          {name}: {{image: "{image}", depends_on: [nats]}}
          nats: {{image: "nats:2.10-alpine", healthcheck: {{test: nc -z localhost 4222}}}}
        """
    )
    assert found(judged) == [(2, "depends-on-healthy", severity)]


# --- secrets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", ["md5", "scram-sha-256", "password", "peer"])
def test_how_postgres_lets_in_is_no_password(method: str) -> None:
    text = f"""\
    services:
      db:
        image: postgres:17
        command: ["initdb", "--auth=md5"]
        environment: ["POSTGRES_INITDB_ARGS=--auth={method}"]
        volumes: ["data:/var/lib/postgresql/data"]
    volumes: {{data: }}
    """
    assert found(look(text)) == []


@pytest.mark.parametrize("name", ["GPG_KEY", "SIGNER_FINGERPRINT"])
def test_a_fingerprint_is_public(name: str) -> None:
    text = f"services:\n  web:\n    build: .\n    environment:\n      {name}: {'7169605F62C75135' * 2}6D054A26\n"
    assert found(look(text)) == []


@pytest.mark.parametrize(
    ("variable", "severity"),
    [
        ("PORTAL_API_KEY: ${PORTAL_API_KEY:-SEDIA}", "note"),
        ("PORTAL_API_KEY: ${PORTAL_API_KEY:-k8Jx02mWq7}", "finding"),
        ("BROKER_PASSWORD: ${BROKER_PASSWORD:-SEDIA}", "finding"),
        ("RABBITMQ_DEFAULT_PASS: ${RABBITMQ_PASSWORD:-hub_pass}", "note"),
        ("RABBITMQ_DEFAULT_PASS: ${RABBITMQ_PASSWORD:-bypass}", "finding"),
        ("RABBITMQ_DEFAULT_PASS: hub_pass", "finding"),
    ],
)
def test_a_default_that_is_a_word_is_no_key(variable: str, severity: str) -> None:
    text = f"services:\n  web:\n    build: .\n    environment:\n      {variable}\n"
    assert found(look(text)) == [(5, "secret-in-file", severity)]


# --- parts of other files ---------------------------------------------------------------------------------------------
def test_what_has_no_image_may_be_in_the_network_that_its_other_file_names() -> None:
    text = """\
    services:
      webui:
        environment: {TOOLS: "http://search-agent:8001"}
      search-agent:
        build: ./agents/search
        networks: [agents]
        volumes: ["..:/workspace"]
    networks: {agents: }
    """
    assert found(look(text, "docker-compose.agents.yml")) == []
    with_image = text.replace("    webui:\n", '    webui:\n        image: "mine/webui"\n')
    assert found(look(with_image, "docker-compose.agents.yml")) == [(2, "own-network", "finding")]


@pytest.mark.parametrize(("target", "rules"), [("runtime", ()), ("runner", ()), ("dev", ("hot-reload-mount",))])
def test_an_image_built_to_run_is_not_reloaded(target: str, rules: tuple[str, ...]) -> None:
    text = f"""\
    name: shop-app
    services:
      api:
        build: {{context: ., target: {target}}}
        command: ["node", "dist/main.js"]
    """
    assert look(text, "docker-compose.app.yml").rules == rules


# --- NATS -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flags", ["-m 52428800 -c /nats.conf", "--http_port=99999 -js -sd /data", "-p 70000"])
def test_a_flag_that_names_a_port_gets_one(flags: str) -> None:
    text = f"""\
    services:
      nats:
        image: nats:2.10-alpine
        command: {flags}
        volumes: ["data:/data"]
    volumes: {{data: }}
    """
    assert found(look(text)) == [(4, "nats-flag", "finding")]


@pytest.mark.parametrize(
    ("command", "port", "expected"),
    [
        ("-js -sd /data", "8222:8222", [(5, "nats-monitoring", "note")]),
        ("-js -sd /data -m 8222", "8222:8222", []),
        ("-js -sd /data", "4222:4222", []),
        ("-c /data/nats.conf", "8222:8222", []),
    ],
)
def test_a_monitoring_port_that_is_published_and_not_open_is_noted(
    command: str, port: str, expected: list[tuple[int, str, str]]
) -> None:
    text = f"""\
    services:
      nats:
        image: nats:2.10-alpine
        command: {command}
        ports: ["{port}"]
        volumes: ["data:/data"]
    volumes: {{data: }}
    """
    assert found(look(text)) == expected


# --- node_modules -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("made", "text"),
    [
        ("build: .", "the mount over /app hides /app/node_modules of the image"),
        ("image: node:22", "/app/node_modules lies on the host, in the mount over /app"),
    ],
)
def test_an_image_that_holds_no_modules_has_none_to_hide(made: str, text: str) -> None:
    judged = look(
        f"""\
        services:
          web:
            {made}
            working_dir: /app
            command: npm run dev
            volumes: [".:/app"]
        """
    )
    assert [one.text for one in (*judged.findings, *judged.notes)] == [f"service web: {text}"]


# --- forms ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "entry", "refused"),
    [
        ("environment", "MODE: fast", True),
        ("environment", '"MODE: fast"', False),
        ("environment", "MODE=fast", False),
        ("command", "--config: /etc/x", True),
        ("extra_hosts", "host.docker.internal: host-gateway", True),
        ("extra_hosts", '"host.docker.internal:host-gateway"', False),
        ("networks", "[default]", True),
        ("ports", "{target: 80, published: 8080}", False),
        ("env_file", "{path: .env, required: false}", False),
    ],
)
def test_an_entry_that_has_to_be_a_text_is_one(key: str, entry: str, refused: bool) -> None:
    text = f"services:\n  web:\n    image: mine\n    {key}:\n      - {entry}\n"
    assert found(look(text)) == ([(5, "wrong-form", "finding")] if refused else [])
