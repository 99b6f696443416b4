"""Network connectivity: TCP from here, and from container to container."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from pytest_agog.reference.operations.reporting.containers import ENGINES, EngineSilent, run
from pytest_agog.reference.operations.reporting.model import ContainerSeen, Reached

_PATIENCE: Final = 2.0
_AT_ONCE: Final = 8
MOST_PAIRS: Final = 60
"""Pairs of containers that are tried; a report has to end."""
# Address and port are arguments of the script, never part of its text.
_SCRIPT: Final = (
    "if command -v nc >/dev/null 2>&1; then "
    'if nc -h 2>&1 | grep -q -e -z; then nc -z -w 2 "$1" "$2" >/dev/null 2>&1; '
    # Without -z an open connection stays until `timeout` ends it; one that is refused or not answered ends before.
    'else timeout 4 nc -w 2 "$1" "$2" </dev/null >/dev/null 2>&1; '
    "case $? in 0|124|137|143) true;; *) false;; esac; fi; "
    'elif command -v bash >/dev/null 2>&1; then timeout 2 bash -c \'exec 3<>"/dev/tcp/$0/$1"\' "$1" "$2" 2>/dev/null; '
    "else echo NOTHING-TO-ASK-WITH; fi"
)
_NOTHING: Final = "NOTHING-TO-ASK-WITH"


async def from_here(targets: Iterable[tuple[str, str, int]]) -> list[Reached]:
    """Connect to each of `targets` (what it is called, host, port)."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, host: str, port: int) -> Reached:
        async with gate:
            return await _connect(name, host, port)

    return list(await asyncio.gather(*(one(*target) for target in dict.fromkeys(targets))))


async def _connect(name: str, host: str, port: int) -> Reached:
    where = f"{name} ({host}:{port})"
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Reached("this host", where, well=False, detail=f"no answer within {_PATIENCE:g} s")
    except OSError as error:
        return Reached("this host", where, well=False, detail=_reason(error))
    writer.close()
    return Reached("this host", where, well=True)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error).lower()


def addresses(urls: Iterable[tuple[str, str]], default: int) -> list[tuple[str, str, int]]:
    """Name, host and port of each of `urls` (name and URL)."""
    found = []
    for name, url in urls:
        for part in url.split(","):
            split = urlsplit(part.strip() if "://" in part else f"//{part.strip()}")
            try:
                found.append((name, split.hostname or "127.0.0.1", split.port or default))
            except ValueError:
                continue
    return found


def published(containers: Sequence[ContainerSeen]) -> list[tuple[str, str, int]]:
    """What running containers publish on this host."""
    return [
        (one.name, host, port) for one in containers if one.state == "running" for host, port, _ in one.published
    ]  # fmt: skip


async def between(containers: Sequence[ContainerSeen]) -> list[Reached]:
    """From each running container to the ports of those that share a network with it."""
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    running = [one for one in containers if one.state == "running"]
    pairs = [
        (one, other, port)
        for one in running for other in running for port in other.listens
        if one is not other and set(one.networks) & set(other.networks) - {"bridge", "host", "none"}
    ]  # fmt: skip
    if engine is None or not pairs:
        return []
    gate = asyncio.Semaphore(_AT_ONCE)

    async def try_one(one: ContainerSeen, other: ContainerSeen, port: int) -> Reached:
        async with gate:
            return await _ask(engine, one, other, port)

    done = list(await asyncio.gather(*(try_one(*pair) for pair in pairs[:MOST_PAIRS])))
    if len(pairs) > MOST_PAIRS:
        done.append(Reached("containers", f"{len(pairs) - MOST_PAIRS} further pairs", well=None, detail="not tried"))
    return done


async def _ask(engine: str, one: ContainerSeen, other: ContainerSeen, port: int) -> Reached:
    where = f"{other.name}:{port}"
    try:
        said = await run(
            engine, "exec", one.name, "sh", "-c", _SCRIPT, "sh", other.name, str(port), patience=_PATIENCE * 4
        )
    except EngineSilent as error:
        text = str(error)
        if "executable file not found" in text or "no such file" in text.lower() or "exec failed" in text:
            return Reached(one.name, where, well=None, detail="not tried: it has no shell")
        if port not in {target for _, _, target in other.published}:
            # An image names ports on which its program may or may not listen.
            return Reached(one.name, where, well=None, detail="closed; the image only names this port")
        return Reached(one.name, where, well=False, detail=text if "exit status" not in text else "no connection")
    if _NOTHING in said:
        return Reached(one.name, where, well=None, detail="not tried: it has neither nc nor bash")
    return Reached(one.name, where, well=True)
