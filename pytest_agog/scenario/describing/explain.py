"""What the words of a scenario mean: said from the models, for `agog explain` and the reference page."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pytest_agog import values
from pytest_agog.errors import UnknownWord
from pytest_agog.scenario import model
from pytest_agog.scenario.describing.meanings import meanings
from pytest_agog.scenario.vocabulary import Vocabulary
from pytest_agog.scenario.words import did_you_mean, listed

FORMAT: Final = "format"
_NAMED: Final[list[tuple[Any, str]]] = [
    (values.Duration, "duration"), (values.Size, "size"), (values.Share, "percentage"), (values.Number, "number"),
    (values.DataFile, "path of a file"), (values.Where, "mapping of dotted paths to patterns"), (model.Name, "name"),
]  # fmt: skip
_PLAIN: Final[dict[Any, str]] = {
    str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any value",
    values.Bound: "n", values.Pattern: "value or pattern", type(None): "",
}  # fmt: skip


@dataclass(frozen=True)
class Argument:
    """One key: its type in words, whether it must be given, its default as YAML, and what it means."""

    name: str
    type: str
    required: bool
    default: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """A mapping and its keys."""

    title: str
    says: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Explanation:
    """Everything about one word."""

    kind: Literal["check", "step", "format"]
    name: str
    says: str
    sections: tuple[Section, ...]
    """Its own keys first, then those of the mappings in them."""
    example: str = ""
    kills: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "kind": self.kind, "name": self.name, "says": self.says, "example": self.example, "kills": list(self.kills),
            "sections": [
                {"title": s.title, "says": s.says, "arguments": [vars(a) for a in s.arguments]} for s in self.sections
            ],
        }  # fmt: skip


def explain(word: str, vocabulary: Vocabulary) -> Explanation:
    """What `word` means: a check, a step, or `format` for the file as a whole.

    Raises:
        UnknownWord: it is none of these.
    """
    if word == FORMAT:
        return explain_format()
    if (check := vocabulary.checks.get(word)) is not None:
        sections = tuple(_sections(check.arguments, "Arguments"))
        return Explanation("check", word, check.claims, sections, check.example.strip("\n"), tuple(check.kills))
    if (step := vocabulary.steps.get(word)) is not None:
        sections = tuple(_sections(step.arguments, "Arguments"))
        return Explanation("step", word, _first_paragraph(step.arguments), sections, step.example.strip("\n"))
    known = [*vocabulary.checks, *vocabulary.steps, FORMAT]
    raise UnknownWord(
        name=word,
        near=did_you_mean(word, known) or ".",
        checks=listed(vocabulary.checks),
        steps=listed(vocabulary.steps),
    )


def explain_format() -> Explanation:
    """The keys of a scenario file, and of what stands in them."""
    sections = tuple(_sections(model.ScenarioModel, "Scenario"))
    return Explanation("format", FORMAT, _first_paragraph(model.ScenarioModel), sections)


def _sections(kind: type[BaseModel], title: str) -> Iterator[Section]:
    """`kind` and every model inside it, each once."""
    waiting: list[tuple[type[BaseModel], str]] = [(kind, title)]
    seen: set[type[BaseModel]] = {values.Bound, values.Pattern}
    while waiting:
        current, name = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        yield Section(name, _first_paragraph(current), tuple(arguments(current)))
        for key, field in current.model_fields.items():
            waiting.extend((inner, f"{field.alias or key}") for inner in _models_in(field.annotation))


def arguments(kind: type[BaseModel]) -> Iterator[Argument]:
    """The keys of a model."""
    said = meanings(kind)
    for name, field in kind.model_fields.items():
        annotation = field.rebuild_annotation()
        yield Argument(
            field.alias or name,
            type_in_words(annotation),
            field.is_required(),
            _default(field, annotation),
            " ".join(said.get(name, "").split()),
        )


def _default(field: FieldInfo, annotation: Any) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required() or value in (PydanticUndefined, None, "", (), [], {}):
        return ""
    if isinstance(value, values.Bound):
        return str(value)
    if isinstance(value, BaseModel):
        return ""
    words = type_in_words(annotation)
    if "duration" in words and isinstance(value, (int, float)):
        return values.format_duration(value)
    if "size" in words and isinstance(value, int):
        return values.format_size(value).replace(" ", "")
    if words == "percentage" and isinstance(value, float):
        return f"{value * 100:g}%"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _narrows(annotation: Any, known: Any) -> bool:
    """Whether a type is a `known` annotated one with further limits."""
    parts = get_args(known)
    return get_origin(annotation) is get_origin(known) is Annotated and get_args(annotation)[: len(parts)] == parts


def type_in_words(annotation: Any) -> str:
    """A type as a person would say it: `duration`, `list of text`, `file or memory`."""
    for known, words in _NAMED:
        if annotation == known or _narrows(annotation, known):
            return words
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_in_words(inner[0])
    if origin is Literal:
        return " or ".join(json.dumps(option) if not isinstance(option, str) else option for option in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words for part in inner if (words := type_in_words(part))))
    if origin in (list, set, frozenset) or (origin is tuple and inner[-1:] == (Ellipsis,)):
        return f"list of {type_in_words(inner[0])}"
    if origin is tuple:
        return f"[{', '.join(map(type_in_words, inner))}]"
    if origin is dict:
        return "mapping" if inner[1] is Any else f"mapping to {type_in_words(inner[1])}"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "mapping"
    return str(getattr(annotation, "__name__", annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _first_paragraph(kind: type[BaseModel]) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n", 1)[0].split())


def as_text(explanation: Explanation) -> str:
    """For a terminal."""
    lines = [f"{explanation.kind} {explanation.name}" if explanation.kind != FORMAT else "scenario format"]
    lines += [f"  {explanation.says}"]
    for section in explanation.sections:
        lines += ["", f"{section.title}:" + (f"  {section.says}" if section is not explanation.sections[0] else "")]
        width = max((len(argument.name) for argument in section.arguments), default=0)
        for argument in section.arguments:
            notes = "required" if argument.required else f"default {argument.default}" if argument.default else ""
            kind = f"{argument.type}, {notes}" if notes else argument.type
            lines.append(f"  {argument.name.ljust(width)}  {kind}")
            if argument.meaning:
                lines.append(f"  {' ' * width}  {argument.meaning}")
        if not section.arguments:
            lines.append("  none")
    if explanation.kind == "check":
        lines += ["", "Every claim also takes within, holds_for and kills (`agog explain format`)."]
    if explanation.example:
        lines += ["", "Example:", *(f"  {line}" for line in explanation.example.splitlines())]
    if explanation.kills:
        lines += ["", f"Faults that it rejects: {', '.join(explanation.kills)}"]
    return "\n".join(lines) + "\n"


def overview(vocabulary: Vocabulary) -> str:
    """All words with one line each."""
    width = max(map(len, [*vocabulary.checks, *vocabulary.steps, FORMAT]))
    lines = ["Steps:"]
    lines += [f"  {verb.ljust(width)}  {_first_paragraph(step.arguments)}" for verb, step in vocabulary.steps.items()]
    lines += ["", "Checks:"]
    lines += [f"  {name.ljust(width)}  {check.claims}" for name, check in vocabulary.checks.items()]
    lines += ["", f"  {FORMAT.ljust(width)}  the keys of a scenario file", "", "More: agog explain WORD"]
    return "\n".join(lines) + "\n"
