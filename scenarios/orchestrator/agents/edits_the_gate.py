"""An agent that makes the gate easier for itself."""

import json
import os
import sys
from pathlib import Path

json.load(sys.stdin)
output = Path(os.environ["AGENT_OUTPUT_DIR"])
settings = next(path for parent in output.parents for path in parent.glob("crew/agog.json"))
settings.write_text(settings.read_text() + "\n")
(output / "deliverables" / "work.md").write_text("# Lots\n\n## What was built\n\nLess than there should be.\n")
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Built it",
}
print(json.dumps(notice))
