"""JetStream's JSON API over a link, and what its refusals mean in our words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from typing import Any, Final

from pytest_agog.errors import AgogError, JetStreamDisabled, JetStreamRefused, StoreFull
from pytest_agog.reference.deliverables.connecting import Link, NoAnswer

PREFIX: Final = "$JS.API"
_DISABLED: Final = frozenset({10039, 10076})
NOT_FOUND: Final = frozenset({10014, 10037, 10059})
"""Consumer, message, stream not found."""
WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})
MESSAGE_TOO_LARGE: Final = frozenset({10054})
STORE_FULL: Final = frozenset({10002, 10023, 10028, 10047, 10077})
"""Limits of account, server, memory or file store, and a failed write."""
UNAVAILABLE: Final = frozenset({10008, 10009, 10041, 10118, 10158})
"""No leader at the moment, or the replicas still agree on a message with this id; asking again helps."""
ANSWERED: Final = "Nats-Stream"
"""The header that a direct get puts on what it answers with. A stored message never has it, unless somebody had the
server answer on that stream's subject: replies go wherever a request says, whatever its sender may publish to."""
NO_RESPONDERS: Final = "503"
RETRY: Final = 0.05
"""Seconds between two requests while there is no leader."""
_ELECTION: Final = 15.0
"""Seconds after which what still has no leader will not have one soon."""
_AGAIN: Final = 1.5
"""Seconds of silence after which a request is sent again: who was asked may be gone."""


class Refusal(Exception):
    """An error answer of the JetStream API."""

    def __init__(self, code: int, err_code: int, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.err_code = err_code
        self.description = description

    @classmethod
    def of(cls, error: dict[str, Any]) -> Refusal:
        """From the `error` object of an answer."""
        return cls(
            int(error.get("code", 0)), int(error.get("err_code", 0)), str(error.get("description", "no reason given"))
        )

    def as_error(self, what: str, *, url: str, stream: str = "") -> AgogError:
        """What a person reads when `what` was refused."""
        if self.err_code in _DISABLED:
            return JetStreamDisabled(url=url)
        if self.err_code in STORE_FULL:
            return StoreFull(stream=stream or "?", subject=what, reason=self.description)
        return JetStreamRefused(url=url, what=what, reason=f"{self.description}, error {self.err_code}")


async def call(
    link: Link, verb: str, body: dict[str, Any] | None = None, *, patience: float | None = None, again: float = _AGAIN
) -> dict[str, Any]:
    """Ask `$JS.API.{verb}`, for `patience` seconds (the link's own by default).

    While a cluster elects a leader the API refuses, or is silent: then the request is sent again, after `again` seconds
    of silence. Requests that change something are such that a repetition changes nothing more.

    Raises:
        Refusal: the API said no.
        JetStreamDisabled: nobody answers for JetStream.
        JetStreamRefused: it did not answer in time.
        NatsUnreachable, CredentialsRefused: as the link says.
    """
    loop = asyncio.get_running_loop()
    patience = link.timeout if patience is None else patience
    deadline = loop.time() + patience
    payload = json.dumps(body).encode() if body is not None else b""
    while True:
        left = deadline - loop.time()
        try:
            message = await link.request(f"{PREFIX}.{verb}", payload, within=min(max(left, 0.01), again))
        except NoAnswer:
            if deadline - loop.time() > 0:
                continue
            raise JetStreamRefused(url=link.url, what=verb, reason=f"no answer within {patience:g} s") from None
        if message.headers and message.headers.get("Status") == NO_RESPONDERS:
            raise JetStreamDisabled(url=link.url)
        answer: dict[str, Any] = json.loads(message.data)
        if not (error := answer.get("error")):
            return answer
        refusal = Refusal.of(error)
        if refusal.err_code in _DISABLED:
            raise JetStreamDisabled(url=link.url)
        if refusal.err_code not in UNAVAILABLE or loop.time() + RETRY >= deadline:
            raise refusal
        await asyncio.sleep(RETRY)


async def list_all(
    link: Link,
    verb: str,
    key: str,
    body: dict[str, Any] | None = None,
    *,
    needed: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """All pages of a listing: `STREAM.LIST` with `streams`, `CONSUMER.LIST.{stream}` with `consumers`.

    A cluster leaves out what has no leader at the moment. It is asked again while that is something `needed` (anything,
    when None): somebody may be creating it right now.

    Raises:
        JetStreamRefused: some of what is needed has no leader for a long time. The others as `call`.
    """
    deadline = asyncio.get_running_loop().time() + _ELECTION
    while True:
        found, missing = await _pages(link, verb, key, body or {})
        absent = sorted(missing if needed is None else missing.intersection(needed))
        if not absent:
            return found
        if asyncio.get_running_loop().time() >= deadline:
            reason = f"these have no leader at the moment: {', '.join(absent)}"
            raise JetStreamRefused(url=link.url, what=verb, reason=reason)
        await asyncio.sleep(RETRY)


async def _pages(link: Link, verb: str, key: str, body: dict[str, Any]) -> tuple[list[dict[str, Any]], set[str]]:
    found: list[dict[str, Any]] = []
    missing: set[str] = set()
    while True:
        # A cluster waits for 4 s before it lists without those that do not answer.
        answer = await call(link, verb, {**body, "offset": len(found)}, again=link.timeout)
        missing.update(answer.get("missing") or ())
        page = answer.get(key) or []
        found += page
        if not page or len(found) >= int(answer.get("total", 0)):
            return found, missing
