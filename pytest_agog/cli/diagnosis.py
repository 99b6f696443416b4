"""What `agog doctor` looks at, each thing a finding with its remedy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pytest_agog.errors import AgogError, ServiceError
from pytest_agog.masking import mask
from pytest_agog.values import format_size, plural
from pytest_agog.wire.streams import MAX_MESSAGE, STATE_BUCKET, STREAMS

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.connecting import Link

PORTS: Final = {4222: "NATS", 8222: "NATS monitoring", 4223: "NATS of compose.yaml", 8223: "its monitoring"}
"""Default ports on this host."""
_ENGINES: Final = ("docker", "podman")
_HEADERS: Final = 1024
"""Bytes of headers that a 10 MB message may bring along."""
_SILENT: Final = 5
"""Seconds without a word after which a server of a cluster counts as away."""
_ENGINE_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    outcome: Literal["ok", "failed", "unreachable", "note"]
    found: str
    remedy: str = ""


async def diagnose(nats_url: str, nats_creds: Path | None, postgres_dsn: str | None) -> list[Finding]:
    """Everything, side by side; in the order in which it is read."""
    nats, postgres, engine = await asyncio.gather(
        _nats(nats_url, nats_creds), asyncio.to_thread(_postgres, postgres_dsn), _container_engine()
    )
    return [*nats, *postgres, *_ports(nats_url), engine]


async def _nats(url: str, creds: Path | None) -> list[Finding]:
    from pytest_agog.reference.deliverables.connecting import connect

    try:
        link = await connect(url, creds=creds)
    except AgogError as error:
        return [_failure("nats", error)]
    try:
        return await _jetstream(link)
    finally:
        await link.close()


async def _jetstream(link: Link) -> list[Finding]:
    from pytest_agog.reference.deliverables import jetstream

    version = link.nc.connected_server_version
    findings = [
        Finding("nats", "ok", f"{link.url} answers (nats-server {version.major}.{version.minor}.{version.patch})")
    ]
    limit = link.nc.max_payload
    if limit >= MAX_MESSAGE + _HEADERS:
        findings.append(
            Finding("max_payload", "ok", f"{format_size(limit)} takes the streams' {format_size(MAX_MESSAGE)}")
        )
    else:
        found = f"the server takes {limit} bytes, headers included; the streams promise messages of {MAX_MESSAGE}"
        findings.append(
            Finding("max_payload", "failed", found, "Set max_payload: 12000000 in the server's configuration.")
        )
    try:
        await jetstream.call(link, "INFO")
    except jetstream.Refusal as refusal:
        return [*findings, _failure("jetstream", refusal.as_error("account info", url=link.url))]
    except AgogError as error:
        return [*findings, _failure("jetstream", error)]
    findings.append(Finding("jetstream", "ok", "enabled"))
    try:
        return [*findings, *await _streams(link), await _state(link)]
    except AgogError as error:
        return [*findings, _failure("streams", error)]


async def _streams(link: Link) -> list[Finding]:
    from pytest_agog.reference.deliverables.streams import init_streams

    replicas = link.copies(None)
    findings = []
    for outcome in await init_streams(link, check=True, replicas=replicas):
        wrong = [str(difference) for difference in outcome.differences] + ([outcome.reason] if outcome.reason else [])
        for consumer in outcome.consumers:
            texts = [*map(str, consumer.differences), *([consumer.reason] if consumer.reason else [])]
            wrong += [f"consumer {consumer.name}: {text}" for text in texts]
        if wrong:
            absent = wrong == ["absent"] or all(text.endswith("absent") for text in wrong)
            copies = f" --replicas {replicas}" if any("num_replicas" in text for text in wrong) else ""
            change = f"Change it with `agog init-streams --update{copies}`."
            remedy = "Create it with `agog init-streams`." if absent else change
            findings.append(Finding(f"stream {outcome.name}", "failed", "; ".join(wrong), remedy))
    sound = [Finding("streams", "ok", f"all {len(STREAMS)} and their consumers are as defined")]
    return [*(findings or sound), *await _copies(link)]


async def _copies(link: Link) -> list[Finding]:
    """Servers of a cluster that are away while others still serve what they held."""
    from pytest_agog.reference.deliverables import jetstream

    away: dict[str, list[str]] = {}
    try:
        infos = await jetstream.list_all(link, "STREAM.LIST", "streams", needed=()) if link.clustered else []
    except jetstream.Refusal as refusal:
        return [Finding("copies", "note", f"not looked at: {refusal}")]
    for info in infos:
        for replica in (info.get("cluster") or {}).get("replicas") or ():
            silent = not replica.get("current") and int(replica.get("active") or 0) > _SILENT * 10**9
            if silent or replica.get("offline"):
                away.setdefault(str(replica["name"]), []).append(str(info["config"]["name"]))
    return [
        Finding(
            f"server {server}", "note", f"is not heard of, with copies of {plural(len(streams), 'stream')}",
            "Start it again before another one goes.",
        )
        for server, streams in sorted(away.items())
    ]  # fmt: skip


async def _state(link: Link) -> Finding:
    """The orchestrator's bucket. [O21]"""
    from pytest_agog.reference.deliverables import jetstream

    try:
        info = await jetstream.call(link, f"STREAM.INFO.KV_{STATE_BUCKET}")
    except jetstream.Refusal as refusal:
        if refusal.err_code in jetstream.NOT_FOUND:
            return Finding("state", "note", f"no bucket {STATE_BUCKET}", "The orchestrator makes it when it starts.")
        return _failure("state", refusal.as_error(f"the bucket {STATE_BUCKET}", url=link.url))
    keys = int((info.get("state") or {}).get("num_subjects", 0))
    return Finding("state", "ok", f"the bucket {STATE_BUCKET} holds {keys} {'key' if keys == 1 else 'keys'}")


def _postgres(dsn: str | None) -> list[Finding]:
    if dsn is None:
        return [Finding("postgres", "note", "not looked at", "Give --postgres-dsn or DATABASE_URL to look at yours.")]
    from pytest_agog.reference.comms.migrating import pending

    try:
        missing = pending(dsn)
    except AgogError as error:
        return [_failure("postgres", error)]
    findings = [Finding("postgres", "ok", f"{mask(dsn)} answers")]
    if missing:
        found = f"{', '.join(missing)} not applied"
        remedy = "The comms service applies them when it starts."
        return [*findings, Finding("migrations", "failed", found, remedy), _memory(dsn)]
    return [*findings, Finding("migrations", "ok", "up to date"), _memory(dsn)]


def _memory(dsn: str) -> Finding:
    """The orchestrator's memory: a schema that it makes itself, and can do without. [O20]"""
    from pytest_agog.reference.comms.migrating import migrations, pending
    from pytest_agog.reference.orchestrator.memory.database import SCHEMA, SERIES

    try:
        missing = pending(dsn, SERIES)
    except AgogError as error:
        return _failure("memory", error)
    if not missing:
        return Finding("memory", "ok", f"the schema {SCHEMA} is up to date")
    found = f"no schema {SCHEMA}" if len(missing) == len(migrations(SERIES)) else f"{', '.join(missing)} not applied"
    return Finding("memory", "note", found, "The orchestrator makes it when it starts with --postgres-dsn.")


def _ports(nats_url: str) -> list[Finding]:
    taken = {port: name for port, name in PORTS.items() if f":{port}" not in nats_url and not _free(port)}
    if not taken:
        return [Finding("ports", "ok", f"{', '.join(map(str, PORTS))} are free or serve this NATS")]
    listed = ", ".join(f"{port} ({name})" for port, name in taken.items())
    return [
        Finding("ports", "note", f"in use: {listed}", "Only what starts servers on default ports minds; choose others.")
    ]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port whose last connection is only winding down counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _container_engine() -> Finding:
    remedy = "Only scenarios and targets in containers need one: install docker or podman and start it."
    names = [name for name in _ENGINES if shutil.which(name)]
    if not names:
        return Finding("containers", "note", "neither docker nor podman is installed", remedy)
    process = await asyncio.create_subprocess_exec(
        names[0], "info", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(_ENGINE_PATIENCE):
            code = await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        code = -1
    if code == 0:
        return Finding("containers", "ok", f"{names[0]} answers")
    return Finding("containers", "note", f"{names[0]} is installed but its engine does not answer", remedy)


def _failure(check: str, error: AgogError) -> Finding:
    """The error's own message names cause and remedy."""
    return Finding(check, "unreachable" if isinstance(error, ServiceError) else "failed", str(error))
