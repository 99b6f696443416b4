"""The one command that runs just one item again."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from pytest_agog.masking import mask
from pytest_agog.scenario.scenario import Scenario
from pytest_agog.selection import bundled_root, display_path
from pytest_agog.session.options import Options


def rerun_command(options: Options, scenario: Scenario, item: str) -> str:
    """For a shell in the folder where pytest was called. Secrets are masked, so they have to be filled in."""
    suffix = f"[{scenario.suffix}]" if scenario.suffix else ""
    words = [*_program(options.start), f"--agog-scenario={_path(options, scenario)}::{item}{suffix}"]
    return shlex.join([*words, *(mask(word) for word in options.repeated)])


def _path(options: Options, scenario: Scenario) -> str:
    """As ids show it; a bundled scenario's id may name another file in the user's folder, and then its path is used."""
    shown = display_path(scenario.path, options.start)
    here = options.start / shown
    if here.exists():
        return shown if here.samefile(scenario.path) else str(scenario.path)
    return shown if (bundled_root() / shown).exists() else str(scenario.path)


def _program(start: Path) -> list[str]:
    """`pytest`, where that is the one that runs; else the interpreter that runs it."""
    ours = Path(sys.executable)
    found = shutil.which("pytest")
    if found is not None and os.path.realpath(Path(found).parent) == os.path.realpath(ours.parent):
        return ["pytest"]
    inside = ours.is_relative_to(start)
    return [str(ours.relative_to(start) if inside else ours), "-m", "pytest"]
