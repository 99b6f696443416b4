"""Factories of fixtures, so that users can name their own, with their own options.

from pytest_agog import factories

nats_small = factories.agog_nats_proc(max_payload=1_000_000)
nats_shared = factories.agog_nats_noproc(url="nats://127.0.0.1:4222")
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_agog.session.addresses import Nats, Postgres
from pytest_agog.session.run import run_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_agog.session.components import Service

Scope = Literal["session", "package", "module", "class", "function"]


def agog_nats_proc(
    *,
    servers: Literal[1, 3] = 1,
    streams: bool = True,
    max_payload: int | None = None,
    sync_interval: float | Literal["always"] | None = None,
    scope: Scope = "function",
) -> Callable[..., Any]:
    """A fixture with an own embedded nats-server, or a cluster of three; with the contract's streams unless not wanted.

    Args:
        max_payload: bytes, headers included; 12 MB when None.
        sync_interval: seconds between flushes of JetStream to disk, or `always`.
    """

    @pytest.fixture(scope=scope)
    def agog_nats(request: pytest.FixtureRequest) -> Generator[Nats]:
        from pytest_agog.stage.servers.cluster import NatsCluster
        from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
        from pytest_agog.stage.target.targets import REFERENCE

        async def prepare() -> None:
            await REFERENCE.prepare_streams(server.url, servers)

        run = run_of(request.config)
        given: dict[str, Any] = {"max_payload": max_payload, "sync_interval": sync_interval}
        options = NatsOptions(**{name: value for name, value in given.items() if value is not None})
        folder = run.folders.new("nats")
        server = NatsServer(folder / "nats", options) if servers == 1 else NatsCluster(folder / "nats", options)
        try:
            server.start()
            if streams:
                run.loop.call(prepare())
            yield Nats(server.url, server.monitor_url, server)
        finally:
            server.stop()
            run.folders.remove(folder)

    return agog_nats


def agog_nats_noproc(*, url: str | None = None, scope: Scope = "function") -> Callable[..., Any]:
    """A fixture with a NATS system that runs already: at `url`, else where `--agog-nats-url` says."""

    @pytest.fixture(scope=scope)
    def agog_nats(request: pytest.FixtureRequest) -> Nats:
        found = url or run_of(request.config).options.nats_url
        if not found:
            pytest.fail(
                "no NATS address: give agog_nats_noproc(url=…), --agog-nats-url or AGOG_NATS_URL", pytrace=False
            )
        return Nats(found, None)

    return agog_nats


def agog_postgres_proc(*, scope: Scope = "function") -> Callable[..., Any]:
    """A fixture with an own migrated database on the run's embedded Postgres."""

    @pytest.fixture(scope=scope)
    def agog_postgres(request: pytest.FixtureRequest) -> Generator[Postgres]:
        import secrets

        pool = run_of(request.config).postgres()
        name = f"agog_test_{secrets.token_hex(6)}"
        dsn = pool.create(name)
        try:
            yield Postgres(dsn)
        finally:
            pool.drop(name)

    return agog_postgres


def agog_postgres_noproc(*, dsn: str | None = None, scope: Scope = "function") -> Callable[..., Any]:
    """A fixture with an own migrated database on a Postgres that runs already: at `dsn`, else `--agog-postgres-dsn`."""

    @pytest.fixture(scope=scope)
    def agog_postgres(request: pytest.FixtureRequest) -> Generator[Postgres]:
        import secrets

        from pytest_agog.stage.servers.external import ExternalPostgres
        from pytest_agog.stage.servers.pgcache import Template
        from pytest_agog.stage.target.targets import REFERENCE

        found = dsn or run_of(request.config).options.postgres_dsn
        if not found:
            pytest.fail(
                "no Postgres address: give agog_postgres_noproc(dsn=…), --agog-postgres-dsn or AGOG_POSTGRES_DSN",
                pytrace=False,
            )
        server = ExternalPostgres(found, Template(*REFERENCE.template_migrations()))
        made = server.create(f"agog_test_{secrets.token_hex(6)}")
        try:
            yield Postgres(made)
        finally:
            server.drop(made)

    return agog_postgres


def agog_comms_proc(
    *, nats: str = "agog_nats", postgres: str = "agog_postgres", workers: int = 1
) -> Callable[..., Any]:
    """A fixture with agent comms, on the NATS and the Postgres of the fixtures with these names."""

    @pytest.fixture
    def agog_comms(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Service]:
        from pytest_agog.session.components import comms

        addresses = request.getfixturevalue(nats).url, request.getfixturevalue(postgres).dsn
        with comms(*addresses, tmp_path, workers=workers) as service:
            yield service

    return agog_comms


def agog_orchestrator_proc(
    *, nats: str = "agog_nats", postgres: str | None = None, config: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """A fixture with an orchestrator and a host listener, on the NATS of the fixture with this name.

    `config` holds the tables of `agog.toml`, agents among them; they run in pytest's root folder. With `postgres` it
    has a memory.
    """

    @pytest.fixture
    def agog_orchestrator(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Service]:
        from pytest_agog.session.components import orchestrator

        url = request.getfixturevalue(nats).url
        dsn = request.getfixturevalue(postgres).dsn if postgres is not None else None
        with orchestrator(url, tmp_path, config or {}, cwd=request.config.rootpath, dsn=dsn) as service:
            yield service

    return agog_orchestrator
