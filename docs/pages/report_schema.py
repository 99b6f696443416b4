"""The file `reference/report.schema.json`: the JSON Schema of `report.json`."""

from __future__ import annotations

import json

from pytest_agog.report import json_report


def page() -> str:
    """The schema."""
    return json.dumps(json_report.schema(), ensure_ascii=False, indent=2)
