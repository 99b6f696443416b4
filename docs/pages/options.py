"""The page `reference/options.md`: what the plugin adds to pytest's command line and ini file."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_agog.session.options import FORMS, add_options

_INTRODUCTION: Final = """\
What stands on the command line wins over the environment, and that over the ini file (`pytest.ini`,
`[tool.pytest.ini_options]` in `pyproject.toml`). Write `--option=value` with the equals sign. Paths on the command line
and in the environment are relative to where pytest is called, those of the ini file to its folder. Flags are `1`,
`true`, `yes`, `on` or `0`, `false`, `no`, `off` in the environment.

`--agog-scenario[=NAME|FILE|FOLDER]` plays scenarios, and may be repeated; `::ID` after the value selects one claim.
Without a value it plays all that are bundled, or those of the folders in `agog_scenarios`. Alone on the command line it
runs scenarios only; with paths of tests beside it, both. A YAML file named as a path (`pytest my.yaml`) is played too.\
"""


def page() -> str:
    """The whole page."""
    rows = ["| command line | environment | ini | meaning |", "|---|---|---|---|"]
    for form in FORMS:
        written = f"{form.flag}={form.metavar}" if form.metavar else form.flag
        rows.append(f"| `{written}` | `AGOG_{form.name.upper()}` | `agog_{form.name}` | {form.help} |")
    for name, meaning in ini_only().items():
        rows.append(f"| | | `{name}` | {meaning} |")
    return "\n\n".join((
        "# Options of the pytest plugin",
        "<!-- Made by docs/generate.py from pytest_agog/session/options.py. Do not edit. -->",
        _INTRODUCTION,
        "\n".join(rows),
    ))  # fmt: skip


def ini_only() -> dict[str, str]:
    """Names that only the ini file knows, with their meaning."""
    parser = pytest.Parser(_ispytest=True)
    add_options(parser)
    both = {f"agog_{form.name}" for form in FORMS}
    return {name: parser._inidict[name][0] for name in parser._inidict if name not in both}  # noqa: SLF001
