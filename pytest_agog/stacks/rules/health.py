"""Healthchecks that work, and starting in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_agog.stacks import commands, images, kinds
from pytest_agog.stacks.images import Known
from pytest_agog.stacks.interpolation import is_open
from pytest_agog.stacks.model import Dependency, Healthcheck, Service, Severity, Stack
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.words import repository, words

_BY_BASH: Final = re.compile(r"\bbash\s+-\w*c\b")
_ONCE_WORDS: Final = frozenset({
    "migrate", "migrations", "migration", "migrator", "init", "initializer", "setup", "seed", "seeder",
    "flyway", "liquibase", "bootstrap", "provision", "createbuckets", "loader", "pull", "puller", "permissions",
    "prepare", "installer",
})  # fmt: skip
_INSTALLS: Final = re.compile(r"\b(apk\s+(--\S+\s+)*add|apt(-get)?\s+(-\S+\s+)*install|dnf\s+install|yum\s+install)\b")
_HEALTHY: Final = "service_healthy"
_COMPLETED: Final = "service_completed_successfully"


def known(service: Service) -> Known | None:
    """What is known of the image that a service runs; nothing of one that is built."""
    if service.image is None or service.build is not None:
        return None
    return images.look_up(service.image.text)


def _tools(stack: Stack) -> Iterator[Remark]:
    for service in stack.services.values():
        check, image = service.healthcheck, known(service)
        if check is None or image is None or service.image is None or is_open(" ".join(check.words[:1])):
            continue
        if _INSTALLS.search(service.ran):
            continue
        if why := _lacking(check, image, service.image.text):
            yield at(check.said, f"service {service.name}: {why}, so it never becomes healthy", image.instead)


def _lacking(check: Healthcheck, image: Known, name: str) -> str:
    if check.form not in ("exec", "shell") or commands.mistaken_shell(check):
        return ""
    shell = commands.shell(check)
    if shell and not image.has_shell:
        return f"{name} has no shell, which this healthcheck needs"
    if shell and not image.holds(shell):
        return f"the healthcheck runs {shell}, which {name} does not contain"
    if "/dev/tcp/" in " ".join(check.words) and shell.rpartition("/")[2] == "sh" and not image.sh_is_bash:
        text = commands.script(check) or ""
        if not _BY_BASH.search(text):
            return f"/dev/tcp is a word of bash, and the shell of {name} is not bash"
    missing = []
    for alternative in commands.alternatives(check):
        absent = next((program for program in alternative if not image.holds(program)), None)
        if absent is None:
            return ""
        missing.append(absent)
    if not missing:
        return ""
    return f"the healthcheck calls {' or '.join(dict.fromkeys(missing))}, which {name} does not contain"


def _forms(stack: Stack) -> Iterator[Remark]:
    for service in stack.services.values():
        check = service.healthcheck
        if check is None:
            continue
        if check.form == "wrong":
            first = check.words[0] if check.words else "nothing"
            yield at(
                check.said,
                f"service {service.name}: a healthcheck as a list begins with CMD, CMD-SHELL or NONE, not {first!r}",
                'Write test: ["CMD", …], or one text for the shell.',
            )
        elif why := commands.mistaken_shell(check):
            yield at(
                check.said,
                f"service {service.name}: {why}",
                'Write test: ["CMD-SHELL", "…"], or separate the arguments.',
            )


def _cannot_fail(stack: Stack) -> Iterator[Remark]:
    for service in stack.services.values():
        check = service.healthcheck
        if check is None or check.form not in ("exec", "shell"):
            continue
        if why := commands.cannot_fail(check):
            yield at(
                check.said,
                f"service {service.name}: this healthcheck cannot fail: {why}",
                "Ask the service something that only a working one answers.",
                "note",
            )


def _dependents(stack: Stack) -> Iterator[tuple[Service, Dependency, Service]]:
    for service in stack.services.values():
        for dependency in service.depends_on:
            if (target := stack.services.get(dependency.name)) is not None:
                yield service, dependency, target


def is_server(service: Service) -> bool:
    """Whether it is a server of which clients have to wait until it answers."""
    return service.image is not None and service.build is None and _repo(service) in images.SERVERS


def runs_once(service: Service) -> bool:
    """Whether it does something and ends, such as a migration."""
    if service.image is not None and _repo(service) in images.ONCE:
        return True
    return (service.restart in ("no", "on-failure") and bool(set(words(service.name)) & _ONCE_WORDS)) or (
        not service.restart and not service.ports and bool(set(words(service.name)) & _ONCE_WORDS)
    )


def _repo(service: Service) -> str:
    return repository(service.image.text)[0] if service.image is not None else ""


def _tests(service: Service) -> bool:
    return service.healthcheck is not None and service.healthcheck.form != "none"


def _missing(stack: Stack) -> Iterator[Remark]:
    for remark in _untested(stack):
        yield replace(remark, severity="note") if kinds.is_swarm(stack) else remark


def _untested(stack: Stack) -> Iterator[Remark]:
    needed: dict[str, tuple[Service, Dependency, Service]] = {}
    for service, dependency, target in _dependents(stack):
        # Who waits for health tells most about what is missing, and who only looks on tells least.
        before = needed.get(target.name)
        if before is None or dependency.condition == _HEALTHY or _watched_elsewhere(before[0]):
            needed[target.name] = (service, dependency, target)
    for service, dependency, target in needed.values():
        if _tests(target) or target.inherits or dependency.condition == _COMPLETED or runs_once(target):
            continue
        severity = _without_test(stack, dependency, target)
        if severity is None:
            continue
        if _watched_elsewhere(service) and dependency.condition != _HEALTHY:
            severity = "note"
        text = f"service {target.name} has no healthcheck, and {service.name} depends on it"
        remedy = "Give it a healthcheck that asks whether it answers."
        if target.healthcheck is not None:
            yield at(target.healthcheck.said, f"{text} (it is disabled)", remedy, severity)
        else:
            yield Remark(target.file, target.line, text, remedy, severity)


def _without_test(stack: Stack, dependency: Dependency, target: Service) -> Severity | None:
    """How much it matters that a service has no healthcheck; None when its image may well bring one."""
    if is_server(target) or target.healthcheck is not None:
        return "finding"
    if known(target) is not None:
        return "finding" if dependency.condition == _HEALTHY else "note"
    return "note" if stack.kind is not None and stack.sure and target.build is not None else None


def _waiting(stack: Stack) -> Iterator[Remark]:
    swarm = kinds.is_swarm(stack)
    for remark in _unmet(stack):
        yield replace(remark, remedy=_IN_SWARM, severity="note") if swarm else remark


_IN_SWARM: Final = "docker stack deploy ignores depends_on, so let the service try again until the other answers."


def _unmet(stack: Stack) -> Iterator[Remark]:
    for service, dependency, target in _dependents(stack):
        if dependency.condition in (_HEALTHY, _COMPLETED) or target.inherits:
            if dependency.condition == _HEALTHY and runs_once(target) and not _tests(target):
                yield at(
                    dependency.said,
                    f"service {service.name} waits until {target.name} is healthy, but that one ends",
                    f"Write condition: {_COMPLETED}.",
                )
            continue
        if runs_once(target) or (runs_once(service) and not is_server(target)):
            yield from _after_one_shot(service, dependency, target)
            continue
        strict = stack.kind is not None and stack.sure
        # Who writes service_started has thought of it, which is enough for what is no server.
        server = is_server(target) or strict or (_tests(target) and not dependency.condition)
        yield at(
            dependency.said,
            f"service {service.name} starts when {target.name} has started, not when it answers",
            f"{_first(target)}rite depends_on: {target.name}: condition: {_HEALTHY}.",
            "finding" if server and not _watched_elsewhere(service) else "note",
        )


def _first(target: Service) -> str:
    """What comes before the condition: compose ends when a service that never tells of its health is waited for."""
    if _tests(target):
        return "W"
    where = ", here or in its image," if target.build is not None else ""
    return f"Give {target.name} a healthcheck{where} and w"


def _watched_elsewhere(service: Service) -> bool:
    """Tools that people look into databases with, and exporters, connect when somebody asks them to."""
    if _repo(service).rpartition("/")[2] == "open-webui":
        return False  # people talk to the models through it, so it is what the models are there for
    return bool(set(words(service.name)) & _LOOKING) or _repo(service).rpartition("/")[2] in _LOOKERS


_LOOKING: Final = frozenset(
    {
        "adminer",
        "pgadmin",
        "phpmyadmin",
        "commander",
        "pgweb",
        "kibana",
        "grafana",
        "webui",
        "dashboard",
        "exporter",
        "nui",
    }
)
_LOOKERS: Final = frozenset({
    "adminer", "pgadmin4", "phpmyadmin", "phpmyadmin/phpmyadmin", "redis-commander", "mongo-express", "grafana",
    "kafka-ui", "redisinsight", "akhq", "pgweb", "dozzle", "portainer-ce", "metabase", "nats-box", "nui",
    "prometheus-nats-exporter", "nats-surveyor", "console",
})  # fmt: skip


def _after_one_shot(service: Service, dependency: Dependency, target: Service) -> Iterator[Remark]:
    if runs_once(target):
        yield at(
            dependency.said,
            f"service {service.name} starts beside {target.name}, not after it has ended",
            f"Write condition: {_COMPLETED}.",
            "note",
        )


RULES: Final = (
    Rule(
        "healthcheck-tool",
        "A healthcheck that calls what the image does not contain fails for ever, and what waits for it never starts.",
        each(_tools),
    ),
    Rule("healthcheck-form", "A test in the wrong form is refused, or runs something else than meant.", each(_forms)),
    Rule(
        "healthcheck-cannot-fail",
        "A healthcheck that always succeeds says healthy of a service that does not answer.",
        each(_cannot_fail),
    ),
    Rule(
        "healthcheck-missing",
        "Others wait for this service, and nobody can know when it answers.",
        each(_missing),
    ),
    Rule(
        "depends-on-healthy",
        "Waiting for the start only lets a service meet a database that does not answer yet.",
        each(_waiting),
    ),
)  # fmt: skip
