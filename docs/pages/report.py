"""The page `reference/report.md`: every field of `report.json`, from its models."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, Final

from pytest_agog.report import json_report

_INTRODUCTION: Final = """\
`pytest --agog-report=DIR` writes `DIR/report.json`, and `agog demo --json` prints the same form. It is UTF-8 JSON, and
secrets in it are masked. The JSON Schema is [report.schema.json](report.schema.json). Unknown fields do not occur,
except in `evidence`, where each kind adds its own. About the rest of DIR: [read a report](../how-to/read-a-report.md).\
"""
_TYPES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "null": "null",
    "boolean": "true or false",
}


def page() -> str:
    """The whole page."""
    schema = json_report.schema()
    parts = [
        "# report.json",
        "<!-- Made by docs/generate.py from pytest_agog/report/json_report.py. Do not edit. -->",
        _INTRODUCTION,
        "## The report",
        _table(schema),
    ]
    for name, definition in _in_order(schema):
        parts += [f"## {_title(name)}", _says(definition), _table(definition)]
    return "\n\n".join(part for part in parts if part)


def _in_order(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The definitions in the order in which they are met from the top."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [schema]
    while waiting:
        current = waiting.pop(0)
        for field in current["properties"].values():
            for name in _references(field):
                if name not in found:
                    found[name] = schema["$defs"][name]
                    waiting.append(found[name])
    yield from found.items()


def _references(field: dict[str, Any]) -> Iterator[str]:
    if "$ref" in field:
        yield field["$ref"].rsplit("/", 1)[-1]
    for inner in (field.get("items"), *field.get("anyOf", ())):
        if isinstance(inner, dict):
            yield from _references(inner)


def _title(name: str) -> str:
    return name.removesuffix("Report")


def _says(definition: dict[str, Any]) -> str:
    return " ".join(inspect.cleandoc(str(definition.get("description", ""))).split())


def _table(definition: dict[str, Any]) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    for name, field in definition["properties"].items():
        rows.append(f"| `{name}` | {_type(field)} | {_says(field)} |")
    return "\n".join(rows)


def _type(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return f"[{_title(name)}](#{_title(name).lower()})"
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("format") == "date-time":
        return "time, RFC 3339 UTC"
    return _TYPES.get(str(field.get("type")), "mapping")
