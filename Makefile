# Two commands do everything on a fresh machine: `make scenarios` and `make test`.
# Every path is quoted or relative, so that a clone may live in a folder with a space in its name.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest

# With LC_ALL=C an older Python cannot read that an editable package lies in a folder whose name is not ASCII.
ifneq (,$(filter C POSIX,$(LC_ALL)))
export LC_ALL := C.UTF-8
endif

.PHONY: help scenarios test again check conformance bench docs wheel clean
.DEFAULT_GOAL := help

help:  ## What there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

.venv/installed: pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	$(BIN)/python -m compileall -q pytest_agog  # quick starts even where PYTHONDONTWRITEBYTECODE is set
	@touch $@

scenarios: .venv/installed  ## Play all bundled scenarios on embedded NATS and Postgres
	$(PYTEST) --agog-scenario -p no:randomly

test: .venv/installed  ## The whole test suite, in parallel and in random order
	$(PYTEST) -n $(WORKERS) tests

again: .venv/installed  ## What failed in the last run once more, one by one (a defect fails again; what passes is flaky)
	$(PYTEST) -p no:randomly --last-failed --last-failed-no-failures=none tests

check: .venv/installed  ## Style, types, import rules, generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/python tests/conformance/complete.py

bench: .venv/installed  ## Speed, as ratios against peers measured in the same run
	$(BIN)/python -m benchmarks

docs: .venv/installed  ## Write the generated reference pages
	$(BIN)/python docs/generate.py

wheel: .venv/installed  ## Build the distribution
	$(BIN)/python -m build --wheel --sdist

clean:  ## Remove everything that was made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis agog-report
