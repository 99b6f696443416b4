"""How long a scenario waits for its services. Peers: the same binaries, started and filled by hand."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks.harness import Result, alternating, milliseconds, result
from pytest_agog.stage.machine.binaries import nats_server
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.nats import NatsServer
from pytest_agog.stage.servers.pgcache import Template
from pytest_agog.stage.servers.pool import PostgresPool
from pytest_agog.stage.servers.postgres import PostgresOptions, PostgresServer

NATS_READY, DATABASE_READY, CLUSTER_READY = 50.0, 150.0, 3000.0


def run() -> list[Result]:
    """All of them."""
    folder = Path(tempfile.mkdtemp(prefix="agog-bench-"))
    try:
        return [_nats(folder), _cluster(folder), *_postgres(folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _nats(folder: Path) -> Result:
    started: list[Callable[[], None]] = []

    def ours() -> None:
        server = NatsServer(folder / f"ours{len(started)}")
        server.start()
        started.append(server.stop)

    def peer() -> None:
        started.append(_bare_nats(folder / f"peer{len(started)}"))

    ours()
    value, bare = alternating(ours, peer, rounds=9)
    for stop in started:
        stop()
    return result(
        "embedded NATS ready",
        value,
        "ms",
        peer=bare,
        goal=f"< {NATS_READY:.0f} ms",
        ok=value < NATS_READY,
        note="peer: bare Popen of the same binary, polled with TCP connects",
    )


def _bare_nats(folder: Path) -> Callable[[], None]:
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = folder / "nats.conf"
    store = {"store_dir": str(folder / "store"), "max_file_store": 10**12}
    configuration.write_text(json.dumps({"listen": f"127.0.0.1:{port}", "jetstream": store}))
    process = subprocess.Popen([nats_server(), "-c", configuration], stderr=subprocess.DEVNULL)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.001)

    def stop() -> None:
        process.kill()
        process.wait()

    return stop


def _cluster(folder: Path) -> Result:
    clusters: list[NatsCluster] = []

    def start() -> None:
        clusters.append(NatsCluster(folder / f"cluster{len(clusters)}"))
        clusters[-1].start()

    value = milliseconds(start, rounds=3)
    for cluster in clusters:
        cluster.stop()
    return result(
        "cluster of three ready",
        value,
        "ms",
        goal=f"< {CLUSTER_READY:.0f} ms",
        ok=value < CLUSTER_READY,
        note="all servers agree on a leader that has heard of each",
    )


def _migrate(dsn: str) -> None:
    """Of the size of the contract's own schema: two tables, seven indexes."""
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE SCHEMA bench")
        for table in ("messages", "rejected"):
            connection.execute(
                f"CREATE TABLE bench.{table} (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE, "
                "run_id text, channel text, agent_id text, content text NOT NULL, attrs jsonb NOT NULL DEFAULT '{}', "
                "dedupe_key text UNIQUE NOT NULL, created_at timestamptz NOT NULL DEFAULT now())"
            )
        for columns in ("run_id, seq", "channel, seq", "agent_id, seq", "created_at"):
            connection.execute(f"CREATE INDEX ON bench.messages ({columns})")


def _postgres(folder: Path) -> list[Result]:
    options = PostgresOptions(template=Template("bench-1", _migrate))
    with PostgresServer(folder / "warm", options):
        pass  # the cached cluster exists from here on

    pools: list[PostgresPool] = []

    def first() -> None:
        pools.append(PostgresPool(folder / f"first{len(pools)}", options))
        pools[-1].create("one")

    first_ms = milliseconds(first, rounds=5)
    pool = pools[0]
    number = iter(range(1_000_000))

    def ours() -> None:
        pool.create(f"ours{next(number)}")

    def peer() -> None:
        name = f"peer{next(number)}"
        with psycopg.connect(pool.server.dsn(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        _migrate(pool.server.dsn(name))

    value, by_hand = alternating(ours, peer, rounds=9)
    for each in pools:
        each.stop()
    return [
        result(
            "scenario database, server up",
            value,
            "ms",
            peer=by_hand,
            goal=f"< {DATABASE_READY:.0f} ms",
            ok=value < DATABASE_READY,
            note="peer: CREATE DATABASE from template0, then the migrations",
        ),
        result(
            "first scenario database, cluster cached",
            first_ms,
            "ms",
            goal=f"< {DATABASE_READY:.0f} ms",
            ok=first_ms < DATABASE_READY,
            note="copy the cluster, start the server, hand out a database",
        ),
    ]
