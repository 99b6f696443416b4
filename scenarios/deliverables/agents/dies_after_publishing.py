"""A critic that publishes its report and then dies; when it is tried again it publishes the same report and finishes.

This is the crash that deduplication is for: the first PubAck came, but nobody learned of it. It uses nothing but
nats-py, as any foreign agent would.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import nats

REPORT = """# Critique of the label reprint

## Verdict

The reprint must carry the number of the original label, or two pallets answer to one scan.

## Conditions

1. The reprint is recorded with person and reason.
2. A label that was reprinted is refused at the gate until the old one is scanned out.
"""


async def publish(subject: str) -> None:
    digest = "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(REPORT.encode()).digest()).decode()
    metadata = {
        "agent": os.environ["AGOG_AGENT"],
        "taskType": os.environ["AGOG_TASK"],
        "feature": os.environ["AGOG_FEATURE"],
        "timestamp": datetime.now(UTC).isoformat(),
    }
    client = await nats.connect(os.environ["NATS_URL"])
    try:
        await client.jetstream().publish(
            subject,
            json.dumps({"content": REPORT, "metadata": metadata}).encode(),
            headers={"Nats-Msg-Id": f"{subject}:{digest}", "Agog-Digest": digest},
        )
    finally:
        await client.close()


def main() -> int:
    attempts = Path(os.environ["AGENT_OUTPUT_DIR"]) / "critic-attempts.txt"
    tried = len(attempts.read_text().splitlines()) if attempts.exists() else 0
    with attempts.open("a") as log:
        log.write(f"{tried + 1}\n")
    subject = os.environ["AGOG_SUBJECT"]
    asyncio.run(publish(subject))
    if tried == 0:
        print("killed before the notice was printed", file=sys.stderr)
        return 1
    notice = {
        "agent": os.environ["AGOG_AGENT"],
        "req_number": os.environ["AGOG_REQUIREMENT"],
        "status": "COMPLETE",
        "deliverable": f"nats://{subject}",
        "summary": "Two conditions for the reprint of labels.",
        "critique_verdict": "APPROVED_WITH_CONDITIONS",
    }
    print(json.dumps(notice))
    return 0


if __name__ == "__main__":
    sys.exit(main())
