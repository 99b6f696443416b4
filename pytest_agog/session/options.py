"""Options: on the command line, in the environment (`AGOG_…`), in the ini file, in that order of precedence."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from pytest_agog.errors import UsageError
from pytest_agog.selection import bundled_scenarios

BACKENDS: Final = ("embedded", "cluster", "container", "external")
PARTS: Final = ("browser", "docker", "prometheus")
"""What may be missing on a machine, so that a claim is skipped; `--agog-require` refuses such a skip."""
GATE_SETTINGS: Final = "agog.toml"
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Form:
    """An option, which has the same name everywhere: `--agog-nats-url`, `AGOG_NATS_URL`, `agog_nats_url`."""

    name: str
    help: str
    metavar: str = ""
    kind: Literal["text", "path", "flag", "words"] = "text"
    repeated: bool = False
    """Whether a command that runs an item again needs it."""

    @property
    def flag(self) -> str:
        """As it is written on the command line."""
        return f"--agog-{self.name.replace('_', '-')}"


FORMS: Final = (
    Form("backend", "services: embedded (default), cluster, container or external", "BACKEND", repeated=True),
    Form("nats_url", "an existing NATS server; implies --agog-backend=external", "URL", repeated=True),
    Form("postgres_dsn", "an existing Postgres server", "DSN", repeated=True),
    Form("target", "a YAML file that describes the system under test", "FILE", "path", repeated=True),
    Form("require", "refuse to skip claims for want of these: " + ", ".join(PARTS), "PART,…", "words", repeated=True),
    Form("report", "write report.json, report.html, summary.md and the ledgers to this folder", "DIR", "path"),
    Form("gate", "run the commands of [gate] in agog.toml as items; fail unless work would be accepted", kind="flag"),
    Form("gate_config", "another settings file for --agog-gate", "FILE", "path"),
    Form("keep", "leave services up after the last scenario and print their addresses", kind="flag"),
    Form("debug", "show Python tracebacks", kind="flag"),
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    start: Path
    """Where pytest was called."""
    folders: tuple[Path, ...]
    """Where scenarios are looked up when none is named by path."""
    data_roots: tuple[Path, ...]
    """Where scenarios may read data, besides their own folder and the bundled fixtures."""
    backend: str = "embedded"
    nats_url: str | None = None
    postgres_dsn: str | None = None
    target: Path | None = None
    require: frozenset[str] = frozenset()
    report: Path | None = None
    gate: Path | None = None
    """The settings file whose gate is run, if one is."""
    keep: bool = False
    debug: bool = False
    repeated: tuple[str, ...] = ()
    """The words of the command line that running an item again needs; with secrets."""


def add_options(parser: pytest.Parser) -> None:
    """Make the options known to pytest."""
    group = parser.getgroup("agog", "scenarios for multi-agent systems")
    group.addoption(
        "--agog-scenario",
        action="append",
        nargs="?",
        const="",
        metavar="NAME|FILE|FOLDER",
        help="play these scenarios; without a value all of them (bundled, or those of the ini file's agog_scenarios)",
    )
    for form in FORMS:
        ini = f"agog_{form.name}"
        if form.kind == "flag":
            group.addoption(form.flag, action="store_true", default=None, help=form.help)
            parser.addini(ini, f"as {form.flag}", type="bool", default=False)
        else:
            group.addoption(form.flag, metavar=form.metavar, default=None, help=form.help)
            words: Literal["args", "string"] = "args" if form.kind == "words" else "string"
            parser.addini(ini, f"as {form.flag}", type=words, default=[] if form.kind == "words" else "")
    parser.addini("agog_scenarios", "folders of scenarios, instead of the bundled ones", type="args", default=[])
    parser.addini("agog_data", "further folders that scenarios may read data from", type="args", default=[])


def read_options(config: pytest.Config) -> Options:
    """The options of a run.

    Raises:
        UsageError: a value that cannot be, or options that contradict each other.
    """
    found = {form.name: _value(config, form) for form in FORMS}
    start = config.invocation_params.dir
    base = _ini_folder(config)
    return Options(
        start=start,
        folders=tuple(base / folder for folder in config.getini("agog_scenarios")) or (bundled_scenarios(),),
        data_roots=tuple(base / folder for folder in config.getini("agog_data")),
        backend=_backend(config, found["backend"], found["nats_url"]),
        nats_url=found["nats_url"],
        postgres_dsn=found["postgres_dsn"],
        target=found["target"],
        require=_parts(found["require"]),
        report=found["report"],
        gate=(found["gate_config"] or start / GATE_SETTINGS) if found["gate"] else None,
        keep=bool(found["keep"]),
        debug=bool(found["debug"]),
        repeated=tuple(_repeated(config)),
    )


def asked_for_gate(config: pytest.Config) -> bool:
    """Whether the gate is to be run, without reading the other options."""
    return bool(_value(config, next(form for form in FORMS if form.name == "gate")))


def _value(config: pytest.Config, form: Form) -> Any:
    given = config.getoption(f"agog_{form.name}", None)
    base = config.invocation_params.dir
    if given is None:
        given = os.environ.get(f"AGOG_{form.name.upper()}")
        if given is not None and form.kind == "flag":
            return _truth(f"AGOG_{form.name.upper()}", given)
    if not given:
        given, base = config.getini(f"agog_{form.name}"), _ini_folder(config)
    if form.kind == "words":
        return " ".join(given) if isinstance(given, list) else given
    if form.kind == "path":
        return base / given if given else None
    return given or None


def _truth(name: str, word: str) -> bool | None:
    if word.lower() in _YES:
        return True
    if word.lower() in _NO:
        return False
    if not word:
        return None
    raise UsageError(f"{name}={word}: expected 1 or 0")


def _ini_folder(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath is not None else config.invocation_params.dir


def _backend(config: pytest.Config, backend: str | None, nats_url: str | None) -> str:
    if backend is None:
        return "external" if nats_url else "embedded"
    if backend not in BACKENDS:
        raise UsageError(f"--agog-backend={backend}: expected one of {', '.join(BACKENDS)}")
    if backend == "external" and not nats_url:
        raise UsageError("--agog-backend=external needs --agog-nats-url (or AGOG_NATS_URL)")
    if backend != "external" and config.getoption("agog_nats_url"):
        raise UsageError(f"--agog-nats-url and --agog-backend={backend} contradict each other; leave one of them out")
    return backend


def _parts(words: str) -> frozenset[str]:
    parts = frozenset(words.replace(",", " ").split())
    if unknown := sorted(parts - set(PARTS)):
        raise UsageError(f"--agog-require={','.join(unknown)}: expected some of {', '.join(PARTS)}")
    return parts


def _repeated(config: pytest.Config) -> list[str]:
    given = ((form, config.getoption(f"agog_{form.name}", None)) for form in FORMS if form.repeated)
    return [f"{form.flag}={value}" for form, value in given if value]


def paths_given(config: pytest.Config) -> list[str]:
    """The paths on the command line; those of the ini file's `addopts`, and folders that pytest assumes, are none."""
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return []
    assumed = [*config.getini("addopts"), *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    return [path for path in config.args if path not in assumed]
