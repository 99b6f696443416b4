"""`agog up`: the embedded system on one machine, until it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pytest_agog.cli.doors import TokenFile, door, handed_on
from pytest_agog.cli.options import Json
from pytest_agog.cli.serve import TIMES
from pytest_agog.errors import BadInput, UsageError
from pytest_agog.stage.target.parts import Part, PartProcess
from pytest_agog.stage.target.targets import REFERENCE_CREW

if TYPE_CHECKING:
    from pytest_agog.stage.servers.nats import NatsServer
    from pytest_agog.stage.servers.postgres import PostgresServer

PARTS: Final = ("nats", "postgres", "comms", "orchestrator", "listener")
_NEEDS: Final = {"comms": ("nats", "postgres"), "orchestrator": ("nats",), "listener": ("nats",)}
_INSTEAD: Final = {"comms": "serve", "orchestrator": "orchestrate", "listener": "listen"}
"""The command that runs a part against services that run already."""
DATABASE: Final = "agog"
SETTINGS: Final = "agog.toml"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("up")(up)


def up(
    only: Annotated[str, typer.Option("--only", help=f"Parts, with commas: {', '.join(PARTS)}.")] = ",".join(PARTS),
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep data in this folder; without it nothing stays.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where the pages of comms listen.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port",
            help="HTTP port of comms, or of NATS when comms is left out; 0 takes a free one.",
            min=0,
            max=65535,
        ),
    ] = 0,
    nats_port: Annotated[
        int, typer.Option("--nats-port", help="NATS client port; 0 takes a free one.", min=0, max=65535)
    ] = 0,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Settings of orchestrator and listener; agog.toml in this folder, if there is."),
    ] = None,
    roadmap: Annotated[Path | None, typer.Option("--roadmap", help="The roadmap that the orchestrator keeps.")] = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Bring up the whole system on this machine, until Ctrl-C or SIGTERM: NATS with all streams, Postgres with all
    tables, agent comms, orchestrator and host listener.

    Prints one line when everything is ready; with --json {"nats", "monitor", "postgres", "http", "orchestrator"}, null
    for what was not started. `http` is agent comms, or the orchestrator when comms is left out.

    Example: agog up --port 8080 --nats-port 4222 --config agog.toml
    """
    parts = _parts(only)
    door(token_file, None, None, None, "", open_metrics=False)  # what is wrong with it is told before anything starts
    if "comms" not in parts:
        nats_port = nats_port or port
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    wanted = _Wanted(
        parts, data is not None, host, port, nats_port, config, roadmap, handed_on(os.environ, token_file)
    )  # fmt: skip
    with _folder(data) as folder, contextlib.ExitStack() as running:
        _bring_up(wanted, folder, running, stop, as_json=as_json)
        stop.wait()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What `agog up` was told."""

    parts: list[str]
    keep: bool
    """Whether data stays."""
    host: str
    port: int
    nats_port: int
    config: Path | None
    roadmap: Path | None
    doors: Mapping[str, str]
    """Variables of what has pages."""


def _bring_up(
    wanted: _Wanted, folder: Path, running: contextlib.ExitStack, stop: threading.Event, *, as_json: bool
) -> None:
    """All parts, on `running`, one after the other, unless it is told to stop meanwhile.

    Raises:
        ServiceDidNotStart: one did not come up.
        UsageError: a file is not there.
    """
    parts, host, port, doors = wanted.parts, wanted.host, wanted.port, dict(wanted.doors)
    nats = running.enter_context(_nats(folder, wanted.nats_port, keep=wanted.keep)) if "nats" in parts else None
    doors |= {"NATS_MONITOR_URL": nats.monitor_url} if nats is not None else {}
    dsn = running.enter_context(_postgres(folder, keep=wanted.keep)) if "postgres" in parts else None
    http: str | None = None
    if "comms" in parts and nats is not None and dsn is not None and not stop.is_set():
        http = running.enter_context(_comms(folder, nats.url, dsn, host, port, doors))
    board: str | None = None
    if nats is not None and not stop.is_set():
        crew = _Crew(folder, nats.url, dsn, host, wanted.config, wanted.roadmap, doors)
        if "listener" in parts:
            running.enter_context(crew.listener())
        if "orchestrator" in parts:
            board = running.enter_context(crew.orchestrator(0 if http else port))
    if not stop.is_set():
        _say_ready(nats, dsn, http or board, board, as_json=as_json)


def _parts(only: str) -> list[str]:
    parts = [part.strip() for part in only.split(",") if part.strip()]
    strange = [part for part in parts if part not in PARTS]
    if strange or not parts:
        raise UsageError(f"--only {only!r}: expected one or more of {', '.join(PARTS)}, with commas")
    for part, needs in _NEEDS.items():
        if part in parts and not set(needs) <= set(parts):
            raise UsageError(
                f"--only {only!r}: {part} needs {' and '.join(needs)} beside it; `agog {_INSTEAD[part]}` uses services "
                "that run already"
            )
    return parts


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise BadInput(f"--data {data} is no folder to write to ({error.strerror or error}). Give one.") from None
        yield data.absolute()
        return
    from pytest_agog.stage.machine.spawning import SPAWNER

    folder = Path(tempfile.mkdtemp(prefix="agog-up-"))
    SPAWNER.watchdog.add_folder(folder)  # should we be killed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        SPAWNER.watchdog.remove_folder(folder)


@contextlib.contextmanager
def _nats(folder: Path, port: int, *, keep: bool) -> Iterator[NatsServer]:
    """NATS with the contract's streams.

    Raises:
        ServiceDidNotStart: it did not come up.
    """
    import asyncio

    from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
    from pytest_agog.stage.target.targets import REFERENCE

    server = NatsServer(folder / "nats", NatsOptions(port=port, keep_data=keep))
    try:
        server.start()
        asyncio.run(_awaited(REFERENCE.prepare_streams(server.url, 1)))
        yield server
    finally:
        server.stop()


async def _awaited(work: Awaitable[None]) -> None:
    await work


@contextlib.contextmanager
def _postgres(folder: Path, *, keep: bool) -> Iterator[str]:
    """Postgres with a migrated database; yields its address.

    Raises:
        ServiceDidNotStart: it did not come up.
    """
    from pytest_agog.stage.servers.pgcache import Template
    from pytest_agog.stage.servers.postgres import PostgresOptions, PostgresServer
    from pytest_agog.stage.target.targets import REFERENCE

    key, migrate = REFERENCE.template_migrations()
    template = Template(key, migrate)
    server: PostgresServer = PostgresServer(
        folder / "postgres", PostgresOptions(template=template, durable=keep, keep_data=keep)
    )
    try:
        server.start()
        yield _database(server, migrate)
    finally:
        server.stop()


def _database(server: PostgresServer, migrate: Callable[[str], None]) -> str:
    """The address of the one database; kept data may have it already, from an older version perhaps."""
    try:
        return server.create_database(DATABASE)
    except UsageError:
        dsn = server.dsn(DATABASE)
        migrate(dsn)
        return dsn


@contextlib.contextmanager
def _comms(folder: Path, nats_url: str, dsn: str, host: str, port: int, doors: Mapping[str, str]) -> Iterator[str]:
    """Agent comms, with the variables of its `doors`; yields the address of its pages.

    Raises:
        ServiceDidNotStart: it did not come up.
    """
    from pytest_agog.stage.target.components import Component
    from pytest_agog.stage.target.targets import REFERENCE_COMMS

    # A fork server for one process would cost more than it saves.
    part = replace(REFERENCE_COMMS, preload=(), env={**REFERENCE_COMMS.env, **doors, TIMES: "1"})
    component = Component("comms", part, folder / "comms.log", host=host, port=port)
    component.values = {"nats": nats_url, "postgres": dsn, "workers": "1", "instance": "1"}
    with component:
        yield component.url


class _Crew:
    """Orchestrator and host listener of this system."""

    def __init__(
        self, folder: Path, nats: str, dsn: str | None, host: str, config: Path | None, roadmap: Path | None,
        doors: Mapping[str, str],
    ) -> None:  # fmt: skip
        if config is None and Path(SETTINGS).is_file():
            config = Path(SETTINGS)
        for file in (config, roadmap):
            if file is not None and not file.is_file():
                raise UsageError(f"{file} is not there; give the path of a file")
        self._doors = doors
        self._folder = folder
        self._host = host
        self._config = config
        self._roadmap = roadmap
        self._values = {"nats": nats, "postgres": dsn or "", "workers": "1", "instance": "1"}

    @contextlib.contextmanager
    def listener(self) -> Iterator[str]:
        """Raises ServiceDidNotStart."""
        with self._run("listener", REFERENCE_CREW.listener, ("--data", str(self._folder / "listener")), 0) as url:
            yield url

    @contextlib.contextmanager
    def orchestrator(self, port: int) -> Iterator[str]:
        """Yields the address of its board. Raises ServiceDidNotStart."""
        further = ("--roadmap", str(self._roadmap.absolute())) if self._roadmap is not None else ()
        part = REFERENCE_CREW.orchestrator
        assert isinstance(part, PartProcess)
        guarded = replace(part, env={**part.env, **self._doors})
        with self._run("orchestrator", guarded, further, port) as url:
            yield url

    @contextlib.contextmanager
    def _run(self, name: str, part: Part, further: tuple[str, ...], port: int) -> Iterator[str]:
        from pytest_agog.stage.target.component import Component

        assert isinstance(part, PartProcess)
        words = list(part.command)
        place = words.index("--config")
        given = ["--config", str(self._config.absolute())] if self._config is not None else []
        words[place : place + 2] = [*given, *further]
        env = {**part.env, "AGOG_GATE_DIR": str(self._folder / "gate"), TIMES: "1"}
        component = Component(
            name, replace(part, command=tuple(words), env=env, preload=()), self._folder / f"{name}.log",
            host=self._host, port=port,
        )  # fmt: skip
        component.values = dict(self._values)
        with component:
            yield component.url


def _say_ready(nats: NatsServer | None, dsn: str | None, http: str | None, board: str | None, *, as_json: bool) -> None:
    found = {
        "nats": nats.url if nats else None,
        "monitor": nats.monitor_url if nats else None,
        "postgres": dsn,
        "http": http,
        "orchestrator": board,
    }
    if as_json:
        print(json.dumps(found), flush=True)
    else:
        print("ready: " + ", ".join(f"{name} {url}" for name, url in found.items() if url), flush=True)
