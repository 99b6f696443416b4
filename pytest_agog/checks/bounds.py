"""Limits on what is counted: no message is half there, and none is there less than never."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from pytest_agog.values import Bound


def _numbers(bound: Bound) -> list[float]:
    given = [bound.equals, bound.at_least, bound.at_most, *(bound.between or ())]
    return [number for number in given if number is not None]


def _whole(bound: Bound) -> Bound:
    for number in _numbers(bound):
        if number != int(number):
            raise ValueError(f"{number:g} is no whole number")
    return bound


def _count(bound: Bound) -> Bound:
    for number in _numbers(_whole(bound)):
        if number < 0:
            raise ValueError(f"a count is at least 0, not {number:g}")
    return bound


Whole = Annotated[Bound, AfterValidator(_whole)]
"""*n* of whole numbers."""
Count = Annotated[Bound, AfterValidator(_count)]
"""*n* of things that are counted."""
