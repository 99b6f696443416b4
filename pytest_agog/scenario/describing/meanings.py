"""What the keys of a model mean: the docstrings under its fields, read from the source when somebody asks.

pydantic can do that as well, but then every import of a model reads and parses its source: a quarter of the time that
the plugin takes to load, for words that only `agog explain`, the schema and the reference page show.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import textwrap
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema


def meanings(kind: type[BaseModel]) -> dict[str, str]:
    """What the fields of `kind` mean, by name; a field that nothing is said of is left out."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_docstrings(base))
    said = {name: field.description for name, field in kind.model_fields.items() if field.description}
    return {name: said.get(name) or found[name] for name in kind.model_fields if name in said or name in found}


def _docstrings(kind: type[BaseModel]) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}  # made by a program, not written in a file
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(said.value.value)
        for field, said in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
        and isinstance(said.value.value, str)
    }


class WithMeanings(GenerateJsonSchema):
    """JSON Schema in which the docstrings of fields are descriptions."""

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        """The schema of one model."""
        made = super().model_schema(schema)
        kind: type[BaseModel] = schema["cls"]
        for name, meaning in meanings(kind).items():
            part = made.get("properties", {}).get(kind.model_fields[name].alias or name)
            if part is not None:
                part["description"] = meaning
        return made
