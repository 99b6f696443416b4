"""What all tests share."""

from __future__ import annotations

from importlib.util import find_spec

# Scenarios are also played from here where the package is installed without what its own tests need.
pytest_plugins = ["pytester", "tests.browser"] if find_spec("pytest_asyncio") else ["pytester"]
