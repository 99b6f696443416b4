"""An agent that hangs in its first attempt and works in its second."""

import json
import os
import sys
import time
from pathlib import Path

json.load(sys.stdin)
if os.environ["AGOG_ATTEMPT"] == "1":
    time.sleep(600)
(Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables" / "work.md").write_text(
    "# Stock transactions\n\n## What was built\n\nAn endpoint that books a movement.\n"
)
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Built the endpoint",
}
print(json.dumps(notice))
