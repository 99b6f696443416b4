"""An agent that is blocked in its first attempt, by what its argument says, and done in its second."""

import json
import os
import sys
from pathlib import Path

json.load(sys.stdin)
blocked = os.environ["AGOG_ATTEMPT"] == "1"
(Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables" / "work.md").write_text(
    "# Page of lots\n\n## What was built\n\nA page that lists lots, as far as it could be built.\n"
)
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "BLOCKED" if blocked else "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Could not go on" if blocked else "Built the page",
    "blockers": [sys.argv[1]] if blocked else [],
}
if blocked and len(sys.argv) > 2:
    notice["next_agent"] = sys.argv[2]
print(json.dumps(notice))
