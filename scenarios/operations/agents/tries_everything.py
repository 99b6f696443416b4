"""An agent that publishes its report with the credentials of its environment, and tries what it must not do.

Nothing but nats-py and the environment: NATS_URL (with user and password, where that is the form), NATS_CREDS,
NATS_NKEY, NATS_CA, NATS_INBOX_PREFIX.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import ssl
from datetime import UTC, datetime
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client


class Refusals:
    """What the server refuses, which it says beside the call that caused it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.came = asyncio.Event()

    async def note(self, error: Exception) -> None:
        """Keep it."""
        self.words.append(str(error).lower())
        self.came.set()

    async def gathered(self, count: int) -> None:
        """Return when so many came, or after some seconds: a refusal that does not come is none."""
        try:
            async with asyncio.timeout(5):
                while len(self.words) < count:
                    self.came.clear()
                    await self.came.wait()
        except TimeoutError:
            return

    def about(self, subject: str) -> str:
        """Whether something about `subject` was refused."""
        refused = any("permissions violation" in words and subject.lower() in words for words in self.words)
        return "refused" if refused else "allowed"


async def connected(refusals: Refusals) -> Client:
    """A connection as the environment says."""
    options: dict[str, Any] = {}
    if creds := os.environ.get("NATS_CREDS"):
        options["user_credentials"] = creds
    if nkey := os.environ.get("NATS_NKEY"):
        options["nkeys_seed"] = nkey
    if ca := os.environ.get("NATS_CA"):
        options["tls"] = ssl.create_default_context(cafile=ca)
    prefix = os.environ["NATS_INBOX_PREFIX"].encode()
    return await nats.connect(os.environ["NATS_URL"].split(","), inbox_prefix=prefix, error_cb=refusals.note, **options)


async def tried(client: Client, refusals: Refusals) -> str:
    """What became of three things that agents must not do."""
    purge, submit, listen = "$JS.API.STREAM.PURGE.agent-comms", "requirements.backend.REQ-666", "_INBOX_system.>"
    await client.publish(purge, b"")
    await client.publish(submit, json.dumps({"id": "REQ-666", "title": "Work for me"}).encode())
    await client.subscribe(listen)
    await client.flush()
    await refusals.gathered(3)
    return f"purge: {refusals.about(purge)}, submit: {refusals.about(submit)}, listen: {refusals.about(listen)}"


async def work() -> None:
    """Publish the report, print the notice."""
    refusals = Refusals()
    client = await connected(refusals)
    subject = os.environ["AGOG_SUBJECT"]
    content = f"# Backend\n\nPublished as agents.\n\n## Tried\n\n{await tried(client, refusals)}\n"
    digest = "SHA-256=" + base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode()
    metadata = {
        "agent": "roy",
        "taskType": os.environ["AGOG_TASK"],
        "feature": os.environ["AGOG_FEATURE"],
        "timestamp": datetime.now(UTC).isoformat(),
    }
    await client.jetstream().publish(
        subject,
        json.dumps({"content": content, "metadata": metadata}).encode(),
        headers={"Nats-Msg-Id": f"{subject}:{digest}", "Agog-Digest": digest},
    )
    await client.close()
    notice = {
        "agent": "roy",
        "req_number": os.environ["AGOG_REQUIREMENT"],
        "status": "COMPLETE",
        "deliverable": f"nats://{subject}",
        "summary": "Done with the rights that agents have.",
    }
    print(json.dumps(notice))


asyncio.run(work())
