"""An application and its agents as people lay them out: what each pair is told, and what it is not."""

from __future__ import annotations

import textwrap

import pytest

from pytest_agog.stacks.judging import Judged, judge
from pytest_agog.stacks.model import Port
from pytest_agog.stacks.ports import clash
from pytest_agog.stacks.rules import clashes

APP_FILE, AGENTS_FILE = "docker-compose.app.yml", "docker-compose.agents.yml"
APP = """\
services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:?}"}
    volumes: ["shop_app_db:/var/lib/postgresql/data"]
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U u"]}
    networks: [shop_app_network]
  api:
    build: ./api
    depends_on: {db: {condition: service_healthy}}
    volumes: ["./api/src:/app/src"]
    ports: ["4000:4000"]
    networks: [shop_app_network]
volumes: {shop_app_db: }
networks: {shop_app_network: }
"""
AGENTS = """\
services:
  nats:
    image: nats:2.10-alpine
    command: ["-js", "-sd", "/data", "-m", "8222"]
    ports: ["4223:4222", "8223:8222"]
    volumes: ["shop_agents_nats:/data"]
    healthcheck: {test: ["CMD", "wget", "-q", "--spider", "http://127.0.0.1:8222/healthz"]}
    networks: [shop_agents_network]
  agent-backend:
    build: ./agents
    depends_on: {nats: {condition: service_healthy}}
    environment: {NATS_URL: "nats://nats:4222"}
    volumes: ["./:/workspace", "./agents/src:/app/src"]
    networks: [shop_agents_network]
volumes: {shop_agents_nats: }
networks: {shop_agents_network: }
"""
PORTS = '    ports: ["4223:4222", "8223:8222"]\n'


def put(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def pair(app: str = APP, agents: str = AGENTS, *others: tuple[str, str]) -> Judged:
    return judge([(APP_FILE, app), (AGENTS_FILE, agents), *others])


def test_the_pair_to_begin_with_is_sound() -> None:
    judged = pair()
    assert judged.findings == ()
    assert [(stack.kind, stack.sure) for stack in judged.stacks] == [("app", True), ("agents", True)]


@pytest.mark.parametrize(
    ("said", "line", "words"),
    [
        ("links: [nats]", 10, "tied to nats of the agents by links"),
        ('external_links: ["shop-agents-nats:nats"]', 10, "by external_links"),
        ('volumes_from: ["container:shop-agents-nats:ro"]', 10, "tied to shop-agents-nats of the agents"),
        ('network_mode: "container:shop-agents-nats"', 10, "by network_mode"),
        ("command: node main.js --bus nats://nats:4222", 10, "by its command"),
        ("entrypoint: [node, main.js, 'http://ollama:11434']", 10, "by its entrypoint"),
        ("depends_on: {agent-backend: {required: false}}", 10, "depends on agent-backend of the agents"),
        ("environment: {BUS: 'nats://host.docker.internal:4223'}", 10, "by BUS"),
    ],
)
def test_ways_to_need_the_agents(said: str, line: int, words: str) -> None:
    app = put(APP, ("    build: ./api\n", f"    build: ./api\n    {said}\n"))
    if "depends_on" in said:
        app = put(app, ("    depends_on: {db: {condition: service_healthy}}\n", ""))
    (one,) = pair(app).findings
    assert (one.rule, one.file, one.line) == ("agent-dependency", APP_FILE, line)
    assert words in one.text


def test_build_arguments_tell_too() -> None:
    app = put(APP, ("build: ./api", "build: {context: ./api, args: [OLLAMA=http://ollama:11434]}"))
    assert [(one.rule, one.line) for one in pair(app).findings] == [("agent-dependency", 9)]


@pytest.mark.parametrize(
    ("service", "image", "found"),
    [
        ("bus", "ghcr.io/acme/nats:2.10", True),
        ("nats", "${NATS_IMAGE}", True),
        ("bus", "nats:${NATS_TAG}", True),
        ("bus", "${REGISTRY}/nats:2", True),
        ("ollama", "${OLLAMA_IMAGE}", True),
        ("bus", "natsio/prometheus-nats-exporter:latest", False),
        ("bus", "${BUS_IMAGE}", False),
    ],
)
def test_nats_by_any_image(service: str, image: str, found: bool) -> None:
    app = put(APP, ("  db:\n", f"  {service}:\n    image: {image}\n    networks: [shop_app_network]\n  db:\n"))
    assert ("agent-dependency" in pair(app).rules) == found


def test_an_application_needs_no_volume_of_the_agents() -> None:
    app = put(APP, ("volumes: {shop_app_db: }", "volumes: {shop_app_db: , shop_agents_nats: {external: true}}"))
    (one,) = pair(app).findings
    assert (one.rule, one.file, one.line) == ("agent-dependency", APP_FILE, 14)


def test_an_external_volume_of_both_is_shared() -> None:
    app = put(APP, ("{shop_app_db: }", "{shop_app_db: {external: true, name: common}}"))
    agents = put(AGENTS, ("{shop_agents_nats: }", "{shop_agents_nats: {external: true, name: common}}"))
    (one,) = pair(app, agents).findings
    assert (one.rule, one.file, one.line) == ("volume-prefix", AGENTS_FILE, 15)


def without_networks(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "networks:" not in line) + "\n"


def test_one_project_name_is_one_network() -> None:
    shared = pair(f"name: shop\n{without_networks(APP)}", f"name: shop\n{without_networks(AGENTS)}")
    assert [(one.rule, one.file, one.line) for one in shared.findings] == [("own-network", AGENTS_FILE, 1)]
    assert "shop_default" in shared.findings[0].text
    apart = pair(f"name: shop-app\n{without_networks(APP)}", f"name: shop-agents\n{without_networks(AGENTS)}")
    assert apart.findings == ()


def test_networks_of_projects_in_two_folders_are_two() -> None:
    app, agents = (text.replace("shop_app_network", "backend").replace("shop_agents_network", "backend")
                   for text in (APP, AGENTS))  # fmt: skip
    assert judge([(f"a/{APP_FILE}", app), (f"b/{AGENTS_FILE}", agents)]).findings == ()
    beside = judge([(f"a/{APP_FILE}", app), (f"a/{AGENTS_FILE}", agents)])
    assert beside.rules == ("own-network",)


def test_names_that_the_environment_gives_are_not_compared() -> None:
    app = put(APP, ("{shop_app_network: }", "{shop_app_network: {name: '${APP_NET}'}}"))
    agents = put(AGENTS, ("{shop_agents_network: }", "{shop_agents_network: {name: '${AGENTS_NET}'}}"))
    assert pair(app, agents).findings == ()


def test_nothing_that_is_shown_holds_the_mark_of_a_variable() -> None:
    agents = put(AGENTS, ("nats:2.10-alpine", '"nats:${TAG}"'), ('"-m", "8222"', '"-m", "8222", "--what${EVER}"'))
    (one,) = pair(agents=agents).findings
    assert one.rule == "nats-flag"
    assert "--what…" in one.text
    assert "\0" not in one.one_line


@pytest.mark.parametrize(
    ("app", "agents", "found"),
    [
        ('["127.0.0.1:4223:4000"]', '["192.168.1.5:4223:4222", "8223:8222"]', False),
        ('["4223:4000/udp"]', '["4223:4222", "8223:8222"]', False),
        ('["${API_PORT:-4223}:4000"]', '["4223:4222", "8223:8222"]', True),
        ('["4220-4230:4220-4230"]', '[{target: 4222, published: "4223", mode: host}]', True),
        ('["[::]:4223:4000"]', '["4223:4222"]', True),
        ("[{target: 1, published: 9, host_ip: 127.0.0.1}]", "[{target: 1, published: 9, host_ip: 127.0.0.2}]", False),
        ('["1-60000:1-60000"]', '["4223:4222"]', True),
        ('["4223:4222"]', '["1-60000:1-60000"]', True),
    ],
)  # fmt: skip
def test_ports_of_both(app: str, agents: str, found: bool) -> None:
    judged = pair(put(APP, ('["4000:4000"]', app)), put(AGENTS, (PORTS.strip(), f"ports: {agents}")))
    assert judged.rules == (("port-clash",) if found else ())


def test_an_override_may_take_another_port() -> None:
    app = put(APP, ("4000:4000", "4223:4000"))
    for said in ('!override ["4001:4000"]', "!reset []", "!reset null"):
        over = ("docker-compose.app.override.yml", f"services:\n  api:\n    ports: {said}\n")
        assert pair(app, AGENTS, over).findings == (), said
    more = ("docker-compose.app.override.yml", 'services:\n  api:\n    ports: ["4001:4000"]\n')
    assert pair(app, AGENTS, more).rules == ("port-clash",)


def test_what_is_included_is_no_stack_of_its_own() -> None:
    infra = textwrap.dedent("""\
        services:
          ollama:
            image: ollama/ollama:0.5.4
            volumes: ["shop_agents_models:/root/.ollama"]
            ports: ["4000:11434"]
            networks: [shop_agents_network]
            environment: {SOME_PASSWORD: Qm4x9Zt2}
        volumes: {shop_agents_models: }
        """)
    for order in (("infra.yml", infra),), (("deep.yml", "include: [infra.yml]\n"), ("infra.yml", infra)):
        judged = pair(APP, f"include: [{order[0][0]}]\n{AGENTS}", *order)
        assert [stack.kind for stack in judged.stacks] == ["app", "agents"]
        assert [(one.rule, one.file, one.line) for one in judged.findings] == [
            ("port-clash", "infra.yml", 5),
            ("secret-in-file", "infra.yml", 7),
        ]


def test_files_that_include_each_other_are_judged_once() -> None:
    judged = judge([("a.yml", "include: [b.yml]\nservices: {x: {image: 'a', ports: ['1:1']}}\n"),
                    ("b.yml", "include: [a.yml]\nservices: {y: {image: 'a', ports: ['1:2']}}\n")])  # fmt: skip
    assert len(judged.stacks) == 1
    assert judged.rules == ("port-clash",)


def test_a_template_in_another_file_runs_nowhere() -> None:
    app = put(APP, ("    build: ./api\n", "    extends: {file: common.yml, service: node}\n    build: ./api\n"))
    common = "services:\n  node:\n    image: node:22\n    ports: ['4223:9229']\n"
    judged = pair(app, AGENTS, ("common.yml", common))
    assert [stack.kind for stack in judged.stacks] == ["app", "agents"]
    assert [(one.rule, one.file, one.line) for one in judged.findings] == [("port-clash", AGENTS_FILE, 5)]
    assert "common.yml:4" in judged.findings[0].text


def test_ports_are_compared_with_those_that_could_clash_only(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(one: Port, other: Port) -> bool:
        nonlocal compared
        compared += 1
        return clash(one, other)

    monkeypatch.setattr(clashes, "clash", counted)
    services = (
        f"  s{at}: {{image: x, ports: ['{at + 1000}:80', '9:9'], container_name: c{at}}}\n" for at in range(200)
    )
    judged = judge([("x.yaml", "services:\n" + "".join(services))])
    assert len(judged.findings) == 199
    assert compared <= 200


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ports: '80:80'", "ports is a text, and has to be a list"),
        ("ports: {80: 80}", "ports is a mapping"),
        ("volumes: ./a:/b", "volumes is a text"),
        ("environment: x", "a list or a mapping"),
        ("healthcheck: [CMD, x]", "healthcheck is a list"),
        ("ports: ['70000:80']", "70000 is no port"),
        ("ports: ['8010-8000:80']", "ends before it begins"),
        ("ports: ['8000-8005:80-82']", "differ in length"),
        ("ports: [{target: 80, published: 65536}]", "65536 is no port"),
    ],
)
def test_forms_that_compose_refuses(said: str, words: str) -> None:
    (one,) = judge([("x.yaml", f"services:\n  one:\n    image: x\n    {said}\n")]).findings
    assert (one.rule, one.line) == ("wrong-form", 4)
    assert words in one.text


@pytest.mark.parametrize(
    "said",
    [
        "ports:", "environment:", "depends_on: !reset null", "extra_hosts: {a: b}", "networks: {default: }",
        "ports: ['0:80', '65535:1/udp', '8000-8005:80-85', '9000-9005:80', '127.0.0.1::80', '[::1]:1:1', '${A}:${B}']",
    ],
)  # fmt: skip
def test_forms_that_compose_takes(said: str) -> None:
    assert judge([("x.yaml", f"services:\n  one:\n    image: x\n    {said}\n")]).findings == ()


@pytest.mark.parametrize("text", ["curl -u ", "dev-", "ollama.", "mongosh -u a "])
def test_a_long_text_of_somebody_else_is_read_in_one_go(text: str) -> None:
    long = text * (100_000 // len(text))
    body = f"healthcheck: {{test: '{long}'}}\n    command: '{long}'\n"
    assert judge([("x.app.yaml", f"services:\n  one:\n    image: x\n    {body}")]).findings == ()
