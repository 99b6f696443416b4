"""The format as JSON Schema (2020-12), for editors and for anyone who writes scenarios with a program.

Made from the same models that read scenarios. Wherever the reader takes a value, the schema also takes `${name}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from pytest_agog.scenario import model
from pytest_agog.scenario.describing.meanings import WithMeanings
from pytest_agog.scenario.vocabulary import Vocabulary
from pytest_agog.values import Bound, Pattern

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE: Final = {"$ref": "#/$defs/Variable"}
_LIMITS_OF_TEXT: Final = frozenset({"pattern", "minLength", "maxLength", "enum", "const", "format"})
_LITERAL: Final = frozenset({"enum", "const"})

Json = dict[str, Any]


def schema(vocabulary: Vocabulary) -> Json:
    """The JSON Schema of scenario files that use the words of `vocabulary`."""
    checks = {name: check.arguments for name, check in vocabulary.checks.items()}
    steps = {verb: step.arguments for verb, step in vocabulary.steps.items()}
    kinds: list[type[BaseModel]] = [
        model.ScenarioModel,
        model.Services,
        *steps.values(),
        *checks.values(),
        Bound,
        Pattern,
    ]
    references, made = models_json_schema(
        [(kind, "validation") for kind in dict.fromkeys(kinds)], schema_generator=WithMeanings
    )
    refs: dict[Any, Json] = {kind: dict(found) for (kind, _), found in references.items()}
    definitions: Json = made.get("$defs", {})
    _short_forms(definitions, refs)
    root = definitions.pop(_name(refs[model.ScenarioModel]))
    # Claims and steps know their arguments by the word that stands before them.
    entry = definitions[_name(root["properties"]["proof"]["items"])]
    check_refs = {name: refs[kind] for name, kind in checks.items()}
    for definition in [root, *definitions.values()]:
        _allow_variables_in(definition)
    _extend_root(root)
    _extend_steps(root, {verb: refs[kind] for verb, kind in steps.items()})
    _extend_proof(entry, check_refs, {name: kind for name, kind in checks.items() if _required(kind)})
    services = definitions[_name(refs[model.Services])]["properties"]
    services["nats"]["anyOf"].append({"type": "null"})  # `nats:` with nothing after it is `nats: {}`
    if model.Wait in refs:
        _extend_wait(definitions[_name(refs[model.Wait])], check_refs)
    definitions["Variable"] = {
        "type": "string",
        "pattern": r"\$\{[^}]+\}",
        "description": "${name}: a variable, a matrix value or env:NAME",
    }
    definitions["Name"] = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9_-]*$", "maxLength": 128}
    return {
        "$schema": DIALECT,
        "title": "pytest-agog scenario",
        "description": root.pop("description", ""),
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": dict(sorted(definitions.items())),
    }


def _name(reference: Json) -> str:
    return str(reference["$ref"]).removeprefix("#/$defs/")


def _required(kind: type[BaseModel]) -> bool:
    return any(field.is_required() for field in kind.model_fields.values())


def _short_forms(definitions: Json, refs: dict[Any, Json]) -> None:
    """`3` for `{equals: 3}`, and any bare value for a pattern that it must equal."""
    bound = _name(refs[Bound])
    definitions[bound] = {
        "description": "A number n, or limits: {at_least: 3}, {at_most: 200}, {between: [1, 5]}",
        "anyOf": [{"type": "number"}, {"type": "string"}, definitions[bound]],
    }
    pattern = definitions[_name(refs[Pattern])]
    words = sorted(pattern["properties"])
    definitions[_name(refs[Pattern])] = {
        "description": "A value that must stand there, or {matches: …}, {contains: …}, {one_of: […]}, {exists: …}",
        "anyOf": [
            pattern,
            {"type": ["string", "number", "boolean", "null", "array"]},
            {"type": "object", "not": {"anyOf": [{"required": [word]} for word in words]}},
        ],
    }


def _extend_root(root: Json) -> None:
    """What is not in the model, because it is gone before the model sees the file."""
    properties: Json = root["properties"]
    properties["agog"] = {"const": 1, "description": "Version of the format"}
    properties["name"] = {"$ref": "#/$defs/Name", "description": "Its name on the command line and in reports"}
    properties["extends"] = {
        "description": "Files whose parts this one shares; what stands here wins",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    }
    properties["vars"] = {"type": "object", "description": "Variables for ${name}"}
    properties["matrix"] = {
        "description": "One run per combination of these values",
        "type": "object",
        "additionalProperties": {"type": "array", "minItems": 1},
    }
    root["required"] = ["agog"]
    root["anyOf"] = [{"required": ["name"]}, {"required": ["extends"]}]


def _extend_steps(root: Json, steps: dict[str, Json]) -> None:
    root["properties"]["steps"] = {
        "description": "What happens, in order; each step is one key, its verb",
        "type": "array",
        "items": _or_variable(_one_key(steps)),
    }


def _one_key(words: dict[str, Json]) -> Json:
    return {
        "type": "object",
        "properties": {word: _or_variable(reference) for word, reference in words.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _extend_proof(entry: Json, checks: dict[str, Json], needy: Iterable[str]) -> None:
    entry["properties"]["id"] = {"$ref": "#/$defs/Name", "description": "Its name in test ids"}
    entry["properties"]["check"] = {
        "description": "Which check judges it",
        "anyOf": [{"enum": sorted(checks)}, _VARIABLE],
    }
    entry["properties"]["with"] = {"description": "The check's arguments", **_or_variable({"type": "object"})}
    entry["allOf"] = []
    for name, reference in sorted(checks.items()):
        then: Json = {"properties": {"with": _or_variable(reference)}}
        if name in needy:
            then["required"] = ["with"]
        condition = {"properties": {"check": {"const": name}}, "required": ["check"]}
        entry["allOf"].append({"if": condition, "then": then})


def _extend_wait(wait: Json, checks: dict[str, Json]) -> None:
    until = _one_key(dict(sorted(checks.items())))
    wait["properties"]["until"] = {"description": "{CHECK: {arguments}}, any check", **_or_variable(until)}


# --- variables --------------------------------------------------------------------------------------------------------
def _allow_variables_in(definition: Json) -> None:
    """Let every value inside a definition be `${name}`; the definition itself stays what it is."""
    for part in definition.get("properties", {}).items():
        definition["properties"][part[0]] = _with_variables(part[1])
    for key in ("anyOf", "oneOf", "allOf"):
        for branch in definition.get(key, ()):
            if isinstance(branch, dict):
                _allow_variables_in(branch)
    for key in ("items", "additionalProperties"):
        if isinstance(definition.get(key), dict):
            definition[key] = _with_variables(definition[key])
    if "prefixItems" in definition:
        definition["prefixItems"] = [_with_variables(item) for item in definition["prefixItems"]]
    for pattern, part in definition.get("patternProperties", {}).items():
        definition["patternProperties"][pattern] = _with_variables(part)
        definition["additionalProperties"] = False  # pydantic leaves names of another form open


def _with_variables(part: Json) -> Json:
    """`part`, or a variable; what is said of both (description, default) stays outside."""
    _allow_variables_in(part)
    if not part or _takes_any_text(part) or _VARIABLE in part.get("anyOf", ()):
        return part
    said: Json = {key: part[key] for key in ("description", "default", "examples") if key in part}
    rest = {key: value for key, value in part.items() if key not in said and key != "title"}
    if set(rest) == {"anyOf"}:
        return {**said, "anyOf": [*rest["anyOf"], _VARIABLE]}
    return {**said, **_or_variable(rest)} if rest else part


def _or_variable(part: Json) -> Json:
    return {"anyOf": [part, _VARIABLE]}


def _takes_any_text(part: Json) -> bool:
    return part.get("type") == "string" and not _LIMITS_OF_TEXT & part.keys()
