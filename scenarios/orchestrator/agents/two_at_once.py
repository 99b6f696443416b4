"""An agent of which the first two instances end only when both are at work."""

import json
import os
import sys
import time
from pathlib import Path

json.load(sys.stdin)
output = Path(os.environ["AGENT_OUTPUT_DIR"])
meeting = next(parent for parent in output.parents if parent.name == "work")
(meeting / f"{os.environ['AGOG_REQUIREMENT']}.here").touch()
while len(list(meeting.glob("*.here"))) < 2:
    time.sleep(0.01)
(output / "deliverables" / "work.md").write_text(
    "# A part\n\n## What was built\n\nA part of the whole, beside another.\n"
)
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Built a part",
}
print(json.dumps(notice))
