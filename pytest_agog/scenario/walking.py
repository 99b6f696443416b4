"""Walking through validated models: every text in them with the field that holds it and its path in the YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from pytest_agog.scenario.reading.places import Path_


class Leaf(NamedTuple):
    """A value, the model and the field that hold it, and its path from where the walk began."""

    path: Path_
    owner: BaseModel
    field: str
    value: Any


def leaves(model: BaseModel, path: Path_ = ()) -> Iterator[Leaf]:
    """Everything in `model` that is no list, mapping or model; and the models themselves, before what they hold."""
    for name, field in type(model).model_fields.items():
        if name in model.model_fields_set:
            yield from _values(getattr(model, name), (*path, field.alias or name), model, name)


def _values(value: Any, path: Path_, owner: BaseModel, field: str) -> Iterator[Leaf]:
    if isinstance(value, BaseModel):
        yield Leaf(path, owner, field, value)
        yield from leaves(value, path)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _values(part, (*path, key), owner, field)
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _values(part, (*path, index), owner, field)
    else:
        yield Leaf(path, owner, field, value)
