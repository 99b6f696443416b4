"""The docstrings under fields, read when somebody asks."""

from __future__ import annotations

from pydantic import Field, create_model

from pytest_agog.scenario.describing.meanings import WithMeanings, meanings
from pytest_agog.values import Strict


class Parent(Strict):
    """What both have."""

    first: int = 1
    """Said of the parent's
    first field."""
    second: int = 2
    """Said by the parent."""


class Child(Parent):
    """What one has."""

    second: int = 3
    """Said by the child."""
    silent: int = 4
    told: int = Field(default=5, description="Said in the field itself")
    """Not this."""
    other: int = Field(default=6, alias="else")
    """Said of an alias."""


def test_fields_mean_what_stands_under_them() -> None:
    assert meanings(Child) == {
        "first": "Said of the parent's\nfirst field.",
        "second": "Said by the child.",
        "told": "Said in the field itself",
        "other": "Said of an alias.",
    }


def test_a_model_that_no_file_holds_says_nothing() -> None:
    assert meanings(create_model("Made", __base__=Strict, field=(int, 1))) == {}


def test_the_schema_says_it_too() -> None:
    properties = Child.model_json_schema(schema_generator=WithMeanings)["properties"]
    assert {name: part.get("description") for name, part in properties.items()} == {
        "first": "Said of the parent's\nfirst field.",
        "second": "Said by the child.",
        "silent": None,
        "told": "Said in the field itself",
        "else": "Said of an alias.",
    }
