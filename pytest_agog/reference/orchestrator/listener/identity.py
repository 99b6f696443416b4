"""Who a listener is, and whose locks guard its attempts."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Identity:
    """One start of a listener."""

    name: str
    domain: str
    """The same for listeners whose keepers lock the same files on the same machine."""
    host: str
    pid: int

    @property
    def place(self) -> str:
        """The same for all that may take each other's place."""
        return f"{self.host}:{self.domain}"

    @classmethod
    def of(cls, data: Path) -> Identity:
        """A new one, for a listener with this data folder, which is there.

        Raises:
            OSError: the folder cannot be written.
        """
        boot = socket.gethostname()
        with contextlib.suppress(OSError):
            boot = _BOOT.read_text().strip()
        return cls(f"listener-{uuid4().hex[:16]}", f"{boot}:{_folder_id(data)}", socket.gethostname(), os.getpid())


def _folder_id(data: Path) -> str:
    """A name that the folder keeps: whoever is first gives it, whole or not at all."""
    place = data / "id"
    if not place.exists():
        made = data / f".id-{uuid4().hex}"
        made.write_text(uuid4().hex)
        with contextlib.suppress(FileExistsError):
            os.link(made, place)
        made.unlink()
    return place.read_text().strip()
