"""Plain scalars of YAML 1.2."""

from __future__ import annotations

import pytest

from pytest_agog.scenario.reading.core_schema import resolve


@pytest.mark.parametrize(
    "text",
    ["22:00", "no", "No", "on", "off", "yes", "y", "2026-01-31", "1_000", "0b11", "017x", "1.2.3", "-", ".", "+", "e3",
     "=", "nULL", "0X1F", "12e"],
)  # fmt: skip
def test_text_stays_text(text: str) -> None:
    assert resolve(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("true", True), ("FALSE", False), ("0", 0),
        ("-12", -12), ("+7", 7), ("017", 17), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0),
        ("1e3", 1000.0), ("-2.5E-1", -0.25),
    ],
)  # fmt: skip
def test_other_values(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e400", "9" * 5000, "0x" + "f" * 5000])
def test_numbers_that_json_cannot_carry_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number"):
        resolve(text)
