"""An implementer whose first attempt does not compile."""

import json
import os
import sys
from pathlib import Path

json.load(sys.stdin)
attempt = int(os.environ["AGOG_ATTEMPT"])
output = Path(os.environ["AGENT_OUTPUT_DIR"])
(output / "deliverables" / "backend.md").write_text(
    f"# Stock transactions, attempt {attempt}\n\n## What was built\n\nAn endpoint that books a movement.\n"
)
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Built the endpoint",
}
print(json.dumps(notice))
