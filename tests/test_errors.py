"""Every error says cause and remedy in one line."""

from __future__ import annotations

import inspect
import string
from typing import Any

import pytest

from pytest_agog import errors
from pytest_agog.errors import AgogError, Exit


def family(root: type[AgogError] = AgogError) -> list[type[AgogError]]:
    own = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, root)]
    return sorted(own, key=lambda one: one.__name__)


class Shown:
    """A value for any placeholder, whatever its format."""

    def __format__(self, _: str) -> str:
        return "{curly}\nvalue"

    __str__ = __repr__ = lambda self: format(self)


@pytest.mark.parametrize("error", family(), ids=lambda one: one.__name__)
def test_the_docstring_is_the_message_on_one_line(error: type[AgogError]) -> None:
    template = inspect.cleandoc(error.__doc__ or "")
    names = {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}
    assert all(name.isidentifier() for name in names)
    details: dict[str, Any] = {name: Shown() for name in names}
    message = str(error(**details))
    assert "\n" not in message
    assert "  " not in message
    assert message.endswith((".", "value", "!"))
    assert message.count("{curly} value") >= len(names)
    assert error(**details).details == details


@pytest.mark.parametrize("error", family(), ids=lambda one: one.__name__)
def test_a_message_of_ones_own_is_taken_as_it_is(error: type[AgogError]) -> None:
    assert str(error("{not} a\ntemplate")) == "{not} a template"


def test_exit_codes_are_the_documented_ones() -> None:
    assert [int(code) for code in Exit] == [0, 1, 2, 3]
    assert errors.UsageError.exit_code == errors.BadInput.exit_code == Exit.USAGE
    for error in family(errors.ServiceError):
        assert error.exit_code == Exit.UNREACHABLE
