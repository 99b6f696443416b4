"""An agent that says when it begins and when it ends, with a pause in between."""

import asyncio
import json
import os
import sys
from pathlib import Path

import nats


async def main() -> None:
    """Begin, work, end."""
    json.load(sys.stdin)
    client = await nats.connect(os.environ["NATS_URL"])
    stream = client.jetstream()
    await stream.publish("integration.roy.begun", b"{}")
    await asyncio.sleep(1)
    await stream.publish("integration.roy.ended", b"{}")
    await client.close()
    (Path(os.environ["AGENT_OUTPUT_DIR"]) / "deliverables" / "work.md").write_text(
        "# Lots\n\n## What was built\n\nSomething that took its time.\n"
    )
    notice = {
        "agent": os.environ["AGOG_AGENT"],
        "req_number": os.environ["AGOG_REQUIREMENT"],
        "status": "COMPLETE",
        "deliverable": "nats://" + os.environ["AGOG_SUBJECT"],
        "summary": "Took a second",
    }
    print(json.dumps(notice))


asyncio.run(main())
