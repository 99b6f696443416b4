"""JetStream's JSON API over a link, and what its refusals mean in our words."""

from __future__ import annotations

import json
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
UNAVAILABLE: Final = frozenset({10008, 10009, 10041, 10118})
"""No leader at the moment; asking again helps."""
NO_RESPONDERS: Final = "503"


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


async def call(link: Link, verb: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask `$JS.API.{verb}`.

    Raises:
        Refusal: the API said no.
        JetStreamDisabled: nobody answers for JetStream.
        NatsUnreachable, CredentialsRefused: as the link says.
    """
    try:
        message = await link.request(f"{PREFIX}.{verb}", json.dumps(body).encode() if body is not None else b"")
    except NoAnswer:
        raise JetStreamRefused(url=link.url, what=verb, reason=f"no answer within {link.timeout:g} s") from None
    if message.headers and message.headers.get("Status") == NO_RESPONDERS:
        raise JetStreamDisabled(url=link.url)
    answer: dict[str, Any] = json.loads(message.data)
    if error := answer.get("error"):
        refusal = Refusal.of(error)
        if refusal.err_code in _DISABLED:
            raise JetStreamDisabled(url=link.url)
        raise refusal
    return answer


async def list_all(link: Link, verb: str, key: str, body: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """All pages of a listing: `STREAM.LIST` with `streams`, `CONSUMER.LIST.{stream}` with `consumers`."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await call(link, verb, {**(body or {}), "offset": len(found)})
        page = answer.get(key) or []
        found += page
        if not page or len(found) >= int(answer.get("total", 0)):
            return found
