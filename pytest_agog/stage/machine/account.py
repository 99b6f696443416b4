"""As whom Postgres runs. It refuses to run as root, so root lends it another identity."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NOBODY = 65534
_UNSHARE = ("--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


@dataclass(frozen=True, slots=True)
class Account:
    """How to start a program under an identity that Postgres accepts."""

    prefix: tuple[str, ...] = ()
    """Goes before the command."""
    uid: int | None = None
    """Another user, or None to stay who we are."""

    def command(self, args: Sequence[str]) -> list[str]:
        """`args` as they are to be started."""
        return [*self.prefix, *args]

    def run(self, args: Sequence[str], patience: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a short program and return its output."""
        return subprocess.run(
            self.command(args),
            check=False,
            capture_output=True,
            text=True,
            timeout=patience,
            cwd="/",
            user=self.uid,
            group=self.uid,
            extra_groups=[] if self.uid is not None else None,
        )

    def own(self, folder: Path) -> None:
        """Hand a folder and all in it to this identity."""
        if self.uid is None:
            return
        os.chown(folder, self.uid, self.uid)
        for parent, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(parent, name), self.uid, self.uid, follow_symlinks=False)

    def can_reach(self, folder: Path) -> bool:
        """Whether this identity may go through every folder on the way to `folder`."""
        if self.uid is None:
            return True
        folder = folder.resolve()
        return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents) if place.exists())

    def workplace(self, wanted: Path) -> Path:
        """`wanted`, or a new folder under the system's temporary one where this identity could not get to `wanted`."""
        if self.can_reach(wanted.parent):
            wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = wanted
        else:
            place = Path(tempfile.mkdtemp(prefix="agog-postgres-", dir=_shared_temporary()))
        self.own(place)
        return place


PLAIN = Account()
OTHER_USER = Account(uid=NOBODY)


@cache
def postgres_account() -> Account:
    """The account for this process.

    Ourselves; for root a user namespace in which root has another number; where that is refused (as in many
    containers), the user nobody.
    """
    if os.geteuid() != 0:
        return PLAIN
    unshare = shutil.which("unshare")
    if unshare is not None:
        account = Account(prefix=(unshare, *_UNSHARE, "--"))
        if account.run(["true"]).returncode == 0:
            return account
    return OTHER_USER


def _shared_temporary() -> Path:
    """A temporary folder that every user may go through."""
    for place in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/tmp")):  # noqa: S108 - mkdtemp makes it safe
        if place.is_dir() and OTHER_USER.can_reach(place):
            return place
    return Path(tempfile.gettempdir())
