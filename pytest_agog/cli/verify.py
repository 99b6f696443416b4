"""`agog verify`: saved ledgers are judged again, offline, and compared with what was said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from pytest_agog.cli.options import Json
from pytest_agog.errors import BadInput, Exit, NoBundle

if TYPE_CHECKING:
    from pytest_agog.checks.verify import Difference
    from pytest_agog.ledger.bundle import Bundle

Outcome = Literal["as saved", "altered", "different"]
_INSIDE_REPORT: Final = "bundle"
_LISTS: Final = ("claims", "verdicts")
_SHOWN: Final = 20
"""Lines about one bundle; --json has all of them."""
_LONGEST: Final = 600
"""Characters of such a line."""
_NOT_AS_IT_WAS: Final = "not judged again: it is about text that was altered, or of which only a masked form was saved"


@dataclass(frozen=True)
class Verified:
    """What is to be said of one bundle."""

    folder: Path
    scenario: str = ""
    observations: int = 0
    judged: int = 0
    """Claims that were judged again."""
    altered: list[str] = field(default_factory=list)
    """What was altered, or keeps it from being read; one line each, with file and line."""
    differences: list[Difference] = field(default_factory=list)
    masked: list[Difference] = field(default_factory=list)
    """Claims that cannot be judged again, because what they are about held a secret."""

    @property
    def outcome(self) -> Outcome:
        """In a word or two. Verdicts of an altered bundle say little, so that comes first."""
        if self.altered:
            return "altered"
        return "different" if self.differences else "as saved"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    places: Annotated[
        list[Path],
        typer.Argument(metavar="BUNDLE|DIR…", help="Bundles, folders of bundles, or folders of --agog-report."),
    ],
    as_json: Json = False,
) -> int:
    """Judge saved bundles again, without any service: was anything altered, do all verdicts come out as saved?

    A bundle is a folder below DIR/bundle that `pytest --agog-report=DIR` wrote. Exit 0 when everything is as it was
    saved, 1 when something was altered or a verdict differs, 2 when there is no bundle.

    Example: agog verify agog-report
    """
    folders = dict.fromkeys(folder for place in places for folder in bundles_in(place))
    found = [verify_bundle(folder) for folder in folders]
    if as_json:
        _print_json(found)
    else:
        for one in found:
            _print(one)
    return Exit.OK if all(one.outcome == "as saved" for one in found) else Exit.CLAIM_FAILED


def bundles_in(place: Path) -> list[Path]:
    """The bundles that `place` means: itself, or those in it, or those of the report that it holds.

    Raises:
        NoBundle: there is none.
    """
    try:
        if _is_bundle(place):
            return [place]
        for folder in (place / _INSIDE_REPORT, place):
            if folder.is_dir():
                found = sorted(inside for inside in folder.iterdir() if _is_bundle(inside))
                if found:
                    return found
    except (OSError, ValueError) as error:
        raise NoBundle(path=place, reason=f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    raise NoBundle(path=place, reason="holds no bundle" if place.is_dir() else _why_no_folder(place))


def _why_no_folder(place: Path) -> str:
    return "is no folder" if place.exists() else "does not exist"


def _is_bundle(folder: Path) -> bool:
    """One of the two files that make a bundle is enough: that the other is gone is an alteration."""
    from pytest_agog.ledger import bundle

    return any((folder / name).exists() or (folder / name).is_symlink() for name in (bundle.MANIFEST, bundle.LEDGER))


def verify_bundle(folder: Path) -> Verified:
    """Check one bundle's digests, and judge its claims again. Whatever the files hold, this does not raise."""
    from pytest_agog.checks import verify as judging
    from pytest_agog.ledger import bundle

    altered = [_shorter(line, folder) for line in _integrity(folder)]
    try:
        read = bundle.read(folder)
    except (BadInput, OSError) as error:
        said = _shorter(str(error), folder)
        return Verified(folder, altered=list(dict.fromkeys([*altered, f"cannot be judged again: {said}"])))
    wrong = [f"{bundle.META}: its {name} are no list of objects" for name in _LISTS if not _entries(read, name)]
    if wrong:
        return Verified(folder, _scenario(read), len(read.ledger), altered=[*altered, *wrong])
    claims, verdicts = read.meta["claims"], read.meta["verdicts"]
    found = judging.verify(read.ledger, claims, verdicts)
    masked = [one for one in found if one.what == judging.MASKED]
    if altered:  # which of them hold a secret, such a bundle does not tell
        masked = [replace(one, judged=_NOT_AS_IT_WAS) for one in masked]
    differences = [one for one in found if one.what != judging.MASKED]
    judged = _judged(verdicts) - len(masked)
    return Verified(folder, _scenario(read), len(read.ledger), judged, altered, differences, masked)


def _integrity(folder: Path) -> list[str]:
    from pytest_agog.ledger import bundle

    try:
        return bundle.check_integrity(folder)
    except (BadInput, OSError) as error:
        return [str(error)]


def _shorter(line: str, folder: Path) -> str:
    """Files are told relative to the bundle."""
    return line.replace(f"{folder}/", "")


def _entries(read: Bundle, name: str) -> bool:
    listed = read.meta.get(name)
    return isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)


def _scenario(read: Bundle) -> str:
    return str(read.meta.get("scenario", ""))


def _judged(verdicts: Sequence[dict[str, Any]]) -> int:
    return sum(verdict.get("outcome") not in ("skipped", "error") for verdict in verdicts)


# --- telling --------------------------------------------------------------------------------------------------------
def _print(one: Verified) -> None:
    from pytest_agog.cli.console import print_line
    from pytest_agog.report.text import one_line, shorten
    from pytest_agog.values import plural

    size = f"{plural(one.judged, 'claim')} judged again on {plural(one.observations, 'observation')}"
    said = {
        "as saved": size,
        "different": f"{size}; {plural(len(one.differences), 'verdict')} differ from what was saved",
        "altered": "this is not what was written",
    }
    print_line(f"{one.outcome}: {one.scenario or one.folder.name} ({one.folder}): {said[one.outcome]}")
    lines = list(_lines(one))
    for line in lines[:_SHOWN]:
        # Masked before it is cut: half a secret is not recognised.
        print_line(f"- {shorten(one_line(line), _LONGEST)}")
    if len(lines) > _SHOWN:
        print_line(f"- and {plural(len(lines) - _SHOWN, 'line')} more; --json has all of them")


def _lines(one: Verified) -> Iterator[str]:
    yield from one.altered
    yield from map(str, one.differences)
    yield from map(str, one.masked)


def _print_json(found: Sequence[Verified]) -> None:
    from pytest_agog.cli.console import print_json
    from pytest_agog.report.text import masked

    told = {
        "ok": all(one.outcome == "as saved" for one in found),
        "bundles": [
            {
                "path": str(one.folder),
                "scenario": one.scenario,
                "outcome": one.outcome,
                "observations": one.observations,
                "judged": one.judged,
                "altered": one.altered,
                "differences": [
                    {"claim": d.claim, "what": d.what, "saved": d.saved, "judged": d.judged} for d in one.differences
                ],
                "masked": [d.claim for d in one.masked],
            }
            for one in found
        ],
    }
    print_json(masked(told))
