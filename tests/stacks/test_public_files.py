"""What public compose files look like: findings where a careful reader has one, and none elsewhere."""

from __future__ import annotations

import textwrap

import pytest

from pytest_agog.stacks.judging import Judged, judge


def look(text: str, name: str = "docker-compose.yml") -> Judged:
    return judge([(name, textwrap.dedent(text))])


def noted(judged: Judged) -> set[str]:
    return {one.rule for one in judged.notes}


# --- which is which ---------------------------------------------------------------------------------------------------
_ORDINARY = """\
services:
  db:
    image: postgres:17
    volumes: ["{volume}:/var/lib/postgresql/data"]
    networks: ["{network}"]
    healthcheck: {{test: pg_isready}}
  backend:
    build: ./backend
    networks: ["{network}"]
    depends_on: {{db: {{condition: service_healthy}}}}
  frontend:
    build: ./frontend
    networks: ["{network}"]
volumes: {{"{volume}": }}
networks: {{"{network}": }}
"""


@pytest.mark.parametrize(
    ("volume", "network", "project"),
    [
        ("app-db-data", "edge", ""),
        ("db_data", "my_app_network", ""),
        ("todo-app-data", "todo-app-network", ""),
        ("db_data", "edge", "name: todo-app\n"),
    ],
)
def test_a_project_that_is_called_an_app_is_no_application_stack(volume: str, network: str, project: str) -> None:
    judged = look(project + _ORDINARY.format(volume=volume, network=network))
    assert judged.findings == ()
    assert not judged.stacks[0].sure


def test_the_same_file_beside_the_agents_is_the_application() -> None:
    text = _ORDINARY.format(volume="shop_app_data", network="shop_app_network")
    assert "hot-reload-mount" in look(text, "docker-compose.app.yml").rules


def test_agents_are_known_by_a_volume_and_a_network_of_one_prefix() -> None:
    text = """\
    services:
      nats:
        image: nats:2.10-alpine
        command: -js -sd /data -m 8222
        volumes: ["shop_agents_nats:/data", "shop_agents_tmp:/tmp", "stray:/stray"]
        networks: [shop_agents_network]
    volumes: {shop_agents_nats: , shop_agents_tmp: , stray: }
    networks: {shop_agents_network: }
    """
    judged = look(text)
    assert (judged.rules, judged.stacks[0].sure) == (("volume-prefix",), True)


# --- waiting ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "image",
    ["confluentinc/cp-server:7.6.0", "confluentinc/cp-zookeeper:7.6.0", "minio/minio", "chromadb/chroma:0.5.23",
     "opensearchproject/opensearch:2", "quay.io/minio/minio:latest", "bitnamilegacy/kafka:3.7"],
)  # fmt: skip
def test_servers_are_waited_for(image: str) -> None:
    text = f"""\
    services:
      one: {{image: mine, depends_on: [two]}}
      two: {{image: "{image}"}}
    """
    assert look(text).rules == ("depends-on-healthy", "healthcheck-missing")


def test_an_image_that_brings_its_healthcheck_needs_none() -> None:
    text = """\
    services:
      one: {image: mine, depends_on: {two: {condition: service_healthy}}}
      two: {image: "mysql/mysql-server:8.0"}
    """
    assert look(text).findings == ()


_SWARM = """\
services:
  web:
    image: mine
    depends_on: [db]
    deploy: {deploy}
  db:
    image: postgres:17
    volumes: ["data:/var/lib/postgresql/data"]
volumes: {{data: }}
networks: {{default: {{driver: {driver}}}}}
"""


@pytest.mark.parametrize(
    ("name", "deploy", "driver", "swarm"),
    [
        ("docker-stack.yml", "{replicas: 2}", "bridge", True),
        ("docker-compose.swarm.yml", "{replicas: 2}", "bridge", True),
        ("compose.yaml", "{replicas: 2}", "overlay", True),
        ("compose.yaml", "{placement: {constraints: [node.role == manager]}}", "bridge", True),
        ("compose.yaml", "{replicas: 2}", "bridge", False),
        ("full-stack.yml", "", "bridge", False),
    ],
)
def test_a_swarm_waits_for_nothing(name: str, deploy: str, driver: str, *, swarm: bool) -> None:
    judged = look(_SWARM.format(deploy=deploy, driver=driver), name)
    assert judged.rules == (() if swarm else ("depends-on-healthy", "healthcheck-missing"))
    if swarm:
        assert noted(judged) == {"depends-on-healthy", "healthcheck-missing"}
        assert not any("condition: service_healthy" in one.remedy for one in judged.notes)


# --- streams ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("volumes", "found"),
    [
        ("[data:/data]", True),
        ("[data:/tmp/nats/jetstream]", False),
        ("[data:/tmp]", False),
        ("[data:/etc/nats]", False),
        ("['./nats:/work']", False),
        ("[]", False),
    ],
)
def test_a_volume_that_jetstream_does_not_use(volumes: str, *, found: bool) -> None:
    text = f"""\
    services:
      nats: {{image: "nats:2.10-alpine", command: [-js, -m, "8222"], volumes: {volumes}}}
    volumes: {{data: }}
    """
    judged = look(text)
    assert judged.rules == (("jetstream-store",) if found else ())
    if found:
        assert judged.findings[0].remedy == 'Add "-sd", "/data".'


# --- secrets ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entry", "severity"),
    [
        ("DATABASE_URL: ${DATABASE_URL:-postgresql://postgres:postgres@db:5432/app}", "note"),
        ("BROKER_URL: ${BROKER_URL:-amqp://guest:guest@queue:5672/}", "note"),
        ("DATABASE_URL: ${DATABASE_URL:-postgresql://svc:Xk29fjQp81Zz@db:5432/app}", "finding"),
        ("DATABASE_URL: postgresql://postgres:postgres@db:5432/${DB:-app}", "finding"),
        ("DATABASE_URL: $${x:-postgresql://postgres:postgres@db:5432/app}", "finding"),
        ("KAFKA_SSL_KEYSTORE_CREDENTIALS: broker_keystore_creds", ""),
        ("GOOGLE_APPLICATION_CREDENTIALS: gcp-key.json", ""),
        ("STRIPE_PUBLISHABLE_KEY: pk_test_51abcdefghijklmnopqrstuvwxyz012345", ""),
        ("RECAPTCHA_SITE_KEY: 6LabcdefAAAAAJcZVRqyHh71UMIEGNQabcdefghi", ""),
        ("STRIPE_SECRET_KEY: 51abcdefghijklmnopqrstuvwxyz012345", "finding"),
        ("MEILI_MASTER_KEY: ${MEILI_MASTER_KEY:-masterKey}", "note"),
    ],
)
def test_what_is_a_secret(entry: str, severity: str) -> None:
    judged = look(f"services:\n  one:\n    image: x\n    environment:\n      {entry}\n")
    found = [*judged.findings, *judged.notes]
    assert [(one.rule, one.severity) for one in found] == ([("secret-in-file", severity)] if severity else [])


def test_a_default_is_called_one() -> None:
    entry = "DATABASE_URL: ${DATABASE_URL:-postgresql://svc:Xk29fjQp81Zz@db:5432/app}"
    judged = look(f"services:\n  one:\n    image: x\n    environment:\n      {entry}\n")
    assert "falls back to" in judged.findings[0].text


# --- tools ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("image", "test", "found"),
    [
        ("quay.io/keycloak/keycloak:26.1", '["CMD", "curl", "-f", "http://localhost:9000/health"]', True),
        ("quay.io/keycloak/keycloak:latest", '["CMD", "wget", "-q", "http://localhost:9000/health"]', True),
        ("quay.io/keycloak/keycloak:19.0.3", '["CMD", "curl", "-f", "http://localhost:8080/health"]', False),
        ("quay.io/keycloak/keycloak:26.1", '["CMD-SHELL", "exec 3<>/dev/tcp/127.0.0.1/9000"]', False),
        ("mysql:8.4", '["CMD-SHELL", "exec 3<>/dev/tcp/127.0.0.1/3306"]', False),
        ("postgres:17", '["CMD-SHELL", "exec 3<>/dev/tcp/127.0.0.1/5432"]', True),
        ("chromadb/chroma:1.0.20", '["CMD", "curl", "-f", "http://localhost:8000/api/v2/heartbeat"]', True),
        ("chromadb/chroma:latest", '["CMD", "python3", "-c", "import urllib.request"]', True),
        ("chromadb/chroma:1.0.20", '["CMD", "bash", "-c", ": > /dev/tcp/127.0.0.1/8000"]', False),
        ("chromadb/chroma:0.5.23", '["CMD", "curl", "-f", "http://localhost:8000/api/v1/heartbeat"]', False),
        ("caddy:2", '["CMD", "curl", "-f", "http://localhost:2019/config/"]', True),
        ("caddy:2", '["CMD", "wget", "-qO-", "http://localhost:2019/config/"]', False),
        ("memcached:1.6", "echo stats | nc 127.0.0.1 11211", True),
        ("memcached:1.6-alpine", "echo stats | nc 127.0.0.1 11211", False),
        ("eclipse-mosquitto:2", "mosquitto_sub -t '$$SYS/#' -C 1 -W 3", False),
        ("httpd:2.4", "curl -f http://localhost", True),
    ],
)
def test_tools_of_more_images(image: str, test: str, *, found: bool) -> None:
    judged = look(f'services:\n  one:\n    image: "{image}"\n    healthcheck:\n      test: {test}\n')
    assert judged.rules == (("healthcheck-tool",) if found else ())


@pytest.mark.parametrize(
    ("entry", "rules"),
    [
        ("MINIO_ACCESS_KEY: minioadmin", ()),
        ("UNSPLASH_ACCESS_KEY: k3Jd82mNq0aZx91LpQ7s", ("secret-in-file",)),
        ("AWS_SECRET_ACCESS_KEY: minioadmin", ("secret-in-file",)),
        ("MINIO_SECRET_KEY: minioadmin", ("secret-in-file",)),
    ],
)
def test_an_access_key_is_a_user(entry: str, rules: tuple[str, ...]) -> None:
    assert look(f"services:\n  one:\n    image: x\n    environment:\n      {entry}\n").rules == rules


# --- who only looks on ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["adminer"], False),
        (["postgres-exporter"], False),
        (["adminer", "api"], True),
        (["api", "adminer"], True),
        (["api"], True),
    ],
)
def test_what_only_looks_on_need_not_wait(names: list[str], *, found: bool) -> None:
    others = "".join(f"  {name}: {{image: mine, depends_on: [db]}}\n" for name in names)
    text = f"services:\n  db: {{image: 'postgres:17', volumes: ['d:/var/lib/postgresql/data']}}\n{others}"
    judged = look(text + "volumes: {d: }\n")
    assert judged.rules == (("depends-on-healthy", "healthcheck-missing") if found else ())


def test_a_chat_page_is_the_client_of_its_models() -> None:
    text = """\
    services:
      ollama: {image: ollama/ollama, volumes: ["models:/root/.ollama"]}
      open-webui: {image: "ghcr.io/open-webui/open-webui:main", depends_on: [ollama]}
    volumes: {models: }
    """
    assert look(text).rules == ("depends-on-healthy", "healthcheck-missing")


# --- one of several files ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("docker-compose-dev.yml", False),
        ("compose_monitoring.yaml", False),
        ("docker-compose.dev.yml", False),
        ("docker-compose.yml", True),
        ("compose.yaml", True),
        ("infra.yml", True),
    ],
)
def test_names_of_another_file(name: str, *, found: bool) -> None:
    judged = look("services:\n  one: {image: x, networks: [there]}\n", name)
    assert (judged.rules, noted(judged)) == ((("undeclared-name",), set()) if found else ((), {"undeclared-name"}))


# --- other languages --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("volumes: ['.:/var/www/html'], environment: {VITE_PORT: 5173}", False),
        ("volumes: ['.:/app'], environment: {NODE_ENV: development}, command: python manage.py runserver", False),
        ("volumes: ['.:/app'], environment: {NODE_ENV: development}, command: bundle exec rails s", False),
        ("volumes: ['.:/app'], environment: {NODE_ENV: development}", True),
        ("volumes: ['.:/app'], environment: {NODE_ENV: development}, command: npm run dev", True),
    ],
)
def test_node_modules_of_what_runs_node(body: str, *, found: bool) -> None:
    assert look(f"services:\n  one: {{build: ., {body}}}\n").rules == (("node-modules-volume",) if found else ())


def test_the_volume_of_one_agent_makes_no_stack() -> None:
    text = """\
    services:
      agent-atlas:
        build: ../atlas
        working_dir: /workspace/atlas
        volumes: ["../atlas:/workspace/atlas", "atlas-agent-home:/home/agent"]
    volumes: {atlas-agent-home: }
    """
    judged = look(text, "docker-compose.agents.yml")
    assert (judged.findings, judged.stacks[0].kind, judged.stacks[0].sure) == ((), "agents", False)


# --- defaults that everybody sees -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entries", "severity"),
    [
        ("DB_USER: '${DB_USER:-shop}', DB_PASSWORD: '${DB_PASSWORD:-shop}'", "note"),
        ("POSTGRES_DB: shop, POSTGRES_PASSWORD: '${PG_PASSWORD:-shop}'", "note"),
        ("DSN: '${DSN:-postgresql://shop:shop@db:5432/shop}'", "note"),
        ("DB_USER: shop, DB_PASSWORD: shop", "finding"),
        ("DB_USER: shop, DB_PASSWORD: '${DB_PASSWORD:-Xk29fjQp81Zz}'", "finding"),
        ("LOCAL_API_KEY: '${LOCAL_API_KEY:-not-needed}'", "note"),
        ("DB_PASSWORD: '${DB_PASSWORD:-p@ssw0rd}'", "note"),
        ("OPENAI_API_KEY: not-needed", ""),
        ("OPENAI_API_KEY: dummy", ""),
        ("OPENAI_API_KEY: sk-no-key-required", ""),
        ("OPENAI_API_KEY: ollama", ""),
        ("JWT_SECRET: dummy", "finding"),
        ("OPENAI_API_KEY: sk-Ab12Cd34Ef56", "finding"),
    ],
)
def test_defaults_that_everybody_sees(entries: str, severity: str) -> None:
    judged = look(f"services:\n  one:\n    image: x\n    environment: {{{entries}}}\n")
    assert [one.severity for one in (*judged.findings, *judged.notes)] == ([severity] if severity else [])
