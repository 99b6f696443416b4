"""The file `reference/scenario.schema.json`: the JSON Schema of scenarios, for editors."""

from __future__ import annotations

import json

from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario.describing.schema import schema


def page() -> str:
    """The schema, as `agog schema` prints it."""
    return json.dumps(schema(vocabulary()), ensure_ascii=False, indent=2)
