"""Static files of the page: its own, and those that it shares with the pages of agent comms."""

from __future__ import annotations

from typing import Final

from pytest_agog.reference.doors.static_files import StaticFiles

FILES: Final = StaticFiles(
    "/static/orchestrator",
    {
        "pytest_agog.reference.comms.pages": ("agents.css", "icon.svg", "stream.js", "times.js"),
        "pytest_agog.reference.orchestrator.board": ("board.css", "board.js"),
    },
)
