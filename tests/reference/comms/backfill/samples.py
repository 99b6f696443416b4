"""The sample logs of `fixtures/codex`, and folders made of lines."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pytest_agog.reference.comms.backfill.drafts import BadLine, Draft
from pytest_agog.reference.comms.backfill.files import EVENTS
from pytest_agog.reference.comms.backfill.reading import artifact_in

SAMPLES: Final = Path(__file__).parents[4] / "fixtures" / "codex"


def completed(**item: Any) -> dict[str, Any]:
    return {"type": "item.completed", "item": item}


def started(**item: Any) -> dict[str, Any]:
    return {"type": "item.started", "item": item}


def folder_of(folder: Path, events: Iterable[dict[str, Any] | bytes], name: str = EVENTS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def read(folder: Path) -> tuple[list[Draft], list[BadLine]]:
    artifact = artifact_in(folder)
    try:
        return list(artifact.messages()), artifact.bad
    finally:
        artifact.close()
