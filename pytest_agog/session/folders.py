"""The folders of a run: below pytest's temporary one, and gone when they are done with, however the run ends."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

import pytest


class Folders:
    """Makes and removes folders. One that lasts outlives the run (`--agog-keep`), so pytest must not know of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.lasting: Path | None = None
        """Holds those that last."""

    def new(self, name: str, *, lasting: bool = False) -> Path:
        """A new empty folder. Should the harness be killed, its watchdog removes it; not so one that lasts."""
        if lasting:
            if self.lasting is None:
                self.lasting = Path(tempfile.mkdtemp(prefix="agog-keep-"))
            return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.lasting))
        from pytest_agog.stage.machine.spawning import SPAWNER

        # pytest's own plugin for temporary folders can be switched off.
        factory: pytest.TempPathFactory | None = getattr(self._config, "_tmp_path_factory", None)
        # Numbered ones would leave a link behind.
        unique = f"agog-{name}-{secrets.token_hex(4)}"
        made = factory.mktemp(unique, numbered=False) if factory else Path(tempfile.mkdtemp(prefix=f"{unique}-"))
        SPAWNER.watchdog.add_folder(made)
        return made

    def remove(self, folder: Path) -> None:
        """Remove a folder and all in it; idempotent."""
        from pytest_agog.stage.machine.spawning import SPAWNER

        shutil.rmtree(folder, ignore_errors=True)
        SPAWNER.watchdog.remove_folder(folder)
        if self.lasting is not None and folder.parent == self.lasting and not any(self.lasting.iterdir()):
            self.lasting.rmdir()
            self.lasting = None
