"""The answer "no responders", which the recorder's own presence would swallow.

nats-server tells a requester at once (status 503) when nobody subscribes to its subject: a publish to a subject that no
stream takes, a request to a service that is down. The recorder subscribes to everything, so the server finds somebody,
stays silent, and the requester runs into its timeout. To observe without changing, the recorder asks the server who
else subscribes (`/subsz`), and if nobody does, it gives the answer that the server would have given.

It needs the monitoring port of a single server; in a cluster one server does not know all subscriptions, and there the
recorder keeps silent.
"""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from pytest_agog.ledger import monitor
from pytest_agog.ledger.jetstream import API
from pytest_agog.ledger.recording.line import Line

_MOST = 64
"""Questions under way at once; beyond that requesters wait for their timeout."""


class NoResponders:
    """Answers requests that nobody but the recorder hears."""

    def __init__(self, line: Line, monitor_url: str | None) -> None:
        self._line = line
        self._monitor_url = monitor_url
        self._tasks: set[asyncio.Task[None]] = set()
        self._served: set[str] = set()
        self.single = False
        """Whether there is one server only."""

    def consider(self, subject: str, reply: str) -> None:
        """A request on `subject` was seen that no known stream takes."""
        if reply and self.single and self._monitor_url is not None and len(self._tasks) < _MOST:
            task = asyncio.get_running_loop().create_task(self._answer(self._monitor_url, subject, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def consider_api(self, subject: str, reply: str) -> None:
        """The same for a direct get or a consumer's next; who serves those is remembered, they come often."""
        if subject not in self._served:
            self.consider(subject, reply)

    def forget(self) -> None:
        """A consumer or a stream was deleted: who served it serves no more."""
        self._served.clear()

    async def stop(self) -> None:
        """Leave what is open unanswered."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _answer(self, monitor_url: str, subject: str, reply: str) -> None:
        ours = self._line.client_id
        found = await monitor.fetch(monitor_url, f"/subsz?subs=1&limit=100&test={quote(subject, safe='')}")
        listed = (found or {}).get("subscriptions_list")
        if not isinstance(listed, list):
            return
        # JetStream's entrance takes every request and leaves those for what does not exist unanswered.
        others = [
            one for one in listed
            if isinstance(one, dict) and one.get("cid") != ours and one.get("subject") != f"{API}.>"
        ]  # fmt: skip
        if others:
            if subject.startswith(API):
                self._served.add(subject)
        elif listed:
            await self._line.say_no_responders(reply)
