"""Containers as the engine's own command line tells of them: `docker` or `podman`, without a shell."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from pytest_agog.masking import mask
from pytest_agog.reference.operations.reporting.model import Containers, ContainerSeen, MountSeen

ENGINES: Final = ("docker", "podman")
_PATIENCE: Final = 15.0
"""Seconds that one call of the engine may take; resource use alone takes two."""
_COMPOSE: Final = "com.docker.compose"
_NO_ENGINE: Final = "neither docker nor podman is installed, so nothing is known of containers"


class EngineSilent(Exception):
    """The engine does not answer; the text says why."""


async def look(project: str | None = None) -> Containers:
    """All containers, running or not; only those of a compose project when one is named."""
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        return Containers(reason=_NO_ENGINE)
    try:
        chosen = ["--filter", f"label={_COMPOSE}.project={project}"] if project else []
        ids = (await run(engine, "ps", "--all", "--quiet", "--no-trunc", *chosen)).split()
        if not ids:
            return Containers(reason=f"{engine} runs no containers{f' of project {project}' if project else ''}")
        inspected = json.loads(await run(engine, "inspect", "--type", "container", *ids))
        used = _used(await run(engine, "stats", "--no-stream", "--no-trunc", "--format", "{{json .}}", *ids))
    except EngineSilent as error:
        return Containers(reason=f"{engine} does not answer: {error}")
    except ValueError:
        return Containers(reason=f"{engine} answers with something that is no JSON")
    return Containers(tuple(sorted((parse(one, used) for one in inspected), key=lambda one: one.name)))


async def run(engine: str, *arguments: str, patience: float = _PATIENCE) -> str:
    """What a call of the engine prints.

    Raises:
        EngineSilent: it fails, or takes too long.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            engine, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError as error:
        raise EngineSilent(error.strerror or str(error)) from None
    try:
        async with asyncio.timeout(patience):
            out, err = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise EngineSilent(f"no answer within {patience:g} s") from None
    if process.returncode:
        text = err.decode("utf-8", "replace").strip().splitlines()
        raise EngineSilent(mask(text[-1] if text else f"exit status {process.returncode}"))
    return out.decode("utf-8", "replace")


def _used(lines: str) -> dict[str, tuple[str, str]]:
    """CPU and memory by container id."""
    found = {}
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                key = str(row.get("ID") or row.get("Container") or row.get("id") or "")
                found[key] = (str(row.get("CPUPerc", "")), str(row.get("MemUsage", "")))
    return found


def parse(one: dict[str, Any], used: dict[str, tuple[str, str]] | None = None) -> ContainerSeen:
    """A container from what `inspect` says."""
    state, settings = one.get("State") or {}, one.get("NetworkSettings") or {}
    config = one.get("Config") or {}
    name = str(one.get("Name", "")).lstrip("/")
    ports = settings.get("Ports") or {}
    cpu, memory = (used or {}).get(str(one.get("Id", "")), ("", ""))
    # What was healthy when it ended says nothing of now.
    health = str((state.get("Health") or {}).get("Status", "")) if state.get("Status") == "running" else ""
    return ContainerSeen(
        name=name,
        image=str(config.get("Image", "")),
        state=str(state.get("Status", "")),
        health=health.replace("none", ""),
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(one.get("RestartCount") or 0),
        networks=tuple(sorted(settings.get("Networks") or {})),
        listens=tuple(
            sorted({number for key in (*ports, *(config.get("ExposedPorts") or {})) if (number := _tcp(key))})
        ),
        published=_published(ports),
        mounts=tuple(_mount(name, mount) for mount in one.get("Mounts") or ()),
        cpu=cpu,
        memory=memory,
        serves=_serves(one),
    )


def _serves(one: dict[str, Any]) -> bool:
    config = one.get("Config") or {}
    policy = str(((one.get("HostConfig") or {}).get("RestartPolicy") or {}).get("Name", ""))
    if policy in ("always", "unless-stopped"):
        return True
    # A job may have the healthcheck of its image; a service of a compose project is there to run.
    labels = config.get("Labels") or {}
    service = f"{_COMPOSE}.service" in labels and str(labels.get(f"{_COMPOSE}.oneoff", "")).lower() != "true"
    probe = ((config.get("Healthcheck") or {}).get("Test") or ["NONE"])[0]
    return service and probe != "NONE"


def _tcp(key: str) -> int:
    number, _, protocol = key.partition("/")
    return int(number) if number.isdigit() and protocol in ("", "tcp") else 0


def _published(ports: dict[str, Any]) -> tuple[tuple[str, int, int], ...]:
    found = set()
    for key, bindings in ports.items():
        for binding in bindings or ():
            number = str(binding.get("HostPort", ""))
            if (target := _tcp(key)) and number.isdigit():
                found.add((_local(str(binding.get("HostIp", ""))), int(number), target))
    return tuple(sorted(found, key=lambda one: one[1:]))


def _local(address: str) -> str:
    """Where a port that listens on `address` is reached from this host."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(address, address)  # noqa: S104 - read only


def _mount(container: str, mount: dict[str, Any]) -> MountSeen:
    kind, source = str(mount.get("Type", "")), str(mount.get("Source", ""))
    problem = ""
    if (
        kind == "bind"
        and not os.environ.get("DOCKER_HOST", "").startswith(("tcp:", "ssh:"))
        and not Path(source).exists()
    ):
        problem = "its source is not there"
    shown = str(mount.get("Name") or source) if kind == "volume" else source
    return MountSeen(container, kind, shown, str(mount.get("Destination", "")), bool(mount.get("RW")), problem)
