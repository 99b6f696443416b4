"""A compose file as the rules see it: services with what matters of them, short and long forms made one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pytest_agog.stacks.tree import Mapping

Kind = Literal["app", "agents"]
Severity = Literal["finding", "note"]


@dataclass(frozen=True, slots=True)
class Said:
    """A text of the file, resolved by its defaults, with its place."""

    text: str
    line: int
    file: str
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """What one entry under `ports` publishes on the host."""

    said: Said
    first: int | None
    """First host port; None when the engine chooses, or the environment does."""
    last: int | None
    protocol: str
    host: str
    """The address on the host; empty for all of them."""
    target: str
    """Port or range in the container."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry under `volumes` of a service."""

    said: Said
    type: Literal["bind", "volume", "tmpfs", "other"]
    source: str
    """A path, a volume's name, or nothing for an anonymous volume."""
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Dependency:
    """A service that another waits for."""

    name: str
    condition: str
    """Empty in the short form, which waits for the start only."""
    said: Said
    required: bool = True


@dataclass(frozen=True, slots=True)
class Variable:
    """One entry of `environment`. `value` is None when it comes from the caller's environment."""

    name: str
    value: str | None
    said: Said


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """The test of a service's health."""

    said: Said
    form: Literal["shell", "exec", "none", "wrong"]
    words: tuple[str, ...]
    """For `exec` program and arguments; for `shell` one text."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service, in the stack in which it stands."""

    name: str
    line: int
    file: str
    node: Mapping
    image: Said | None = None
    build: Said | None = None
    """The build's context; empty text when it has none."""
    dockerfile: str = ""
    container_name: Said | None = None
    command: tuple[str, ...] = ()
    command_said: Said | None = None
    entrypoint: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    depends_on: tuple[Dependency, ...] = ()
    environment: tuple[Variable, ...] = ()
    healthcheck: Healthcheck | None = None
    networks: tuple[Said, ...] = ()
    network_mode: str = ""
    profiles: tuple[str, ...] = ()
    restart: str = ""
    working_dir: str = ""
    watches: bool = False
    """It has `develop: watch:`."""
    inherits: bool = False
    """Parts of it stand in a file that was not given."""

    def variable(self, name: str) -> Variable | None:
        """The entry `name` of its environment."""
        return next((one for one in self.environment if one.name == name), None)

    @property
    def ran(self) -> str:
        """Entrypoint and command on one line."""
        return " ".join((*self.entrypoint, *self.command))


@dataclass(frozen=True, slots=True)
class Resource:
    """A volume or network that a stack declares."""

    name: str
    said: Said
    called: str = ""
    """Its name outside the stack, where one is given."""
    external: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """One file, or several that are read on top of each other."""

    file: str
    files: tuple[str, ...]
    roots: tuple[tuple[str, Mapping], ...]
    name: str = ""
    """`name:` of the project; empty when the folder gives it."""
    services: dict[str, Service] = field(default_factory=dict)
    volumes: dict[str, Resource] = field(default_factory=dict)
    networks: dict[str, Resource] = field(default_factory=dict)
    legacy: bool = False
    """Services stand at the top level, as they did before `services:`."""
    partial: bool = False
    """Parts stand in files that were not given: `include`, `extends`, or an override without its base."""
    kind: Kind | None = None
    """What the rules of two stacks take it for; None for an ordinary file."""
    sure: bool = False
    """Whether more than the file's name says so; rules of taste are findings only then."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say of one line."""

    file: str
    line: int
    rule: str
    severity: Severity
    text: str
    remedy: str

    @property
    def one_line(self) -> str:
        """`file:line: rule: text. remedy`."""
        note = " (note)" if self.severity == "note" else ""
        return f"{self.file}:{self.line}: {self.rule}{note}: {self.text}. {self.remedy}"
