"""The folders of a run: below pytest's temporary one, and gone when they are done with, however the run ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest


class Folders:
    """Makes and removes folders. One that lasts outlives the run (`--agog-keep`), so pytest must not know of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lasting: Path | None = None

    def new(self, name: str, *, lasting: bool = False) -> Path:
        """A new empty folder. Should the harness be killed, its watchdog removes it; not so one that lasts."""
        if lasting:
            if self._lasting is None:
                self._lasting = Path(tempfile.mkdtemp(prefix="agog-keep-"))
            return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._lasting))
        from pytest_agog.stage.spawning import SPAWNER

        # pytest's own plugin for temporary folders can be switched off.
        factory: pytest.TempPathFactory | None = getattr(self._config, "_tmp_path_factory", None)
        made = factory.mktemp(f"agog-{name}") if factory else Path(tempfile.mkdtemp(prefix=f"agog-{name}-"))
        SPAWNER.watchdog.add_folder(made)
        return made

    def remove(self, folder: Path) -> None:
        """Remove a folder and all in it; idempotent."""
        from pytest_agog.stage.spawning import SPAWNER

        shutil.rmtree(folder, ignore_errors=True)
        SPAWNER.watchdog.remove_folder(folder)
        if self._lasting is not None and folder.parent == self._lasting and not any(self._lasting.iterdir()):
            self._lasting.rmdir()
            self._lasting = None
