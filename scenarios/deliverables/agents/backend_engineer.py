"""A backend engineer as a foreign system might write it: nats-py, the environment, and nothing of this project.

It reads the critique by its URL, answers every condition in it, publishes its report, and prints a completion notice
among other output.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
from nats.js import JetStreamContext


async def latest(jetstream: JetStreamContext, url: str) -> str:
    """The report at `url`: the last message of the subject, by direct get."""
    subject = url.removeprefix("nats://")
    stream = await jetstream.find_stream_name_by_subject(subject)
    message = await jetstream.get_last_msg(stream, subject, direct=True)
    content: str = json.loads(message.data or b"{}")["content"]
    return content


async def publish(jetstream: JetStreamContext, subject: str, content: str, metadata: dict[str, Any]) -> None:
    """Publish with the two headers of the contract, and wait for the PubAck."""
    digest = "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode()
    headers = {"Nats-Msg-Id": f"{subject}:{digest}", "Agog-Digest": digest}
    payload = json.dumps({"content": content, "metadata": metadata}, ensure_ascii=False).encode()
    await jetstream.publish(subject, payload, headers=headers)


def answers(critique: str) -> str:
    """A table with a line for each condition in the critique."""
    conditions = critique.partition("## Conditions")[2].partition("\n## ")[0]
    found = sorted(set(re.findall(r"\((C\d)\)", conditions)))
    rows = "\n".join(f"| {name} | done, with a test of its own |" for name in found)
    table = f"| condition | answer |\n|---|---|\n{rows}\n"
    return f"# Backend\n\n## Answers\n\n{table}\n## Next\n\nThe frontend may start.\n"


def check_stdin(environment: dict[str, Any]) -> None:
    """Write down whether the JSON on standard input says what the environment says."""
    told = json.load(sys.stdin)
    same = all(told[name] == value for name, value in environment.items())
    text = "environment and standard input agree" if same else f"they differ: {told} and {environment}"
    (Path(os.environ["AGENT_OUTPUT_DIR"]) / "agrees.txt").write_text(text + "\n")


async def work() -> None:
    inputs = json.loads(os.environ["AGOG_INPUTS"])
    subject = os.environ["AGOG_SUBJECT"]
    agent, task, feature = (os.environ[f"AGOG_{name}"] for name in ("AGENT", "TASK", "FEATURE"))
    check_stdin({"agent": agent, "task": task, "feature": feature, "inputs": inputs})
    client = await nats.connect(os.environ["NATS_URL"])
    try:
        jetstream = client.jetstream()
        [critique] = [entry["url"] for entry in inputs if entry["task"] == "critique"]
        report = answers(await latest(jetstream, critique))
        metadata = {
            "agent": agent,
            "taskType": task,
            "feature": feature,
            "timestamp": datetime.now(UTC).isoformat(),
            "inputs": len(inputs),
        }
        await publish(jetstream, subject, report, metadata)
    finally:
        await client.close()
    print(f"read {len(inputs)} inputs, wrote {len(report)} characters")
    notice = {
        "agent": agent,
        "req_number": os.environ["AGOG_REQUIREMENT"],
        "status": "COMPLETE",
        "deliverable": f"nats://{subject}",
        "summary": "All conditions of the critique are answered.",
        "files_modified": ["engine.go", "outbox.go"],
        "next_agent": "jen",
    }
    print("```json\n" + json.dumps(notice, indent=2) + "\n```")


if __name__ == "__main__":
    asyncio.run(work())
