"""An agent whose report is none."""

import json
import os
import sys
from pathlib import Path

json.load(sys.stdin)
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": "Done",
}
text = {"empty": "", "placeholder": "[truncated]\n", "notice": json.dumps(notice)}[sys.argv[1]]
(Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables" / "report.md").write_text(text)
print(json.dumps(notice))
