"""The container engine of this machine, and containers that never outlive the run. [X4]

Each container, volume and network carries the run's label. A small process holds the end of a pipe; when the harness
dies, however it dies, the pipe ends, and it removes what carries that label. So no further image is needed for it:
testcontainers' own reaper stays off.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal as signals
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.errors import ServiceDidNotStart
from pytest_agog.stage.machine.reservation import HOST, ReservedPort

if TYPE_CHECKING:
    from docker.models.containers import Container
    from testcontainers.core.container import DockerContainer

LABEL: Final = "pytest-agog.run"
RUN: Final = secrets.token_hex(8)
"""Value of the label: this process's containers."""
REMEDY: Final = (
    "install a container engine and start it (Debian: apt-get install docker.io iptables; dockerd), install "
    "testcontainers (pip install 'pytest-agog[containers]'), or leave --agog-backend=container out"
)
_REACHED_IN: Final = 5
_ENDED_IN: Final = 10
_STEP: Final = 0.02

_REAPER = r"""
import signal, sys, time
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
sys.stdin.buffer.read()
import docker
mine = {"label": sys.argv[1]}
deadline = time.monotonic() + 20
client = docker.from_env(timeout=20)
# What was being created when the harness died appears a moment later.
while True:
    found = client.containers.list(all=True, filters=mine, ignore_removed=True)
    for one in found:
        try:
            one.remove(force=True, v=True)
        except docker.errors.APIError:
            pass
    for one in client.networks.list(filters=mine):
        try:
            one.remove()
        except docker.errors.APIError:
            pass
    if time.monotonic() > deadline or (not found and time.monotonic() > deadline - 18):
        break
    time.sleep(0.2)
"""


class Reaper:
    """The harness's end of the pipe; its process starts with the first container."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        """See that containers of this run are removed should the harness die."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _REAPER, f"{LABEL}={RUN}"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd="/",
                )
                atexit.register(self.close)

    def close(self) -> None:
        """Everything was removed by who made it: the process has nothing left to do."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


REAPER: Final = Reaper()


def missing() -> str:
    """What lacks for containers, with the remedy; empty when nothing does."""
    try:
        import docker
        import testcontainers.core.container  # noqa: F401
        from docker.constants import DEFAULT_UNIX_SOCKET
    except ImportError as error:
        return f"the package {error.name} is missing; {REMEDY}"
    try:
        _knock(os.environ.get("DOCKER_HOST") or DEFAULT_UNIX_SOCKET)
        client = docker.from_env(timeout=_REACHED_IN)
        try:
            client.ping()
        finally:
            client.close()
    except Exception as error:  # the client raises what its transport raises
        reason = " ".join(str(error).split())[:160]
        return f"no container engine answers ({reason}); {REMEDY}"
    return ""


def _knock(address: str) -> None:
    """Raise what connecting to the engine's socket does: the client itself drops, unclosed, one that nobody serves."""
    path = address.partition("unix://")[2]
    if path:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_REACHED_IN)
            try:
                connection.connect(f"/{path.lstrip('/')}")
            except OSError as error:
                raise ConnectionError(f"{address}: {error.strerror or error}") from error


def container(
    image: str,
    command: Sequence[str],
    ports: Mapping[int, ReservedPort],
    *,
    environment: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    folders: Sequence[Path] = (),
    network: Any = None,
    alias: str = "",
) -> DockerContainer:
    """A container of this run, not started. Ports are published on 127.0.0.1; folders are mounted where they are."""
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True
    REAPER.watch()
    made = DockerContainer(image)
    made.with_command(list(command)).with_envs(**(environment or {}))
    published: dict[str, Any] = {f"{inside}/tcp": (HOST, port.number) for inside, port in ports.items()}
    made.ports.update(published)
    for path, content in (files or {}).items():
        made.with_copy_into_container(content, path, 0o600)
    for folder in folders:
        made.with_volume_mapping(str(folder), str(folder), "ro")
    if network is not None:
        made.with_network(network).with_network_aliases(alias)
    # The client would otherwise wait for ten seconds at the end of what we kill anyway.
    made.with_kwargs(labels={LABEL: RUN})
    return made


class Running:
    """A started container, with what a server's process is asked elsewhere (`processes.ManagedProcess`)."""

    def __init__(self, made: DockerContainer, service: str) -> None:
        """Create and start it.

        Raises:
            ServiceDidNotStart: the engine refused, or has no such image and cannot get it.
        """
        self._made = made
        try:
            made.start()
        except Exception as error:
            with contextlib.suppress(Exception):
                made.stop()
            raise _refused(service, made.image, error) from error
        self._container: Container = made.get_wrapped_container()
        self._service = service

    @property
    def name(self) -> str:
        """As the engine calls it."""
        return str(self._container.name)

    @property
    def pid(self) -> int:
        """Of its first process, as this machine counts; 0 when it does not run."""
        self._container.reload()
        return int(self._container.attrs["State"]["Pid"])

    @property
    def alive(self) -> bool:
        """Whether it runs (a paused one does)."""
        self._container.reload()
        return self._container.status in ("running", "paused")

    def again(self) -> None:
        """Start it again, with its data and ports.

        Raises:
            ServiceDidNotStart: the engine refused.
        """
        try:
            self._container.start()
        except Exception as error:
            raise _refused(self._service, self._made.image, error) from error

    def kill_group(self, number: int) -> None:
        """Send a signal; STOP and CONT pause and resume it whole."""
        from docker.errors import APIError

        # One that ended meanwhile, or is in that state already, takes none.
        with contextlib.suppress(APIError):
            if number == signals.SIGSTOP:
                self._container.pause()
            elif number == signals.SIGCONT:
                self._container.unpause()
            else:
                self._container.kill(signals.Signals(number).name)

    def await_stopped(self) -> None:
        """It is paused when `kill_group` returns."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status once it ended; None when it still runs after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.alive:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(_STEP)
        return int(self._container.attrs["State"]["ExitCode"])

    def stop(self, grace: float = _ENDED_IN, first: int = signals.SIGTERM) -> int:
        """Send `first`, wait, then kill. The container stays with its data."""
        self._container.reload()
        if self._container.status == "paused":
            self.kill_group(signals.SIGCONT)
        self.kill_group(first)
        code = self.wait(grace)
        if code is None:
            self.kill_group(signals.SIGKILL)
            code = self.wait(grace)
        return -1 if code is None else code

    def log(self, lines: int) -> str:
        """The last lines it wrote."""
        try:
            return self._container.logs(tail=lines).decode("utf-8", "replace").rstrip()
        except Exception:  # the engine went away: there is no log to be had
            return ""

    def remove(self) -> None:
        """End it and remove it with its data; one that is gone is no error."""
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            self._made.stop(force=True, delete_volume=True)


def image(variable: str, default: str) -> str:
    """The image that the environment names, else `default`."""
    return os.environ.get(variable) or default


def _refused(service: str, name: str, error: Exception) -> ServiceDidNotStart:
    reason = " ".join(str(getattr(error, "explanation", None) or error).split())
    return ServiceDidNotStart(
        service=f"{service} (image {name})",
        reason=f"the container engine refused: {reason[:300]}",
        remedy=f"See that `docker run {name}` works here: pull the image, or name another one with AGOG_NATS_IMAGE or "
        "AGOG_POSTGRES_IMAGE.",
    )
