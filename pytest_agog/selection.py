"""Which scenario files a run plays: bundled ones, those of the ini file, or what `--agog-scenario` names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_agog.errors import UsageError

SUFFIXES: Final = (".yaml", ".yml")
_HINT: Final = (
    "; a word after --agog-scenario counts as its value: write paths for pytest before it, "
    "or --agog-scenario=X with an equals sign"
)


@dataclass(frozen=True)
class Selected:
    """A scenario file, and the item in it that was asked for (all when empty)."""

    path: Path
    item: str = ""


def bundled_root() -> Path:
    """The folder that holds `scenarios/` and `fixtures/`: in the wheel `bundled/`, in a checkout the repository."""
    inside = Path(__file__).parent / "bundled"
    return inside if inside.is_dir() else Path(__file__).parent.parent


def bundled_scenarios() -> Path:
    """The folder of bundled scenarios."""
    return bundled_root() / "scenarios"


def bundled_fixtures() -> Path:
    """The folder of bundled data."""
    return bundled_root() / "fixtures"


def display_path(path: Path, start: Path) -> str:
    """`path` as ids and messages show it: bundled ones below `scenarios/`, others relative to `start` when below it.

    pytest's rootdir plays no part, since option values confuse its detection.
    """
    below = _below(path, start)
    if below is not None:
        return below.as_posix()
    resolved = path.resolve()
    root = bundled_root().resolve()
    if (root / "scenarios") in resolved.parents:
        return resolved.relative_to(root).as_posix()
    return resolved.as_posix()


def _below(path: Path, start: Path) -> Path | None:
    for shown, base in ((path, start), (path.resolve(), start.resolve())):
        if shown.is_relative_to(base):
            return shown.relative_to(base)
    return None


def select(words: Sequence[str], folders: Sequence[Path], start: Path, *, hint: bool = False) -> list[Selected]:
    """The scenario files that `words` name; with no word (or an empty one) everything in `folders`.

    A word is an existing path, else a bundled theme folder, else a scenario's name, else a path as ids show it;
    `::item` may follow. `hint`: say how to write a word that was not meant as the option's value.

    Raises:
        UsageError: a word is none of these; the message has the nearest names.
    """
    found: dict[tuple[Path, str], Selected] = {}
    for word in words or [""]:
        for selected in _select_word(word, folders, start, _HINT if hint and word else ""):
            found.setdefault((selected.path.resolve(), selected.item), selected)
    return list(found.values())


def _select_word(word: str, folders: Sequence[Path], start: Path, hint: str) -> list[Selected]:
    name, _, item = word.partition("::")
    if not name:
        return [selected for folder in folders for selected in _all_in(folder, word, item, "")]
    as_path = start / name
    if as_path.is_dir():
        return _all_in(as_path, word, item, hint)
    if as_path.exists():
        if as_path.suffix == ".py":
            raise UsageError(f"--agog-scenario={word}: this is Python, not a scenario{hint or _HINT}")
        if not as_path.is_file():
            raise UsageError(f"--agog-scenario={word}: this is no regular file{hint}")
        return [Selected(as_path, item)]
    for folder in folders:
        if (folder / name).is_dir() and name not in {".", ".."}:
            return _all_in(folder / name, word, item, hint)
    names = _names(folders)
    if name in names:
        return [Selected(path, item) for path in names[name]]
    as_shown = bundled_root() / name
    if name.startswith("scenarios/") and ".." not in as_shown.parts and as_shown.is_file():
        return [Selected(as_shown, item)]
    themes = sorted({path.name for folder in folders for path in _themes(folder)})
    raise UsageError(_nothing_found(name, [*themes, *names], hint))


def _all_in(folder: Path, word: str, item: str, hint: str) -> list[Selected]:
    from pytest_agog.scenario.finding import find

    paths = find(folder)
    if not paths:
        raise UsageError(
            f"--agog-scenario={word}: the folder {folder} holds no scenario (a YAML file with `agog: 1`){hint}"
        )
    return [Selected(path, item) for path in paths]


def _themes(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _names(folders: Sequence[Path]) -> dict[str, list[Path]]:
    """Scenario files by the name inside them; read with a cheap look, since files that are wrong have no name."""
    from pytest_agog.scenario.finding import find, name_of

    names: dict[str, list[Path]] = {}
    for folder in folders:
        for path in find(folder):
            names.setdefault(name_of(path) or path.stem, []).append(path)
    return names


def _nothing_found(name: str, known: list[str], hint: str) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"--agog-scenario={name}: neither an existing path, nor a bundled theme, nor a scenario's name{meant}{hint}"
