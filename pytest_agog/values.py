"""Typed words that scenario files and checks share: durations, sizes, shares, bounds and `where` patterns.

Each is a pydantic-ready type: it parses what a person writes (`2s`, `10MB`, `95%`, `{at_least: 3}`), says what it would
have taken when it cannot, and describes itself in JSON Schema.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema

from pytest_agog.json_values import as_text, contains, same_json
from pytest_agog.matching import is_found

_UNITS_OF_TIME: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS_OF_SIZE: Final = {
    "": 1, "B": 1,
    "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)
_SIZE: Final = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*([kKMGT]i?B|B|)", re.ASCII)
_LARGEST: Final = 10**18
_PERCENT: Final = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)\s*%", re.ASCII)


def parse_duration(value: object) -> float:
    """Seconds from `500ms`, `2s`, `30m`, `1h30m`, `7d`; the number 0 needs no unit. ValueError otherwise."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return 0.0
    if isinstance(value, str):
        text = value.strip()
        parts = _DURATION.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS_OF_TIME[unit] for number, unit in parts)
    raise ValueError("expected a duration such as 500ms, 2s, 30m, 1h or 7d")


def parse_size(value: object) -> int:
    """Bytes from `10MB` (10**7), `5GiB` (5 * 2**30) or a plain number of bytes. ValueError otherwise."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        return math.ceil(Fraction(match[1]) * _UNITS_OF_SIZE[match[2]])
    raise ValueError("expected a size such as 4096, 700B, 128KiB, 10MB or 5GiB")


def parse_share(value: object) -> float:
    """A fraction from `95%` or `0.95`. ValueError otherwise."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1 <= value <= 1:
        return float(value)
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())):
        return float(match[1]) / 100
    raise ValueError("expected a percentage such as 95% (or a fraction such as 0.95)")


def format_duration(seconds: float) -> str:
    """`seconds` as a person would write it in a scenario: `350ms`, `2s`, `30m`, `7d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.3g}s" if seconds < 100 else f"{seconds:.0f}s"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 message`, `2,000 messages`; `many` where an s is not enough."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_size(size: int) -> str:
    """`size` in bytes, in powers of ten: `700 B`, `40.2 kB`, `12 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({
        "description": "A duration: 500ms, 2s, 30m, 1h30m, 7d (0 needs no unit)",
        "anyOf": [{"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"}, {"const": 0}],
    }),
]  # fmt: skip
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({
        "description": "A size: 4096, 700B, 10MB (powers of ten), 5GiB (powers of two)",
        "anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?\s*([kKMGT]i?B|B|)$"}, {"type": "integer", "minimum": 0}],
    }),
]  # fmt: skip
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({
        "description": "A share: 95% or 0.95",
        "anyOf": [
            {"type": "string", "pattern": r"^-?\d+(\.\d+)?\s*%$"},
            {"type": "number", "minimum": -1, "maximum": 1},
        ],
    }),
]  # fmt: skip


def _number(value: object) -> float:
    """A bound's number in base units: plain, a percentage (as a fraction), a duration (seconds) or a size (bytes)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) > _LARGEST:
            raise ValueError(f"a number is at most {_LARGEST:g}")
        return value
    for parse in (parse_share, parse_duration, parse_size):
        try:
            return parse(value)
        except ValueError:
            continue
    raise ValueError("expected a number, or one with a unit: 95%, 200ms, 10MB")


Number = Annotated[
    float,
    BeforeValidator(_number),
    WithJsonSchema({
        "anyOf": [{"type": "number"}, {"type": "string"}],
        "description": "A number, or one with a unit: 95%, 200ms, 10MB",
    }),
]  # fmt: skip


class DataPath(str):
    """A path as the scenario gives it, relative to the scenario; it may not leave the data root."""

    __slots__ = ()


def _data_path(value: str) -> DataPath:
    if not value or "\0" in value or "\\" in value:
        raise ValueError("expected a path with forward slashes, relative to the scenario")
    if PurePosixPath(value).is_absolute():
        raise ValueError("a path is relative to the scenario and may not leave its data root")
    return DataPath(value)


class DataFolderPath(DataPath):
    """The same for a folder."""

    __slots__ = ()


DataFile = Annotated[
    str,
    AfterValidator(_data_path),
    WithJsonSchema({"type": "string", "description": "A path relative to the scenario"}),
]
"""A file of the scenario's data root, which must exist when the scenario is read (its value is a ``DataPath``)."""
DataFolder = Annotated[
    str,
    AfterValidator(lambda value: DataFolderPath(_data_path(value))),
    WithJsonSchema({"type": "string", "description": "A folder, relative to the scenario"}),
]
"""A folder of the scenario's data root, which must exist when the scenario is read (a ``DataFolderPath``)."""

_EXACT_TYPES: Final = ("int", "float", "bool")
_NOT_SCHEMA: Final = frozenset({"default", "expected", "metadata", "serialization"})


def _without_guessing(schema: Any) -> None:
    """Make numbers and booleans strict in a core schema: "3" is no 3, true is no 1. Lists still become tuples."""
    if isinstance(schema, dict):
        if schema.get("type") in _EXACT_TYPES:
            schema["strict"] = True
        for key, part in schema.items():
            if key not in _NOT_SCHEMA:
                _without_guessing(part)
    elif isinstance(schema, (list, tuple)):
        for part in schema:
            _without_guessing(part)


class Strict(BaseModel):
    """Base of everything that is read from a scenario: immutable, no unknown keys, no guessing of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _without_guessing(schema)
        return schema


class Bound(Strict):
    """*n* in the tables of checks: an exact number, or limits (both ends included).

    `3` is short for `{equals: 3}`.
    """

    equals: Number | None = None
    """Exactly this."""
    at_least: Number | None = None
    """This or more."""
    at_most: Number | None = None
    """This or less."""
    between: tuple[Number, Number] | None = None
    """From the first to the second, both included."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            return {"equals": value}
        if not isinstance(value, (Mapping, Bound)):
            raise ValueError("expected a number, or limits such as {at_least: 3}")  # noqa: TRY004 - pydantic's way
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        if not self.model_fields_set or all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("give one of equals, at_least, at_most, between")
        if self.between is not None and self.between[0] > self.between[1]:
            raise ValueError("between takes the smaller number first")
        return self

    def holds(self, value: float) -> bool:
        """Whether `value` lies within every limit."""
        return (
            (self.equals is None or value == self.equals)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.between is None or self.between[0] <= value <= self.between[1])
        )

    @property
    def has_upper_limit(self) -> bool:
        """Whether growth alone can break this bound, so that a verdict too early would be a guess."""
        return self.equals is not None or self.at_most is not None or self.between is not None

    @property
    def cannot_fail(self) -> bool:
        """Whether every count of things satisfies this bound (`at_least: 0`)."""
        return not self.has_upper_limit and (self.at_least is None or self.at_least <= 0)

    def __str__(self) -> str:
        return self.told("{:g}".format)

    def told(self, number: Callable[[float], str]) -> str:
        """The bound in words, with its numbers as `number` writes them."""
        parts = []
        if self.equals is not None:
            parts.append(f"exactly {number(self.equals)}")
        if self.at_least is not None:
            parts.append(f"at least {number(self.at_least)}")
        if self.at_most is not None:
            parts.append(f"at most {number(self.at_most)}")
        if self.between is not None:
            parts.append(f"between {number(self.between[0])} and {number(self.between[1])}")
        return ", ".join(parts)


_ABSENT: Final = object()


class Pattern(Strict):
    """What a value at a dotted path must be; several keys must all hold.

    A bare value is short for `{equals: value}`.
    """

    equals: Any = None
    """This very value (JSON equality: 1 equals 1.0, true does not equal 1)."""
    matches: str | None = None
    """A regular expression found anywhere in the value's text."""
    contains: Any = None
    """Text within text, an element of a list, or a key of an object."""
    exists: bool | None = None
    """Whether the path is there at all (null is there)."""
    one_of: list[Any] | None = None
    """Any of these values."""
    at_least: Number | None = None
    """This number or more."""
    at_most: Number | None = None
    """This number or less."""
    between: tuple[Number, Number] | None = None
    """From the first number to the second, both included."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value and set(value) <= _PATTERN_KEYS:
            return value
        if isinstance(value, Pattern):
            return value
        if isinstance(value, Mapping) and set(value) & _PATTERN_KEYS:
            strange = sorted(set(map(str, value)) - _PATTERN_KEYS)
            raise ValueError(
                f"{', '.join(strange)} cannot stand beside {', '.join(sorted(set(value) & _PATTERN_KEYS))}"
            )
        return {"equals": value}

    @field_validator("matches")
    @classmethod
    def _compiles(cls, matches: str | None) -> str | None:
        try:
            re.compile(matches or "")
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{matches!r} is no regular expression: {error}") from None
        return matches

    def holds(self, value: Any) -> bool:
        """Whether `value` (``ABSENT`` when the path is not there) fits every key that was given."""
        given = self.model_fields_set
        if "exists" in given and self.exists is not None and (value is not ABSENT) != self.exists:
            return False
        if value is ABSENT:
            return given == {"exists"}
        return (
            ("equals" not in given or same_json(value, self.equals))
            and (self.matches is None or is_found(self.matches, as_text(value)))
            and ("contains" not in given or contains(value, self.contains))
            and (self.one_of is None or any(same_json(value, option) for option in self.one_of))
            and self._number_holds(value)
        )

    def _number_holds(self, value: Any) -> bool:
        if self.at_least is None and self.at_most is None and self.between is None:
            return True
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.between is None or self.between[0] <= value <= self.between[1])
        )

    def __str__(self) -> str:
        words = {"equals": "is", "one_of": "is one of", "at_least": "is at least", "at_most": "is at most"}
        return " and ".join(
            f"{words.get(name, name)} {getattr(self, name)!r}"
            for name in type(self).model_fields
            if name in self.model_fields_set
        )


_PATTERN_KEYS: Final = frozenset(Pattern.model_fields)
ABSENT: Final = _ABSENT
"""What a dotted path that is not there leads to."""

Where = Annotated[
    dict[str, Pattern],
    Field(description="Dotted paths of the JSON payload (or $headers.Name, or a column) and what must stand there"),
]


def look_up(document: Any, path: str) -> Any:
    """The value at dotted `path` (`metadata.agent`, `blockers.0`), or ``ABSENT``.

    A key that itself contains dots is found too: the longest key that fits wins at every level.
    """
    if path == "":
        return document
    if isinstance(document, Mapping):
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            key = ".".join(parts[:length])
            if key in document:
                found = look_up(document[key], ".".join(parts[length:]))
                if found is not ABSENT:
                    return found
        return ABSENT
    if isinstance(document, list):
        head, _, rest = path.partition(".")
        if head.isdecimal() and int(head) < len(document):
            return look_up(document[int(head)], rest)
    return ABSENT
