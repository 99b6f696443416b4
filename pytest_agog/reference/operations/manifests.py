"""Manifests from files to what they ask for: streams and consumers, each with the place where it stands. [C12]"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from pytest_agog.errors import BadInput, ManifestsWrong
from pytest_agog.reference.operations import documents, nack
from pytest_agog.reference.operations.documents import Document

_LISTS: Final = ("List", "StreamList", "ConsumerList")
_OTHERS: Final = {"Kustomization", "Component"}
"""Kinds that stand beside manifests and tell a tool how to put them together."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream, or a consumer of one, as a manifest asks for it."""

    kind: str
    """`Stream` or `Consumer`."""
    stream: str
    name: str
    """The consumer's; of a stream, its own."""
    config: dict[str, Any]
    """As JetStream's API takes it."""
    resource: str
    """What Kubernetes calls it, `namespace/name`."""
    place: str
    """`file:line`."""
    prevent_update: bool = False
    notes: tuple[str, ...] = ()
    """What is doubtful in it."""

    @property
    def label(self) -> str:
        """`stream agent-comms`, `consumer agent-comms.jangar-agent-comms`."""
        return f"stream {self.name}" if self.kind == "Stream" else f"consumer {self.stream}.{self.name}"


@dataclass(frozen=True, slots=True)
class Manifests:
    """What the files ask for."""

    streams: tuple[Wanted, ...]
    consumers: tuple[Wanted, ...]
    skipped: tuple[str, ...] = ()
    """Objects of other kinds, each with its place: they are left to Kubernetes."""
    notes: tuple[str, ...] = ()
    """What is doubtful in them, each with its place."""


def load(paths: Sequence[Path], *, replicas: int | None = None) -> Manifests:
    """What stands in `paths`. `replicas` takes the place of what the manifests say, for a server that runs alone.

    Raises:
        BadInput: a file cannot be read, or holds a wrong manifest; all problems are named, each with file and line.
    """
    problems: list[str] = []
    skipped: list[str] = []
    found: list[Wanted] = []
    for path in documents.files(paths):
        for document in documents.read(path):
            for each in _objects(document):
                found += _read(each, problems, skipped)
    problems += _clashes(found)
    if problems:
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise ManifestsWrong(problems="; ".join(problems[:10]) + more)
    if not found:
        named = ", ".join(map(str, paths))
        raise BadInput(f"{named} holds no Stream and no Consumer of {nack.API_VERSION}. Give manifests with -f.")
    if replicas is not None:
        found = [_replicated(each, replicas) for each in found]
    return Manifests(
        tuple(each for each in found if each.kind == "Stream"),
        tuple(each for each in found if each.kind == "Consumer"),
        tuple(skipped),
        tuple(f"{each.place}: {each.label}: {note}" for each in found for note in each.notes),
    )


def _objects(document: Document) -> Iterator[Document]:
    """A `List` is what `kubectl get -o yaml` writes: its items are the objects."""
    value = document.value
    if not (isinstance(value, dict) and value.get("kind") in _LISTS and isinstance(value.get("items"), list)):
        yield document
        return
    for index, item in enumerate(value["items"]):
        below = {at[2:]: line for at, line in document.lines.items() if at[:2] == ("items", index)}
        yield Document(document.path, below.get((), document.line), item, below)


def _read(document: Document, problems: list[str], skipped: list[str]) -> list[Wanted]:
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        problems.append(f"{document.at(())}: no Kubernetes object, since it has no kind")
        return []
    kind, version = value["kind"], str(value.get("apiVersion", ""))
    if not version.startswith(nack.GROUP):
        if kind in nack.KINDS and kind not in _OTHERS:
            problems.append(f"{document.at(('apiVersion',))}: apiVersion {version!r}; write {nack.API_VERSION}")
        elif kind not in _OTHERS:
            skipped.append(f"{document.at(('kind',))}: {kind} is left to Kubernetes")
        return []
    model = nack.KINDS.get(kind)
    if model is None:
        skipped.append(f"{document.at(('kind',))}: {kind} is left to NACK")
        return []
    try:
        manifest = model.model_validate(value)
    except ValidationError as error:
        problems += [_told(document, model, dict(each)) for each in error.errors()]
        return []
    spec, meta = manifest.spec, manifest.metadata
    resource = f"{meta.namespace}/{meta.name}"
    place = document.at(("kind",))
    stream, name = (
        (spec.name, spec.name) if isinstance(spec, nack.StreamSpec) else (spec.stream_name, spec.durable_name)
    )
    return [Wanted(kind, stream, name, spec.config(), resource, place, spec.prevent_update, tuple(spec.notes))]


def _told(document: Document, model: type[Any], error: dict[str, Any]) -> str:
    location = [part for part in error["loc"] if not str(part).startswith(("function-", "constrained-"))]
    name = ".".join(map(str, location)) or str(model.__name__)
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _fields(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, 1)
        message = "unknown field" + (f", did you mean {near[0]}?" if near else f"; {nack.API_VERSION} has no such")
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] == "literal_error":
        message = f"{error['input']!r} is none of {error['ctx']['expected']}"
    elif not isinstance(error["input"], dict):
        message = f"{str(error['input'])[:60]!r}: {message}"
    return f"{document.at(location)}: {name}: {message}"


def _fields(model: type[Any], location: Sequence[Any]) -> list[str]:
    """The names that may stand at `location`."""
    for part in location:
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        kind = field.annotation if field is not None else None
        if not (isinstance(kind, type) and hasattr(kind, "model_fields")):
            return []
        model = kind
    return [field.alias or name for name, field in model.model_fields.items()]


def _clashes(found: Sequence[Wanted]) -> Iterator[str]:
    seen: dict[str, Wanted] = {}
    for each in found:
        if (first := seen.setdefault(each.label, each)) is not each:
            yield f"{each.place}: {each.label} is asked for a second time, first at {first.place}"


def _replicated(wanted: Wanted, replicas: int) -> Wanted:
    config = dict(wanted.config)
    if wanted.kind == "Stream" or "num_replicas" in config:
        config["num_replicas"] = replicas
    return replace(wanted, config=config)
