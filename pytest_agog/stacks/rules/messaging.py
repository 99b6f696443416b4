"""NATS with JetStream, and the database of the agents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import images, kinds
from pytest_agog.stacks.model import Said, Service, Stack
from pytest_agog.stacks.mounting import covers
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.words import repository

_TAKES_VALUE: Final = frozenset({
    "a", "addr", "net", "p", "port", "n", "name", "server_name", "P", "pid", "m", "http_port", "ms",
    "https_port", "c", "config", "sl", "signal", "client_advertise", "ports_file_dir", "l", "log", "r",
    "remote_syslog", "log_size_limit", "max_traced_msg_len", "sd", "store_dir", "user", "pass", "auth",
    "tlscert", "tlskey", "tlscacert", "routes", "cluster", "cluster_name", "cluster_advertise",
    "connect_retries", "cluster_listen", "profile", "http_base_path",
})  # fmt: skip
_SWITCHES: Final = frozenset({
    "t", "T", "logtime", "logtime_utc", "s", "syslog", "D", "debug", "V", "trace", "VV", "DV", "DVV", "js",
    "jetstream", "tls", "tlsverify", "h", "help", "v", "version", "help_tls", "no_advertise",
})  # fmt: skip
_MONITORED: Final = "8222"
_MONITOR: Final = re.compile(r":8222\b|/healthz\b|/varz\b")


class Flags:
    """The command line of a nats-server, as Go's flag package reads it."""

    def __init__(self, service: Service) -> None:
        self.values: dict[str, str] = {}
        self.unknown: list[str] = []
        arguments = [*service.entrypoint, *service.command]
        pending = [word for word in arguments if word.rpartition("/")[2] != "nats-server"]
        # Through a shell, or through a wrapper: not ours to read.
        self.readable = not any(word.rpartition("/")[2] in ("sh", "bash", "-c/bin/sh") for word in arguments)
        self.none = not arguments
        while pending:
            word = pending.pop(0)
            if not word.startswith("-") or word == "-":
                continue
            name, equals, value = word.lstrip("-").partition("=")
            if name in _SWITCHES:
                self.values[name] = value or "true"
            elif name in _TAKES_VALUE:
                self.values[name] = value if equals else (pending.pop(0) if pending else "")
            else:
                self.unknown.append(word)

    def get(self, *names: str) -> str:
        """The value of the first of `names` that is given; empty without one."""
        return next((self.values[name] for name in names if name in self.values), "")


def _servers(stack: Stack) -> Iterator[tuple[Service, Flags]]:
    for service in stack.services.values():
        if service.image is None or service.build is not None or service.inherits:
            continue
        if repository(service.image.text)[0] == "nats":
            flags = Flags(service)
            if flags.readable:
                yield service, flags


def _place(service: Service) -> Said:
    return service.command_said or Said("", service.line, service.file)


def _jetstream(stack: Stack) -> Iterator[Remark]:
    if stack.kind != "agents":
        return
    for service, flags in _servers(stack):
        if flags.get("js", "jetstream", "sd", "store_dir") in ("", "false") and not flags.get("c", "config"):
            yield at(_place(service), f"service {service.name} runs NATS without JetStream", 'Start it with "-js".')


def _store(stack: Stack) -> Iterator[Remark]:
    strict = stack.kind == "agents"
    for service, flags in _servers(stack):
        if flags.get("c", "config") or flags.get("js", "jetstream", "sd", "store_dir") in ("", "false"):
            continue
        store = flags.get("sd", "store_dir")
        if not store:
            if not any(covers(mount, _DEFAULT_STORE) for mount in service.mounts):
                yield _not_kept(service, strict=strict)
        elif not any(
            covers(mount, store) or mount.target.startswith(f"{store.rstrip('/')}/") for mount in service.mounts
        ):
            yield at(
                _place(service), f"service {service.name} keeps its streams in {store}, where no volume is mounted",
                f"Mount a named volume at {store}.",
            )  # fmt: skip


_DEFAULT_STORE: Final = "/tmp/nats/jetstream"  # noqa: S108 - where NATS keeps streams unless told
_NO_STREAMS: Final = ("/etc/", "/config", "/conf", "/certs", "/nats-server.conf", "/tls", "/run/", "/var/run/")


def _not_kept(service: Service, *, strict: bool) -> Remark:
    """Streams in the container: worse where a volume is mounted for them, which stays empty."""
    meant = next(
        (one.target for one in service.mounts if one.type == "volume" and not one.target.startswith(_NO_STREAMS)), ""
    )
    text = f"service {service.name} keeps its streams in the container, where they are lost"
    if meant:
        text += f"; the volume at {meant} stays empty"
    remedy = f'Add "-sd", "{meant}".' if meant else 'Add "-sd", "/data" and a volume at /data.'
    return at(_place(service), text, remedy, "finding" if strict or meant else "note")


def _flags(stack: Stack) -> Iterator[Remark]:
    for service, flags in _servers(stack):
        for word in flags.unknown:
            yield at(
                _place(service), f"service {service.name}: nats-server has no flag {word}, and does not start with it",
                "Remove it; most settings belong into a configuration file (-c).",
            )  # fmt: skip
        for name in _PORTS:
            value = flags.values.get(name, "")
            if value.isdigit() and int(value) > _LARGEST:
                yield at(
                    _place(service), f"service {service.name}: -{name} names a port, and {value} is none",
                    f"Take a port from 1 to {_LARGEST}; limits belong into a configuration file (-c).",
                )  # fmt: skip


_PORTS: Final = ("p", "port", "m", "http_port", "ms", "https_port")
_LARGEST: Final = 65535


def _monitoring(stack: Stack) -> Iterator[Remark]:
    for service, flags in _servers(stack):
        # Without any command the image's own configuration opens 8222.
        if flags.none or flags.get("c", "config") or flags.get("m", "http_port", "ms", "https_port"):
            continue
        check = service.healthcheck
        if check is not None and _MONITOR.search(" ".join(check.words)):
            yield at(
                check.said, f"service {service.name}: the healthcheck asks the monitoring port, which is not open",
                'Start NATS with "-m", "8222".',
            )  # fmt: skip
        elif any(port.target == _MONITORED for port in service.ports):
            yield at(
                next(port.said for port in service.ports if port.target == _MONITORED),
                f"service {service.name} publishes its monitoring port, which is not open",
                'Start NATS with "-m", "8222".', "note",
            )  # fmt: skip
        elif stack.kind == "agents" and stack.sure:
            yield at(
                _place(service), f"service {service.name} has no monitoring port",
                'Start NATS with "-m", "8222".', "note",
            )  # fmt: skip


def _vector(stack: Stack) -> Iterator[Remark]:
    if stack.kind is None or not stack.sure:
        return
    for service in stack.services.values():
        if service.image is None or service.build is not None:
            continue
        repo = repository(service.image.text)[0]
        if repo in images.POSTGRES and repo not in images.WITH_VECTOR and repo == "postgres":
            yield at(
                service.image, f"service {service.name} runs {service.image.text}, which has no pgvector",
                "Take pgvector/pgvector:pg16.", "finding" if kinds_need_vector(stack) else "note",
            )  # fmt: skip


def kinds_need_vector(stack: Stack) -> bool:
    """Whether the stack keeps embeddings: the agents' memory does."""
    return stack.kind == "agents" and kinds.uses_agent_tools(stack)


RULES: Final = (
    Rule("jetstream-off", "Agents hand over by streams, and without JetStream there are none.", each(_jetstream)),
    Rule(
        "jetstream-store", "Streams that are kept in the container only are lost when it is created anew.", each(_store)
    ),
    Rule("nats-flag", "nats-server ends at once when a flag is not its own.", each(_flags)),
    Rule("nats-monitoring", "What asks the monitoring port finds it closed.", each(_monitoring)),
    Rule("pgvector-missing", "The agents' memory searches by vectors, which plain Postgres cannot.", each(_vector)),
)
