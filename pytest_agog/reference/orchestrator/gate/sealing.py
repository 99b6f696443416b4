"""The gate's own files, sealed: nobody passes a gate by changing it.

What is sealed: the settings file, scripts that commands name, and what `protected` names. A file counts as changed when
its content, its right to be run or, of a link, its target or that target's content differ; what was not there and is
now counts too, also through a link, in other letter case, or outside the root. Commands must not run on a broken seal.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Self

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.gate.config import Command, GateConfig

SETTINGS: Final = "agog.toml"
_SHELL: Final = frozenset({".sh", ".bash", ".bat", ".cmd", ".ps1"})
_SCRIPTS: Final = _SHELL | {".py", ".js", ".mjs", ".cjs", ".ts", ".rb", ".pl", ".php"}
_INTERPRETER: Final = re.compile(r"(?:python[0-9.]*|node|deno|bun|ruby|perl|php|bash|sh|dash|zsh|pwsh)(?:\.exe)?")
_NO_SCRIPT: Final = frozenset({"-m", "-c", "-e", "--eval", "--test", "-p", "--print"})
"""Options after which an interpreter's argument is no script of the gate: a module, code, or the tests themselves."""
_CACHE: Final = "__pycache__"
"""Comes and goes with every run of Python; the gate's commands do not read it, see `commands`."""
_CHUNK: Final = 2**20
_UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, slots=True)
class Seal:
    """The gate's files as they were when it was taken: when the orchestrator starts."""

    root: Path
    patterns: tuple[tuple[str, ...], ...]
    """Components of absolute globs."""
    states: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, config: GateConfig, root: Path, settings: Path | None = None) -> Self:
        """Seal what belongs to the gate of `config`. `settings` is its file, `agog.toml` in the root without it.

        Raises:
            BadInput: a file cannot be read.
        """
        root = Path(os.path.abspath(root))  # noqa: PTH100 - links on the way stay, they are looked at
        named = [root / SETTINGS] + ([] if settings is None else [root / settings])
        named += [path for command in config.commands for path in scripts_of(command, root)]
        patterns = [_components(glob.escape(str(path)), root) for path in named]
        patterns += [_components(pattern, root) for pattern in config.protected]
        unique = tuple(dict.fromkeys(patterns))
        states = _snapshot(unique, root)
        for path, state in states.items():
            if state.endswith(_UNREADABLE):
                raise BadInput(f"{_shown(path, root)} belongs to the gate and cannot be read. Correct its rights.")
        return cls(root, unique, states)

    def changes(self) -> list[str]:
        """What is different from when the seal was taken, a line each; empty when nothing is."""
        now = _snapshot(self.patterns, self.root)
        found = []
        for path in sorted(self.states.keys() | now.keys()):
            before, after = self.states.get(path), now.get(path)
            if before != after:
                word = "was added" if before is None else "was removed" if after is None else "was changed"
                found.append(f"{_shown(path, self.root)} {word}")
        return found

    def __len__(self) -> int:
        return len(self.states)


def scripts_of(command: Command, root: Path) -> list[Path]:
    """The files that are the command itself: its program and scripts, whether they are there yet or not."""
    folder = root / command.cwd
    program, *rest = command.run
    found = [folder / program] if "/" in program else []
    if _INTERPRETER.fullmatch(PurePosixPath(program).name):
        options = [word for word in rest if word.startswith("-")]
        first = next((word for word in rest if not word.startswith("-")), "")
        if PurePosixPath(first).suffix.lower() in _SCRIPTS and not _NO_SCRIPT.intersection(options):
            found.append(folder / first)
    for word in rest:
        if PurePosixPath(word).suffix.lower() in _SHELL or _is_program(folder / word):
            found.append(folder / word)
    return found


def _is_program(path: Path) -> bool:
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _shown(path: str, root: Path) -> str:
    inside = os.path.relpath(path, root)
    return path if inside.startswith("..") else inside


# --- globs ------------------------------------------------------------------------------------------------------------
def _components(pattern: str, root: Path) -> tuple[str, ...]:
    """The parts of the absolute glob; `.` and repeated `**` are dropped, `..` takes the part before with it."""
    whole = pattern if pattern.startswith("/") else f"{glob.escape(str(root))}/{pattern}"
    parts: list[str] = []
    for part in whole.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", ".") and not (part == "**" and parts[-1:] == ["**"]):
            parts.append(part)
    return tuple(parts)


class _Walk:
    """Finds what globs mean. Letter case does not matter: where it does not to the file system, it is the same file."""

    def __init__(self, root: Path) -> None:
        self.found: dict[str, None] = {}
        self._above = {str(parent) for parent in root.parents}
        """Folders on the way to the root: another one with nearly its name is none of ours."""
        self._done: set[tuple[str, tuple[str, ...]]] = set()
        self._names: dict[str, list[str]] = {}

    def follow(self, place: str, parts: tuple[str, ...], above: tuple[tuple[int, int], ...] = ()) -> None:
        """Find everything under folder `place` that `parts` mean; links to folders are followed, but not in circles."""
        if (place, parts) in self._done:
            return
        self._done.add((place, parts))
        if not parts:
            self._whole(place, above)
            return
        if parts[0] == "**":
            self.follow(place, parts[1:], above)
            if parts[1:]:
                self._deeper(place, parts, above)
            return
        for name in self._matching(place, parts[0]):
            path = os.path.join(place, name)  # noqa: PTH118 - a hundred thousand paths
            if os.path.islink(path):  # noqa: PTH114
                self.found[path] = None
            if len(parts) == 1:
                self.found[path] = None
            if os.path.isdir(path):  # noqa: PTH112
                for inner in self._entered(path, above):
                    self.follow(path, parts[1:], inner)

    def _whole(self, place: str, above: tuple[tuple[int, int], ...]) -> None:
        """A folder that is protected as such, with all that is in it."""
        self._deeper(place, (), above)
        for name in self._listed(place):
            self.found[os.path.join(place, name)] = None  # noqa: PTH118

    def _deeper(self, place: str, parts: tuple[str, ...], above: tuple[tuple[int, int], ...]) -> None:
        for name in self._listed(place):
            path = os.path.join(place, name)  # noqa: PTH118
            if not os.path.isdir(path):  # noqa: PTH112
                continue
            if os.path.islink(path):  # noqa: PTH114
                self.found[path] = None
            for inner in self._entered(path, above):
                self.follow(path, parts, inner)

    @staticmethod
    def _entered(path: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[tuple[int, int], ...]]:
        try:
            there = os.stat(path)  # noqa: PTH116
        except OSError:
            return
        identity = (there.st_dev, there.st_ino)
        if identity not in above:
            yield (*above, identity)

    def _matching(self, place: str, part: str) -> list[str]:
        names = self._listed(place)
        wanted = re.compile(fnmatch.translate(part), 0 if place in self._above else re.IGNORECASE)
        found = [name for name in names if wanted.fullmatch(name)]
        if not found and not names and not glob.has_magic(part):  # a folder that may be entered and not listed
            plain = re.sub(r"\[([*?[])\]", r"\1", part)
            found = [plain] if os.path.lexists(os.path.join(place, plain)) else []  # noqa: PTH118
        return found

    def _listed(self, place: str) -> list[str]:
        if place not in self._names:
            try:
                self._names[place] = sorted(name for name in os.listdir(place) if name != _CACHE)  # noqa: PTH208
            except OSError:
                self._names[place] = []
        return self._names[place]


# --- states -----------------------------------------------------------------------------------------------------------
def _snapshot(patterns: tuple[tuple[str, ...], ...], root: Path) -> dict[str, str]:
    walk = _Walk(root)
    for parts in patterns:
        walk.follow("/", parts)
    above = {str(parent) for parent in root.parents}
    states = {path: _state(path) for path in walk.found if path not in above}
    return {path: state for path, state in states.items() if state}


def _state(path: str) -> str:
    """What is there; empty for nothing and for a plain folder, whose files stand for it."""
    try:
        there = os.lstat(path)
        if stat.S_ISLNK(there.st_mode):
            return f"link {os.readlink(path)} {_target(path)}"  # noqa: PTH115
        if stat.S_ISDIR(there.st_mode):
            return ""
        return _content(path, there)
    except FileNotFoundError:
        return ""
    except OSError:
        return _UNREADABLE


def _target(path: str) -> str:
    try:
        there = os.stat(path)  # noqa: PTH116
    except OSError:
        return "nothing"
    return "folder" if stat.S_ISDIR(there.st_mode) else _content(path, there)


def _content(path: str, there: os.stat_result) -> str:
    if not stat.S_ISREG(there.st_mode):  # a pipe would be waited for
        return f"special {stat.S_IFMT(there.st_mode):o}"
    digest = hashlib.sha256()
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while data := os.read(handle, _CHUNK):
            digest.update(data)
    finally:
        os.close(handle)
    runs = "x" if there.st_mode & 0o111 else "-"
    return f"file {runs} {digest.hexdigest()}"
