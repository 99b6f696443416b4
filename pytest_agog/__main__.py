"""`python -m pytest_agog` is the `agog` command."""

from pytest_agog.cli import main

main()
