"""What well-known images hold, as far as healthchecks care. Of an image that is not here nothing is claimed.

The facts are those of the images' own Dockerfiles: what is listed as lacking is not installed in any tag that the
entry matches. Debian and Ubuntu images without buildpack-deps have neither curl nor wget nor nc; Alpine's busybox
brings wget and nc, not curl and not bash; images on scratch hold their own binary and no shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.words import repository


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an image."""

    base: str
    """In words: `scratch`, `alpine`, `debian`."""
    lacks: frozenset[str]
    """Programs that are not in it."""
    only: frozenset[str] | None = None
    """All programs that are in it, where these are so few."""
    instead: str = ""
    """A test that works in it."""

    @property
    def has_shell(self) -> bool:
        """Whether `CMD-SHELL` can run."""
        return self.only is None

    @property
    def sh_is_bash(self) -> bool:
        """Whether `sh` is bash under another name, as in all images of Red Hat's kin."""
        return self.base in ("micro", "oracle linux")

    def holds(self, program: str) -> bool:
        """Whether `program`, a name or a path, may be in it."""
        if self.only is not None:
            return program in self.only
        return program.rpartition("/")[2] not in self.lacks


_NETWORK: Final = frozenset({"curl", "wget", "nc", "netcat", "ncat", "telnet", "ping", "nslookup", "dig", "jq", "lsof"})
_DEBIAN: Final = _NETWORK
_ALPINE: Final = frozenset({"curl", "bash", "jq", "lsof", "ncat", "telnet", "dig"})
_BUSYBOX: Final = frozenset({"curl", "bash", "jq", "python", "python3", "node", "perl"})
_FULL: Final = frozenset({"nc", "netcat", "ncat", "telnet", "jq", "lsof"})
_NO_LANGUAGE: Final = frozenset({"python", "python3", "node"})

_PG: Final = 'Ask the server itself: test: ["CMD-SHELL", "pg_isready -U postgres"].'
_REDIS: Final = 'Ask the server itself: test: ["CMD", "redis-cli", "ping"].'
_NATS: Final = (
    "Take nats:alpine, start it with -m 8222 and ask "
    'test: ["CMD", "wget", "-q", "--spider", "http://127.0.0.1:8222/healthz"].'
)
_OLLAMA: Final = 'Ask the server with its own client: test: ["CMD", "ollama", "list"].'
_WGET: Final = "Use busybox's wget: wget -q --spider URL."
_NODE: Final = 'Let node ask: test: ["CMD", "node", "-e", "fetch(…).then(r => process.exit(r.ok ? 0 : 1))"].'
_PYTHON: Final = 'Let Python ask: test: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen(…)"].'
_OWN: Final = "Use a tool that the image has, or install it in an image of your own."


def look_up(image: str) -> Known | None:
    """What is known of `image` (as `interpolation.resolve` left it); None for nothing."""
    repo, tag = repository(image)
    if interpolation.is_open(repo):
        return None
    find = _IMAGES.get(repo)
    if find is None:
        return None
    # An unknown tag may be any variant.
    return None if interpolation.is_open(tag) or not tag else find(tag)


def _debian(more: frozenset[str] = frozenset(), has: frozenset[str] = frozenset(), instead: str = _OWN) -> Known:
    return Known("debian", (_DEBIAN | more) - has, instead=instead)


def _alpine(more: frozenset[str] = frozenset(), has: frozenset[str] = frozenset(), instead: str = _WGET) -> Known:
    return Known("alpine", (_ALPINE | more) - has, instead=instead)


def _windows(tag: str) -> bool:
    return "windows" in tag or "nanoserver" in tag


def _nats(tag: str) -> Known | None:
    if _windows(tag):
        return None
    if "alpine" in tag:
        return _alpine(_NO_LANGUAGE | {"perl"}, instead=_WGET)
    own = frozenset({"nats-server", "/nats-server"})
    return Known("scratch", frozenset(), own, _NATS)


def _nats_streaming(tag: str) -> Known | None:
    if "alpine" in tag:
        return _alpine(_NO_LANGUAGE)
    own = frozenset({"nats-streaming-server", "/nats-streaming-server"})
    return None if _windows(tag) else Known("scratch", frozenset(), own, "Take nats-streaming:alpine, which has wget.")


def _postgres(tag: str) -> Known:
    if "alpine" in tag:
        return _alpine(_NO_LANGUAGE, has=frozenset({"bash"}), instead=_PG)
    return _debian(_NO_LANGUAGE, instead=_PG)


def _alpine_postgres(_: str) -> Known:
    return _alpine(_NO_LANGUAGE, has=frozenset({"bash", "curl"}), instead=_PG)


def _redis(tag: str) -> Known:
    if "alpine" in tag:
        return _alpine(_NO_LANGUAGE, instead=_REDIS)
    return _debian(_NO_LANGUAGE, instead=_REDIS)


def _ollama(_: str) -> Known:
    return _debian(_NO_LANGUAGE, instead=_OLLAMA)


def _qdrant(_: str) -> Known:
    return _debian(_NO_LANGUAGE, instead='It has bash: test: ["CMD-SHELL", "bash -c \':> /dev/tcp/127.0.0.1/6333\'"].')


def _nginx(tag: str) -> Known:
    if "alpine" in tag:
        has = frozenset() if "slim" in tag else frozenset({"curl"})
        return _alpine(_NO_LANGUAGE, has=has)
    return _debian(_NO_LANGUAGE, has=frozenset({"curl"}), instead="nginx on Debian has curl: curl -fsS URL.")


def _language(own: frozenset[str], instead: str) -> Callable[[str], Known | None]:
    def find(tag: str) -> Known | None:
        if _windows(tag) or "onbuild" in tag:
            return None
        if "alpine" in tag:
            return _alpine(_NO_LANGUAGE, has=own, instead=_WGET)
        if "slim" in tag:
            return _debian(_NO_LANGUAGE, has=own, instead=instead)
        return Known("debian", _FULL, instead=instead)

    return find


def _mysql(_: str) -> Known:
    more = frozenset({"wget", "nc", "netcat", "telnet", "ping"})
    return Known("oracle linux", more, instead='Ask it: test: ["CMD", "mysqladmin", "ping", "-h", "127.0.0.1"].')


_MARIADB_RENAMED: Final = 11
"""Since this version the programs are called mariadb-admin and mariadb."""
_MONGO_RENAMED: Final = 6
"""Since this version there is mongosh and no mongo."""


def _major(tag: str) -> int | None:
    match = re.match(r"(\d+)", tag)
    return int(match[1]) if match else None


def _mariadb(tag: str) -> Known:
    major = _major(tag)
    renamed = major is None or major >= _MARIADB_RENAMED
    gone = frozenset({"mysqladmin", "mysql", "mysqlcheck"}) if renamed else frozenset()
    return _debian(gone, instead='It brings one: test: ["CMD", "healthcheck.sh", "--connect", "--innodb_initialized"].')


def _mongo(tag: str) -> Known:
    major = _major(tag)
    newer = major is None or major >= _MONGO_RENAMED
    lacks = frozenset({"nc", "netcat", "telnet", "mongo"}) if newer else frozenset({"nc", "netcat", "telnet"})
    return Known("ubuntu", lacks, instead='Ask it: test: ["CMD", "mongosh", "--eval", "db.adminCommand(\'ping\')"].')


def _rabbitmq(tag: str) -> Known:
    instead = 'Ask it: test: ["CMD", "rabbitmq-diagnostics", "-q", "ping"].'
    return _alpine(has=frozenset({"bash"}), instead=instead) if "alpine" in tag else _debian(instead=instead)


_KEYCLOAK_SMALL: Final = 21
"""Since this version it is built on a micro image: bash, Java and little else."""
_CHROMA_COMPILED: Final = 1
"""Since this version it is one program on Debian, without Python."""


def _keycloak(tag: str) -> Known | None:
    major = _major(tag)
    if tag != "latest" and (major is None or major < _KEYCLOAK_SMALL):
        return None
    instead = (
        'Set KC_HEALTH_ENABLED: "true" and let bash ask: '
        'test: ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000 && …"].'
    )
    return Known("micro", _NETWORK | _NO_LANGUAGE, instead=instead)


def _chroma(tag: str) -> Known | None:
    major = _major(tag)
    if tag != "latest" and (major is None or major < _CHROMA_COMPILED):
        return None
    return _debian(_NO_LANGUAGE, instead='It has bash: test: ["CMD-SHELL", "bash -c \': > /dev/tcp/127.0.0.1/8000\'"].')


def _alpine_always(tag: str) -> Known | None:
    return None if _windows(tag) else _alpine(_NO_LANGUAGE)


def _alpine_or_debian(tag: str) -> Known | None:
    return _alpine(_NO_LANGUAGE) if "alpine" in tag else _debian(_NO_LANGUAGE)


def _busybox(_: str) -> Known:
    return Known("busybox", _BUSYBOX, instead=_WGET)


def _plain_alpine(_: str) -> Known:
    return _alpine(_NO_LANGUAGE)


def _plain_debian(_: str) -> Known:
    return _debian(_NO_LANGUAGE)


def _alpine_only(tag: str) -> Known | None:
    return _alpine() if "alpine" in tag else None


def _collector(_: str) -> Known:
    return Known(
        "scratch", frozenset(), frozenset({"/otelcol", "/otelcol-contrib"}), "It has no shell; ask from outside."
    )


_NODE_TOOLS: Final = frozenset({"node"})
_PYTHON_TOOLS: Final = frozenset({"python", "python3"})
_IMAGES: Final[dict[str, Callable[[str], Known | None]]] = {
    "nats": _nats,
    "nats-streaming": _nats_streaming,
    "postgres": _postgres,
    "pgvector/pgvector": _postgres,
    "ankane/pgvector": _postgres,
    "postgis/postgis": _postgres,
    "timescale/timescaledb": _alpine_postgres,
    "redis": _redis,
    "valkey/valkey": _redis,
    "ollama/ollama": _ollama,
    "qdrant/qdrant": _qdrant,
    "nginx": _nginx,
    "node": _language(_NODE_TOOLS, _NODE),
    "python": _language(_PYTHON_TOOLS, _PYTHON),
    "golang": _language(frozenset(), _OWN),
    "ruby": _language(frozenset(), _OWN),
    "mysql": _mysql,
    "mariadb": _mariadb,
    "mongo": _mongo,
    "rabbitmq": _rabbitmq,
    "busybox": _busybox,
    "prom/prometheus": _busybox,
    "prom/alertmanager": _busybox,
    "prom/node-exporter": _busybox,
    "traefik": _plain_alpine,
    "caddy": _alpine_always,
    "eclipse-mosquitto": _alpine_always,
    "memcached": _alpine_or_debian,
    "httpd": _alpine_or_debian,
    "keycloak/keycloak": _keycloak,
    "chromadb/chroma": _chroma,
    "chroma-core/chroma": _chroma,
    "alpine": _plain_alpine,
    "debian": _plain_debian,
    "ubuntu": _plain_debian,
    "eclipse-temurin": _alpine_only,
    "otel/opentelemetry-collector": _collector,
    "otel/opentelemetry-collector-contrib": _collector,
}

SERVERS: Final = frozenset({
    "postgres", "pgvector/pgvector", "ankane/pgvector", "postgis/postgis", "timescale/timescaledb",
    "timescale/timescaledb-ha", "cockroachdb/cockroach", "mysql", "mariadb", "percona", "mongo", "redis",
    "valkey/valkey", "redis/redis-stack", "redis/redis-stack-server", "eqalpha/keydb", "memcached", "nats",
    "bitnami/nats", "rabbitmq", "ollama/ollama", "bitnami/postgresql", "bitnami/redis", "bitnami/mongodb",
    "bitnami/mysql", "bitnami/mariadb", "bitnami/rabbitmq", "bitnami/kafka", "bitnami/zookeeper",
    "bitnamilegacy/postgresql", "bitnamilegacy/redis", "bitnamilegacy/mongodb", "bitnamilegacy/mysql",
    "bitnamilegacy/mariadb", "bitnamilegacy/rabbitmq", "bitnamilegacy/kafka", "bitnamilegacy/zookeeper",
    "bitnamilegacy/nats", "confluentinc/cp-kafka", "confluentinc/cp-server", "confluentinc/cp-zookeeper",
    "apache/kafka", "wurstmeister/kafka", "wurstmeister/zookeeper", "zookeeper", "redpandadata/redpanda",
    "qdrant/qdrant", "chromadb/chroma", "chroma-core/chroma", "semitechnologies/weaviate", "milvusdb/milvus",
    "getmeili/meilisearch", "typesense/typesense", "minio/minio", "neo4j", "cassandra", "scylladb/scylla", "influxdb",
    "solr", "elasticsearch", "elasticsearch/elasticsearch", "opensearchproject/opensearch", "couchdb", "arangodb",
    "clickhouse/clickhouse-server", "mcr.microsoft.com/mssql/server", "mssql/server",
})  # fmt: skip
"""Servers that clients have to wait for: they take a while from start to answering, and none of their images has a
healthcheck of its own."""

POSTGRES: Final = frozenset({
    "postgres", "pgvector/pgvector", "ankane/pgvector", "postgis/postgis", "timescale/timescaledb",
    "timescale/timescaledb-ha", "supabase/postgres",
})  # fmt: skip
WITH_VECTOR: Final = frozenset({
    "pgvector/pgvector", "ankane/pgvector", "timescale/timescaledb-ha", "supabase/postgres",
    "tensorchord/pgvecto-rs",
})  # fmt: skip
ONCE: Final = frozenset({
    "flyway/flyway", "redgate/flyway", "boxfuse/flyway", "liquibase/liquibase", "liquibase", "migrate/migrate",
    "amacneil/dbmate", "minio/mc", "curlimages/curl", "arigaio/atlas",
})  # fmt: skip
"""Images that do one thing and end."""
