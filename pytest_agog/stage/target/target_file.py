"""A target file: which parts of the system under test come from where. `agog_target: 1`"""

from __future__ import annotations

from collections.abc import Mapping as MappingABC
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pytest_agog.errors import InvalidToken
from pytest_agog.scenario import shape
from pytest_agog.scenario.data_files import DataRoots
from pytest_agog.scenario.model import Name, Word
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Entry, Mapping, Scalar, locate, plain
from pytest_agog.scenario.reading.sharing import read_tree
from pytest_agog.scenario.reading.source import Place, Unreadable, read
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.stage.target.parts import VARIABLES, CrewParts, Part, PartElsewhere, PartProcess, unknown_variables
from pytest_agog.stage.target.targets import REFERENCE, PrepareStreams, Target, prepare_streams
from pytest_agog.values import Strict
from pytest_agog.wire import subjects
from pytest_agog.wire.naming import CONSUMER, EVENTS, STREAM, WireNames
from pytest_agog.wire.tables import AGENT_MESSAGES

COMPONENTS: Final = ("deliverables", "comms", "orchestrator", "listener")
_REMEDY: Final = "leave it out or write `reference`"
_REMEDIES: Final = {
    "comms": "`reference`, `{process: …}` or `{external: true, url: …}`",
    "orchestrator": "`reference`, `{process: …}` or `{external: true}`, with `url: …` where it has a page",
    "listener": "`reference`, `{process: …}` or `{external: true}`",
}


def _subject(value: str) -> str:
    try:
        for token in value.split("."):
            subjects.token(token)
    except InvalidToken as error:
        raise ValueError(str(error)) from None
    return value


def _words(value: str) -> str:
    if unknown := unknown_variables(value):
        raise ValueError(f"unknown variable ${{{unknown[0]}}}; there are {', '.join(VARIABLES)}")
    return value


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("expected a URL that begins with http:// or https://")
    return value.rstrip("/")


def _column(value: str) -> str:
    if value not in AGENT_MESSAGES.types():
        raise ValueError(f"expected a column of {AGENT_MESSAGES.qualified}: {', '.join(AGENT_MESSAGES.types())}")
    return value


Filled = Annotated[Word, AfterValidator(_words)]
"""Text in which `${nats}`, `${postgres}`, `${url}`, `${host}`, `${port}`, `${workers}`, `${instance}` are replaced, and
`${config}` for orchestrator and listener: the settings of the play, a JSON file with the tables of an `agog.toml`."""
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
NatsName = Annotated[str, StringConstraints(pattern=r"^[^\s.*>/\\\x00]{1,255}$")]


class ReadyModel(Strict):
    """When a process is ready."""

    http: Filled | None = None
    """When this URL answers with a status of 200 to 299."""
    prints: Annotated[Filled, Field(min_length=1)] | None = None
    """When it has printed a line that contains this."""

    @model_validator(mode="after")
    def _one_kind(self) -> ReadyModel:
        if (self.http is None) == (self.prints is None):
            raise ValueError("give one of http and prints")
        return self


class ProcessModel(Strict):
    """A command that the harness starts, once for each instance."""

    command: Annotated[tuple[Filled, ...], Field(min_length=1)]
    """Its words; it is started without a shell. `python` and `agog` are the harness's own."""
    ready: ReadyModel = ReadyModel(http="${url}/readyz")
    """When it is ready."""
    env: dict[str, Filled] = Field(default_factory=dict)
    """Further environment variables."""
    cwd: str | None = None
    """Its folder, relative to the target file; the target file's own otherwise."""


class WireModel(Strict):
    """How the system calls what the contract has names for."""

    prefix: Annotated[str, AfterValidator(_subject)] = WireNames().prefix
    """What its subjects begin with."""
    stream: NatsName = STREAM
    """Its stream."""
    consumer: NatsName = CONSUMER
    """Its durable consumer."""
    table: Identifier = AGENT_MESSAGES.qualified
    """Its table, with the schema."""
    columns: dict[Annotated[str, AfterValidator(_column)], Identifier] = Field(default_factory=dict)
    """The contract's columns and its own, where they differ."""
    events: Annotated[str, StringConstraints(pattern="^/")] = EVENTS
    """The path of its events API."""


class CommsModel(Strict):
    """Agent comms of another system."""

    process: ProcessModel | None = None
    """The harness starts and stops it."""
    external: Literal[True] | None = None
    """It runs already."""
    url: Annotated[str, AfterValidator(_url)] | None = None
    """Where an external one is."""
    wire: WireModel = WireModel()
    """How it calls things."""

    @model_validator(mode="after")
    def _one_kind(self) -> CommsModel:
        if (self.process is None) == (self.external is None):
            raise ValueError("give one of process and external")
        if (self.external is None) != (self.url is None):
            raise ValueError("`external: true` and `url` belong together")
        return self


class CrewModel(Strict):
    """Orchestrator or host listener of another system."""

    process: ProcessModel | None = None
    """The harness starts and stops it."""
    external: Literal[True] | None = None
    """It runs already."""
    url: Annotated[str, AfterValidator(_url)] | None = None
    """Where an external orchestrator's pages and metrics are."""

    @model_validator(mode="after")
    def _one_kind(self) -> CrewModel:
        if (self.process is None) == (self.external is None):
            raise ValueError("give one of process and external")
        if self.external is None and self.url is not None:
            raise ValueError("`url` belongs to `external: true`")
        return self


class TargetModel(Strict):
    """A target file."""

    agog_target: Literal[1]
    """Version of the format."""
    name: Name
    """Stands in reports."""
    components: dict[str, Any] = Field(default_factory=dict)
    """Where each part comes from; the reference system where nothing is said."""


def read_target(path: Path) -> Target:
    """The target that the file at `path` describes. Deliverables are the reference system's in this version.

    Raises:
        ScenarioErrors: the file is wrong, or wants what this version cannot do; all errors at once.
    """
    problems = Problems()
    tree = _tree(path, problems)
    found = shape.validate(TargetModel, plain(tree), tree, problems)
    components = tree.entries.get("components")
    read: dict[str, CommsModel | CrewModel] = {}
    if components is not None and isinstance(components.value, Mapping):
        for name, entry in components.value.entries.items():
            if name in _REMEDIES and isinstance(entry.value, Mapping):
                kind: type[CommsModel] | type[CrewModel] = CommsModel if name == "comms" else CrewModel
                model = shape.validate(kind, plain(entry.value), entry.value, problems, shape.Named(name, entry.key))
                _check_folder(model, entry, path, problems)
                if model is not None:
                    read[name] = model
            else:
                _check_component(name, entry, problems)
    problems.raise_if_any()
    assert found is not None
    return _target(found.name, read, path)


def _target(name: str, read: MappingABC[str, CommsModel | CrewModel], path: Path) -> Target:
    comms = read.get("comms")
    names = WireNames(**dict(comms.wire)) if isinstance(comms, CommsModel) else REFERENCE.names
    return Target(
        name=name,
        prepare_streams=cast(PrepareStreams, partial(prepare_streams, names=names)),
        template_migrations=REFERENCE.template_migrations,
        deliverables=REFERENCE.deliverables,
        comms=_part(read.get("comms"), REFERENCE.comms, path),
        crew=CrewParts(
            _part(read.get("orchestrator"), REFERENCE.crew.orchestrator, path),
            _part(read.get("listener"), REFERENCE.crew.listener, path),
        ),
        names=names,
    )


def _part(model: CommsModel | CrewModel | None, reference: Part, path: Path) -> Part:
    if model is None:
        return reference
    process = model.process
    if process is None:
        return PartElsewhere(model.url or "")
    folder = path.absolute().parent
    return PartProcess(
        process.command, process.ready.http or "", process.env, folder / process.cwd if process.cwd else folder,
        process.ready.prints,
    )  # fmt: skip


def _tree(path: Path, problems: Problems) -> Mapping:
    try:
        source = read(path)
    except Unreadable as error:
        problems.fatal(error.place, error.message, error.hint)
    tree = read_tree(source, DataRoots(source.path.parent), problems)
    if not isinstance(tree, Mapping):
        place = tree.place if tree is not None else Place(source, 0, 0)
        problems.fatal(place, "a target is a mapping", "it begins with `agog_target: 1`")
    return tree


def _check_folder(model: CommsModel | CrewModel | None, entry: Entry, path: Path, problems: Problems) -> None:
    if model is None or model.process is None or model.process.cwd is None:
        return
    if not (path.absolute().parent / model.process.cwd).is_dir():
        place = locate(entry.value, ("process", "cwd")).place
        problems.add(place, f"there is no folder {shown(model.process.cwd)}", "it is relative to the target file")


def _check_component(name: str, entry: Entry, problems: Problems) -> None:
    if name not in COMPONENTS:
        hint = f"there are {listed(COMPONENTS)}"
        problems.add(entry.key, f"unknown component {shown(name)}{did_you_mean(name, COMPONENTS)}", hint)
    elif not isinstance(entry.value, Scalar) or entry.value.value != "reference":
        if name in _REMEDIES:
            problems.add(entry.value.place, f"this is no way to describe {name}", _REMEDIES[name])
        else:
            problems.add(entry.value.place, f"this version plays the reference system's {name} and no other", _REMEDY)
