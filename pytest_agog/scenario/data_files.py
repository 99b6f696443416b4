"""Data roots: where a scenario's files may be, and the rule that none may lie elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final

from pytest_agog.scenario.problems import shown_path
from pytest_agog.scenario.words import nearest, shown

_MOST_NAMES: Final = 500
"""How many names of a folder are compared with a path that leads nowhere."""


def bundled_fixtures() -> Path:
    """The bundled sample data: in the wheel `pytest_agog/bundled/fixtures`, in a checkout `fixtures`."""
    package = Path(__file__).parent.parent
    inside = package / "bundled"
    return (inside if inside.is_dir() else package.parent) / "fixtures"


class NotFound(Exception):
    """A path that leads nowhere, or where it may not; `hint` names the remedy."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a path leads from one folder: whether that lies in a data root, and whether something is there."""

    real: str
    inside: bool
    exists: bool


class DataRoots:
    """The folders that a scenario may read: its own, those that the user configured, and the bundled fixtures."""

    def __init__(self, own: Path, more: Sequence[Path] = ()) -> None:
        every = [own, *more, bundled_fixtures()]
        self._folders = list(dict.fromkeys(Path(os.path.abspath(folder)) for folder in every))  # noqa: PTH100
        self._real = [os.path.realpath(folder) for folder in self._folders]

    def find(self, path: str, beside: Path | None = None, *, folder: bool = False) -> Path:
        """The file (or `folder`) that `path` names: looked for in `beside`, if given, then in each data root.

        `..` and links are followed, but what they lead to must lie in a data root.

        Raises:
            NotFound: nothing is there, it is no readable file (or no folder), or it lies outside.
        """
        if not path or "\0" in path or "\\" in path:
            raise NotFound(f"{shown(path)} is no path", "write it with forward slashes, relative to the scenario")
        if os.path.isabs(path):  # noqa: PTH117 - the text is no Path yet
            raise NotFound(
                f"{shown(path)} leaves the data root: a path is relative to the scenario",
                "put its folder into agog_data and name the file relative to that",
            )
        looked = [self._look(folder / path) for folder in ([beside] if beside is not None else []) + self._folders]
        for place in looked:
            if place.inside and place.exists:
                return self._readable(Path(place.real), path, folder=folder)
        if any(place.exists for place in looked) or not any(place.inside for place in looked):
            raise NotFound(
                f"{shown(path)} leaves the data root",
                f"files may lie in {self._named()}; the ini option agog_data adds folders",
            )
        raise NotFound(f"there is no file {shown(path)}{self._near(path)}", f"looked in {self._named()}")

    def _look(self, candidate: Path) -> _Look:
        try:
            real = os.path.realpath(candidate)
            inside = any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self._real)
            return _Look(real, inside, os.path.lexists(real))
        except (OSError, ValueError):
            return _Look(str(candidate), inside=True, exists=False)

    @staticmethod
    def _readable(file: Path, path: str, *, folder: bool) -> Path:
        try:
            mode = file.stat().st_mode
        except OSError as error:
            raise NotFound(f"{shown(path)} cannot be read: {error.strerror}") from None
        if folder:
            if not S_ISDIR(mode):
                raise NotFound(f"{shown(path)} is a file, not a folder")
            return file
        if S_ISDIR(mode):
            raise NotFound(f"{shown(path)} is a folder, not a file")
        if not S_ISREG(mode):
            raise NotFound(f"{shown(path)} is no regular file")
        if not os.access(file, os.R_OK):
            raise NotFound(f"{shown(path)} cannot be read: permission denied")
        return file

    def _named(self) -> str:
        return ", ".join(shown_path(folder) for folder in self._folders)

    def _near(self, path: str) -> str:
        """`; did you mean …` from the files beside the one that is missing; endings do not make names alike."""
        parent = os.path.dirname(path)  # noqa: PTH120 - the text is a scenario's, with forward slashes
        names: dict[str, str] = {}
        for folder in self._folders:
            try:
                with os.scandir(folder / parent) as entries:
                    for _, entry in zip(range(_MOST_NAMES), entries, strict=False):
                        names.setdefault(os.path.splitext(entry.name)[0], entry.name)  # noqa: PTH122
            except OSError:
                continue
        near = nearest(os.path.splitext(os.path.basename(path))[0], names)  # noqa: PTH119, PTH122
        return f"; did you mean {shown(f'{parent}/{names[near]}' if parent else names[near])}?" if near else ""
