"""A tester that finds a defect in the first attempt and none in the second."""

import json
import os
import sys
from pathlib import Path

asked = json.load(sys.stdin)
attempt = int(os.environ["AGOG_ATTEMPT"])
report = Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables" / "qa.md"
found = "- the refund is counted twice" if attempt == 1 else "- nothing"
report.write_text(f"# QA report, attempt {attempt}\n\n## Findings\n\n{found}\n\nTested by hand and by the suite.\n")
notice = {
    "agent": os.environ["AGOG_AGENT"],
    "req_number": os.environ["AGOG_REQUIREMENT"],
    "status": "COMPLETE",
    "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
    "summary": f"Tested; {found[2:]}",
    "ready_for_next_stage": attempt > 1,
}
print(json.dumps(notice))
