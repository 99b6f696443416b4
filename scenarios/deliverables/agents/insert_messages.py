"""Inserts agent messages as an ingest does: one transaction, one row for each, told apart by their dedupe key."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg

INSERT = """
INSERT INTO workflow_comms.agent_messages
    (id, workflow_uid, workflow_name, workflow_namespace, run_id, agent_id, role, kind, content, timestamp, attrs,
     dedupe_key)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (dedupe_key) DO NOTHING
"""
CODE = "def walk(start):\n    seen = {start}\n    return seen"


def row(number: int) -> tuple[object, ...]:
    """The message with this number; always the same."""
    kind = ("message", "tool_call", "tool_result", "status")[number % 4]
    content = CODE if kind == "tool_result" else f"message {number} of the run, with “quotes” and Łódź"
    attrs = {"exit_code": 0, "status": ""} if kind == "tool_result" else {}
    key = hashlib.sha256(f"argo|lot-trace|{number}|{kind}".encode()).hexdigest()
    at = datetime(2025, 5, 28, 6, 0, tzinfo=UTC) + timedelta(milliseconds=137 * number)
    identity = str(UUID(key[:32]))
    names = ("6f1c2f9e-lot-trace", "lot-trace", "argo", "run-214", "roy")
    return (identity, *names, "assistant", kind, content, at, json.dumps(attrs), key)


def main() -> int:
    wanted = int(sys.argv[1])
    inserted = 0
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        for number in range(wanted):
            inserted += connection.execute(INSERT, row(number)).rowcount
    print(f"inserted {inserted} of {wanted}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
