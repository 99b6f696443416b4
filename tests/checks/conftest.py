from __future__ import annotations

import pytest

from tests.checks.builders import Book


@pytest.fixture
def book() -> Book:
    """An empty ledger."""
    return Book()
