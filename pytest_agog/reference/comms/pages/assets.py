"""Static files of the pages."""

from __future__ import annotations

from typing import Final

from pytest_agog.reference.doors.static_files import StaticFiles

FILES: Final = StaticFiles("/static/agents", {"pytest_agog.reference.comms.pages": None})
