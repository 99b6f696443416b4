"""What the typed models say of a file's data, as problems at their places in words that name the remedy."""

from __future__ import annotations

import types
from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from typing import Annotated, Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_agog.scenario.model import ScenarioModel
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Located, Node, locate
from pytest_agog.scenario.reading.places import Path_
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.words import did_you_mean, listed, nearest, shown
from pytest_agog.values import Strict

M = TypeVar("M", bound=Strict)

_EXPECTED: Final = {
    "string_type": "text", "int_type": "a whole number", "bool_type": "true or false", "float_type": "a number",
    "list_type": "a list", "tuple_type": "a list", "set_type": "a list", "dict_type": "a mapping",
    "model_type": "a mapping", "model_attributes_type": "a mapping", "none_required": "nothing (null)",
    "int_from_float": "a whole number", "mapping_type": "a mapping",
}  # fmt: skip
_LIMITS: Final = {
    "greater_than_equal": ("at least", "ge"), "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"), "less_than": ("less than", "lt"),
}  # fmt: skip
_PATTERNS: Final = {
    "^/": "expected a path that begins with /",
    "^https?://": "expected a URL that begins with http:// or https://",
}
_HOW_TO_BEGIN: Final = {
    "agog": "a scenario begins with `agog: 1`",
    "name": "`name: customer-search` names it on the command line and in reports",
}
A_BLOCK: Final = "a bare > or | begins text over several lines in YAML; put it in quotes"
_QUOTE: Final = "put it in quotes"
_LONGEST_AS_LIST: Final = 60
_NAME_PATTERN: Final = "^[A-Za-z0-9][A-Za-z0-9_-]*$"


def quietly(model: type[M], data: Any) -> M | None:
    """`data` as a `model`, or None: for rules about parts of a file whose faults are told elsewhere."""
    try:
        return model.model_validate(data)
    except Exception:
        return None


class Named(NamedTuple):
    """What is validated, in words ("check message", "step chain"), and the key that stands for all of it."""

    what: str
    at: Place


def validate(model: type[M], data: Any, node: Node, problems: Problems, named: Named | None = None) -> M | None:
    """`data`, which is `node` as plain data, as a `model`; with every problem noted when it is none.

    Then what comes back holds the fields that are right, so that rules about them can be checked all the same, or it is
    None when a field is missing.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        _report(model, error, node, problems, named)
        wrong = {str(one["loc"][0]) for one in error.errors(include_url=False) if one["loc"]}
        if isinstance(data, dict) and wrong:
            return quietly(model, {key: value for key, value in data.items() if key not in wrong})
    except Exception as error:
        problems.add(node.place, f"{model.__name__} could not read this: {type(error).__name__}: {shown(str(error))}")
    return None


def _report(
    model: type[BaseModel], error: ValidationError, node: Node, problems: Problems, named: Named | None
) -> None:
    errors: list[Any] = error.errors(include_url=False, include_context=True)
    for one in _without_other_branches(errors, node):
        found = locate(node, one["loc"])
        if not problems.is_spoilt(found.place) and not _is_only_short_of_wrong_ones(one):
            _note(model, one, found, problems, named)


def _is_only_short_of_wrong_ones(error: Any) -> bool:
    """pydantic calls a list too short when its items are wrong; those are told already."""
    return error["type"] == "too_short" and bool(len(error["input"]) >= error["ctx"]["min_length"])


def _without_other_branches(errors: list[Any], node: Node) -> Iterable[Any]:
    """pydantic reports every branch of a union; keep the branch that was meant, or one error for all."""
    grouped: dict[Path_, list[Any]] = {}
    for error in errors:
        grouped.setdefault(_union_at(error, node), []).append(error)
    for where, group in grouped.items():
        if where == _NO_UNION:
            yield from group
            continue
        depth = len(where)
        branches: dict[Any, list[Any]] = {}
        for error in group:
            branches.setdefault(error["loc"][depth], []).append(error)
        meant = [branch for branch in branches.values() if not _is_other_kind(branch, depth)]
        if len(meant) == 1:
            yield from meant[0]
        else:
            yield {**group[0], "type": "union", "loc": where, "ctx": {"branches": meant or list(branches.values())}}


_NO_UNION: Final[Path_] = ("\0",)


def _union_at(error: Any, node: Node) -> Path_:
    """The path of the union in which an error lies: pydantic puts the branch's name after it, which no tree has."""
    loc: Path_ = error["loc"]
    for index, step in enumerate(loc):
        if len(locate(node, loc[: index + 1]).path) == index + 1:
            continue
        missing = error["type"] == "missing" and index == len(loc) - 1
        return _NO_UNION if missing or step == "[key]" else loc[:index]
    return _NO_UNION


def _is_model(step: Any) -> bool:
    """Branches that are models are named after their class, as no key of ours is."""
    return isinstance(step, str) and step[:1].isupper() and step.isidentifier()


def _is_other_kind(branch: list[Any], depth: int) -> bool:
    """Whether a branch failed at once because the value is of another kind."""
    return all(len(error["loc"]) == depth + 1 and error["type"] in _EXPECTED for error in branch)


def _note(model: type[BaseModel], error: Any, found: Located, problems: Problems, named: Named | None) -> None:
    kind: str = error["type"]
    loc: Path_ = error["loc"]
    if kind == "extra_forbidden":
        key = str(loc[-1])
        allowed = _keys_of(model, loc[:-1])
        if model is ScenarioModel and len(loc) == 1:
            allowed.append("extends")  # gone before the model sees the file
        place = found.key if found.key is not None and found.path[-1:] == loc[-1:] else found.place
        problems.add(
            place,
            f"unknown key {shown(key)}{did_you_mean(key, allowed)}",
            f"allowed: {listed(allowed)}" if allowed else "it takes no keys",
        )
    elif kind == "missing" and isinstance(loc[-1], int):
        problems.add(found.place, f"expected {loc[-1] + 1} values, not {loc[-1]}")
    elif kind == "missing":
        _note_missing(model, loc, found, problems, named)
    else:
        place = found.key if loc and loc[-1] == "[key]" and found.key is not None else found.place
        if named is not None and not loc and kind == "value_error":
            place = named.at  # about several keys together
        message, hint = _words(error)
        if model is ScenarioModel and loc == ("agog",):
            hint = "1 is the version of the format that this installation reads"
        if place.is_block and isinstance(error["input"], str):
            hint = A_BLOCK
        if hint == _QUOTE and "${" in place.source.text[place.start : place.end]:
            hint = "as a whole value ${name} keeps its type; put the variable's value in quotes"
        problems.add(place, message, hint)


def _where(loc: Path_) -> str:
    named = [step for step in loc if isinstance(step, str) and not _is_model(step)]
    return f" in {'an entry of ' if isinstance(loc[-1], int) else ''}{named[-1]!r}" if named else ""


def _note_missing(model: type[BaseModel], loc: Path_, found: Located, problems: Problems, named: Named | None) -> None:
    place, keys = found.key or found.place, _keys_of(model, loc[:-1])
    hint = f"what stands here takes: {listed(keys)}" if keys else ""
    if named is not None and len(loc) == 1:
        place, hint = named.at, f"{named.what} takes: {listed(keys)}"
    elif model is ScenarioModel and len(loc) == 1:
        hint = _HOW_TO_BEGIN[str(loc[0])]
    problems.add(place, f"{str(loc[-1])!r} is missing{_where(loc[:-1])}", hint)


def _words(error: Any) -> tuple[str, str]:
    """Message and hint for one of pydantic's errors."""
    kind: str = error["type"]
    value = error["input"]
    context: MappingABC[str, Any] = error.get("ctx", {})
    if kind == "union":
        return _union_words(context["branches"], value)
    if kind in _EXPECTED:
        hint = _QUOTE if kind == "string_type" and isinstance(value, (int, float)) else ""
        if _EXPECTED[kind] == "a list" and isinstance(value, str) and 0 < len(value) <= _LONGEST_AS_LIST:
            hint = f"in brackets: [{', '.join(value.split())}]"
        return f"expected {_EXPECTED[kind]}, not {shown(value)}", hint
    if kind in {"literal_error", "enum"}:
        options = _options(context)
        message = f"expected {_alternatives(options)}, not {shown(value)}"
        if value in options and isinstance(value, str):
            return message, "without quotes"
        near = nearest(value, options) if isinstance(value, str) else None
        return message + (f"; did you mean {near!r}?" if near else ""), ""
    if kind in _LIMITS:
        word, key = _LIMITS[kind]
        return f"must be {word} {context[key]}, not {shown(value)}", ""
    if kind in {"too_short", "string_too_short"}:
        return f"must not be empty (at least {context['min_length']})", ""
    if kind in {"too_long", "string_too_long"}:
        units = "characters" if kind == "string_too_long" else "entries"
        return f"too long: at most {context['max_length']} {units}", ""
    if kind == "string_pattern_mismatch":
        return _pattern_words(context, value)
    if kind == "value_error":
        told = str(context.get("error", error["msg"])).removeprefix("Value error, ")
        return (f"{told}, not {shown(value)}" if told.startswith("expected") else told), ""
    told = str(error["msg"])
    return f"{told[:1].lower()}{told[1:]}, not {shown(value)}", ""


def _pattern_words(context: MappingABC[str, Any], value: Any) -> tuple[str, str]:
    if isinstance(value, str) and "${" in value:
        return f"{shown(value)}: names and ids are never substituted", "write it out"
    if context["pattern"] == _NAME_PATTERN:
        return (
            f"{shown(value)} is no name",
            "a name has letters, digits, - and _, and begins with a letter or digit",
        )
    if context["pattern"] in _PATTERNS:
        return f"{_PATTERNS[context['pattern']]}, not {shown(value)}", ""
    return f"{shown(value)} does not match {context['pattern']}", ""


def _options(context: MappingABC[str, Any]) -> list[str]:
    """The allowed values, out of pydantic's `'a', 'b' or 'c'`."""
    text = str(context.get("expected", "")).replace(" or ", ", ")
    return [part.strip().strip("'") for part in text.split(", ") if part.strip()]


def _alternatives(options: list[str]) -> str:
    words = ["false" if o == "False" else "true" if o == "True" else o for o in options]
    return (
        " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else (words[0] if words else "another value")
    )


def _union_words(branches: list[list[Any]], value: Any) -> tuple[str, str]:
    """One message for a value that fits no branch."""
    wanted: list[str] = []
    for branch in branches:
        error = branch[0]
        kind = error["type"]
        if kind == "none_required":
            continue
        if kind in _EXPECTED:
            wanted.append(_EXPECTED[kind])
        elif kind == "literal_error":
            wanted.extend(_options(error.get("ctx", {})))
        else:
            wanted.append(_words(error)[0].removeprefix("expected ").split(", not ")[0])
    return f"expected {' or '.join(dict.fromkeys(wanted))}, not {shown(value)}", ""


def _keys_of(model: type[BaseModel], loc: Path_) -> list[str]:
    """The keys that the models at `loc` below `model` allow."""
    kinds: list[Any] = [model]
    for step in loc:
        named = [kind for kind in _models(kinds) if kind.__name__ == step]
        kinds = named or [inner for kind in kinds for inner in _below(kind, step)] or kinds
    keys = [field.alias or name for kind in _models(kinds) for name, field in kind.model_fields.items()]
    return list(dict.fromkeys(keys))


def _models(kinds: Iterable[Any]) -> list[type[BaseModel]]:
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _below(kind: Any, step: str | int) -> list[Any]:
    """The types that a value at `step` of a `kind` may have, unions and annotations taken apart."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = [f for name, f in kind.model_fields.items() if step in (name, f.alias)]
        return [part for f in fields for part in _parts(f.annotation)]
    if get_origin(kind) in (list, tuple, dict, set, frozenset) or isinstance(get_origin(kind), type):
        arguments = [part for part in get_args(kind) if part is not Ellipsis]
        return _parts(arguments[-1]) if arguments else []
    return []


def _parts(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin is Union or origin is types.UnionType:
        return [part for argument in get_args(annotation) for part in _parts(argument)]
    return [annotation]
