"""Says whether two runs hold the same messages: kinds and contents, each as often."""

import os
import sys
from collections import Counter

import psycopg

with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    first, second = (
        Counter(
            connection.execute(
                "SELECT kind, content FROM workflow_comms.agent_messages WHERE run_id = %s", [run]
            ).fetchall()
        )
        for run in sys.argv[1:3]
    )
if first != second:
    sys.exit(f"missing: {list((first - second).elements())[:3]}; too many: {list((second - first).elements())[:3]}")
print(f"{first.total()} messages, the same in both")
