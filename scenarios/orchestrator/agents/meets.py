"""An agent that ends only when another one works at the same time."""

import json
import os
import sys
import time
from pathlib import Path

other = sys.argv[1]
json.load(sys.stdin)
me = os.environ["AGOG_AGENT"]
output = Path(os.environ["AGENT_OUTPUT_DIR"])
# The output folders of all agents of a listener stand under one folder.
meeting = next(parent for parent in output.parents if parent.name == "work")
(meeting / f"{me}.here").touch()
while not (meeting / f"{other}.here").exists():
    time.sleep(0.01)
(output / "deliverables" / "work.md").write_text(f"# Work of {me}\n\n## What was built\n\nDone beside {other}.\n")
notice = {
    "agent": me,
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": f"Worked beside {other}",
}
print(json.dumps(notice))
