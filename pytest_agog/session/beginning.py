"""A run begins: options are read, and the scenarios that were asked for become what pytest collects."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_agog.errors import AgogError, UsageError
from pytest_agog.selection import SUFFIXES, Selected, select
from pytest_agog.session.options import asked_for_gate, paths_given
from pytest_agog.session.run import run_of


def begin(config: pytest.Config) -> None:
    """Let the scenarios of `--agog-scenario` be collected: alone, or beside the paths on the command line.

    Raises:
        pytest.UsageError: wrong usage, before anything is collected.
    """
    words = config.getoption("agog_scenario")
    given = paths_given(config)
    gated = asked_for_gate(config)
    if words is None and not gated and not plays_scenarios(config):
        return
    try:
        run = run_of(config)
        gate = [_gate_argument(run.options.gate)] if run.options.gate is not None else []
        _ = run.target  # read now: a target that is wrong ends the run before it begins
        if run.options.report is not None and not hasattr(config, "workerinput"):
            from pytest_agog.session.telling import prepare_report

            prepare_report(run.options.report)
        if words is None:
            if gate:
                config.args = [*given, *gate]
                config.args_source = pytest.Config.ArgsSource.ARGS
            return
        swallowed = "--agog-scenario" in config.invocation_params.args
        chosen = select(words, run.options.folders, run.options.start, hint=swallowed)
        config.args = [*given, *gate, *(_argument(selected, run.options.start) for selected in chosen)]
    except AgogError as error:
        raise pytest.UsageError(str(error)) from None
    config.args_source = pytest.Config.ArgsSource.ARGS
    run.alone = not given and not gate
    if run.alone:
        # pytest shows ids as if they began at rootdir, which it guesses from option values too. Nothing but scenarios
        # is collected, and their ids begin where pytest was called.
        config._rootpath = run.options.start  # noqa: SLF001
    run.named = frozenset(Path(os.path.abspath(selected.path)) for selected in chosen)  # noqa: PTH100 - as pytest does


def plays_scenarios(config: pytest.Config) -> bool:
    """Whether the command line names scenarios, by `--agog-scenario` or as a YAML file."""
    if config.getoption("agog_scenario") is not None:
        return True
    return any(path.partition("::")[0].endswith(SUFFIXES) for path in config.args)


def _gate_argument(path: Path) -> str:
    """The settings file as pytest takes it.

    Raises:
        UsageError: it is not there.
    """
    if not path.is_file():
        raise UsageError(f"--agog-gate: there is no {path}; write one with a table [gate], or give --agog-gate-config")
    return str(path)


def _argument(selected: Selected, start: Path) -> str:
    """As pytest takes it, which reads everything from the first `[` on as parameters."""
    path = selected.path
    text = str(path.relative_to(start) if path.is_relative_to(start) else path)
    if "[" in text or "::" in text:
        raise UsageError(f"{text}: pytest takes no path with '[' or '::'; rename it, or call pytest in its folder")
    return f"{text}::{selected.item}" if selected.item else text
