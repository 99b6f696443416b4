"""Asks a server what a user may do: connects as that user, tries it, and notes the server's words. [C10, J24]

Nothing that runs comes to harm, whatever is allowed. nats-server looks at the subject of a request before anybody reads
the request itself; so each request here has the subject of the real one and a payload that JetStream refuses: an answer
of JetStream shows that the request was let through, `-ERR 'Permissions Violation …'` that it was not.

- create, delete, purge and consume send half a JSON object. Where a payload may be absent, that is not the same as any
  other payload: nats-server 2.15 takes a purge with a text that does not begin with `{` for a purge of everything.
- A message is published with `Nats-Expected-Stream` naming no stream, so that a stream refuses to store it. Who
  subscribes to the subject directly does get it; the harness's recorder knows and skips it.
- A subscription ends with the connection, some milliseconds later.
- An acknowledgement says "in progress" of a delivery that never was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agog.ledger.access import ANYBODY, HARNESS, Access
from pytest_agog.ledger.answers import AuthOutcome, AuthSeen, AuthTry
from pytest_agog.ledger.jetstream import API
from pytest_agog.ledger.probes import AuthProbe
from pytest_agog.ledger.probing.speaking import Refused, Silence, Speaker, Unreachable, speaking
from pytest_agog.masking import mask
from pytest_agog.wire.users import USERS

PATIENCE: Final = 2.0
"""Seconds for a connection, and for an answer of the server."""
_TIMES: Final = 4
"""How often JetStream is asked when it does not answer."""
NOBODYS: Final = "agog_probe"
"""A stream and a consumer that do not exist, where a claim names none."""
_AT_ONCE: Final = 8
"""Connections at the same time."""
_NAME: Final = "agog-auth-probe"
_HALF: Final = b'{"filter":"agog.auth.probe","no_wait":true,'
"""No JSON object; and if some server took it for one, it would name nothing that there is."""
_NOT_STORED: Final = b"NATS/1.0\r\nNats-Expected-Stream: agog-auth-probe\r\n\r\n"
_IN_PROGRESS: Final = b"+WPI"
_ACKS: Final = "$JS.ACK."
_NEVER: Final = "1.9999999999.9999999999.1.0"
"""A delivery that never was: attempt, stream sequence, consumer sequence, time, pending."""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to try."""

    subject: str
    payload: bytes = _HALF
    header: bytes = b""
    answered: bool = True
    """Whether JetStream answers where it is let through."""
    needed: bool = True

    @property
    def what(self) -> str:
        """In words."""
        return f"publish to {self.subject}"


@dataclass(frozen=True, slots=True)
class Listening:
    """A subscription to try."""

    subject: str
    needed: bool = True

    @property
    def what(self) -> str:
        """In words."""
        return f"subscribe to {self.subject}"


class Permissions:
    """Asks one system of servers. `access` gives a user's credentials, or None where the play has none of that name."""

    def __init__(self, access: Callable[[str], Access | None]) -> None:
        self._access = access
        self.token = f"agog_auth_{secrets.token_hex(8)}"
        """Part of the reply subjects of everything that is tried: so the recorder knows it."""
        self._gate = asyncio.Semaphore(_AT_ONCE)

    def is_own(self, reply: str) -> bool:
        """Whether a message with this reply subject is one of ours."""
        return self.token in reply

    async def ask(self, probe: AuthProbe) -> AuthSeen:
        """Try what `probe` asks about. Never raises."""
        async with self._gate:
            try:
                return await self._nobody(probe) if probe.user == ANYBODY else await self._user(probe)
            except Exception as error:
                reason = mask(f"{type(error).__name__}: {error}")
                return AuthSeen(probe.key, probe.user, probe.operation, probe.on, (), reason=reason)

    async def _user(self, probe: AuthProbe) -> AuthSeen:
        access = self._access(probe.user)
        if access is None:
            known = ", ".join(user.name for user in USERS)
            reason = f"this play has no credentials of a user {probe.user!r} (users: {known}; {ANYBODY} has none)"
            return AuthSeen(probe.key, probe.user, probe.operation, probe.on, (), reason=reason)
        return await self._tried(probe, access)

    async def _nobody(self, probe: AuthProbe) -> AuthSeen:
        """Without credentials, and with the name of a user that there is and a wrong password."""
        known = self._access(HARNESS)
        if known is None:
            return AuthSeen(probe.key, probe.user, probe.operation, probe.on, (), reason="this play has no NATS")
        addresses = ",".join(_without_user(address) for address in known.addresses.split(","))
        plain = await self._tried(probe, Access(addresses, ca=known.ca))
        guess = Access(addresses, user=HARNESS, password=secrets.token_hex(8), ca=known.ca)
        guessed = await self._tried(probe, guess)
        named = [(plain, "without credentials"), (guessed, "with a wrong password")]
        tries = [_renamed(one, f"{one.what} {how}") for seen, how in named for one in seen.tries]
        return AuthSeen(
            probe.key, probe.user, probe.operation, probe.on, tuple(tries), plain.encryption, asked=plain.asked
        )

    async def _tried(self, probe: AuthProbe, access: Access) -> AuthSeen:
        encryption, asked = "", True
        tries: list[AuthTry] = []
        try:
            async with speaking(access, _NAME, PATIENCE) as speaker:
                encryption, asked = speaker.encryption, bool(speaker.info.get("auth_required"))
                if probe.operation == "connect":
                    tries.append(AuthTry("connect", "allowed", _welcome(speaker)))
                else:
                    tries += await self._all(speaker, access, requests(probe.operation, probe.on))
        except Refused as error:
            tries.append(AuthTry("connect", "denied", mask(str(error))))
        except Unreachable as error:
            tries.append(AuthTry("connect", "unreachable", mask(str(error))))
        except Silence as error:
            tries.append(AuthTry("connect", "unanswered", mask(str(error))))
        return AuthSeen(probe.key, probe.user, probe.operation, probe.on, tuple(tries), encryption, asked)

    async def _all(self, speaker: Speaker, access: Access, wanted: Sequence[Request | Listening]) -> list[AuthTry]:
        inbox = f"{access.inbox_prefix}.{self.token}"
        closed = (await _listen(speaker, f"{inbox}.*", 1, stays=True))[0] != "allowed"
        found = []
        for number, one in enumerate(wanted, start=2):
            if isinstance(one, Listening):
                outcome, said = await _listen(speaker, one.subject, number)
            else:
                reply = f"{inbox}.{number}"
                outcome, said = await _send(speaker, one, reply, heard=not closed)
            found.append(AuthTry(one.what, outcome, mask(said), one.needed))
        return found


async def _listen(speaker: Speaker, subject: str, number: int, *, stays: bool = False) -> tuple[AuthOutcome, str]:
    try:
        async with asyncio.timeout(PATIENCE):
            refused = await speaker.say(f"SUB {subject} {number}\r\n".encode())
            if refused:
                return "denied", refused[0]
            if not stays:
                await speaker.say(f"UNSUB {number}\r\n".encode())
    except TimeoutError:
        return "unanswered", f"no answer within {PATIENCE:g} s"
    except Silence as error:
        return "unanswered", str(error)
    return "allowed", "the server took the subscription"


async def _send(speaker: Speaker, request: Request, reply: str, *, heard: bool) -> tuple[AuthOutcome, str]:
    """`heard`: whether this user hears answers at all."""
    try:
        for _ in range(_TIMES):
            async with asyncio.timeout(PATIENCE):
                refused = await speaker.say(_command(request, reply))
            if refused:
                return "denied", refused[0]
            if not request.answered or not heard:
                return "allowed", "the server let it through"
            # While a cluster elects a leader nobody answers, and nobody will: the request is lost.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE / 2):
                    return "allowed", _answer(await speaker.reply(reply))
    except TimeoutError:
        return "unanswered", f"no answer within {PATIENCE:g} s"
    except Silence as error:
        return "unanswered", str(error)
    return "unanswered", f"let through {_TIMES} times, but JetStream does not answer"


def _command(request: Request, reply: str) -> bytes:
    header, payload = request.header, request.payload
    sizes = f"{len(header)} {len(header) + len(payload)}" if header else f"{len(payload)}"
    verb = "HPUB" if header else "PUB"
    return f"{verb} {request.subject} {reply} {sizes}\r\n".encode() + header + payload + b"\r\n"


def _answer(data: bytes) -> str:
    """What JetStream said, in its words."""
    text = data.decode("utf-8", "replace").strip()
    try:
        told = json.loads(text)
        error = told["error"]
        return f"JetStream: {error['description']} ({error['err_code']})"
    except (ValueError, LookupError, TypeError):
        return f"the answer: {text[:200]}" if text else "it was acknowledged"


def _welcome(speaker: Speaker) -> str:
    asked = "the server took the credentials" if speaker.info.get("auth_required") else "the server asks for none"
    return f"{asked}{f', over {speaker.encryption}' if speaker.encryption else ''}"


def _renamed(one: AuthTry, what: str) -> AuthTry:
    return AuthTry(what, one.outcome, one.said, one.needed)


def _without_user(address: str) -> str:
    scheme, separator, rest = address.strip().rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def requests(operation: str, on: str) -> Sequence[Request | Listening]:
    """What is tried for an operation other than `connect`; the first are what it needs, the others lead to the same."""
    stream, _, consumer = (on or NOBODYS).partition("/")
    match operation, bool(consumer):
        case "publish", _:
            payload = _IN_PROGRESS if on.startswith(_ACKS) else _HALF
            return [Request(on, payload, _NOT_STORED, answered=False)]
        case "subscribe", _:
            return [Listening(on), *(Listening(one, needed=False) for one in _inboxes(on))]
        case "create", False:
            return [
                Request(f"{API}.STREAM.CREATE.{stream}"),
                Request(f"{API}.STREAM.UPDATE.{stream}", needed=False),
                Request(f"{API}.STREAM.RESTORE.{stream}", needed=False),
            ]
        case "create", True:
            return [
                Request(f"{API}.CONSUMER.CREATE.{stream}.{consumer}"),
                Request(f"{API}.CONSUMER.DURABLE.CREATE.{stream}.{consumer}", needed=False),
                # With a filter, and of the older form that leaves the name to the request.
                Request(f"{API}.CONSUMER.CREATE.{stream}.{consumer}.{NOBODYS}", needed=False),
                Request(f"{API}.CONSUMER.CREATE.{stream}", needed=False),
            ]
        case "delete", False:
            return [
                Request(f"{API}.STREAM.DELETE.{stream}"), Request(f"{API}.STREAM.MSG.DELETE.{stream}", needed=False)
            ]  # fmt: skip
        case "delete", True:
            return [Request(f"{API}.CONSUMER.DELETE.{stream}.{consumer}")]
        case "purge", _:
            return [Request(f"{API}.STREAM.PURGE.{stream}")]
        case _:
            consumer = consumer or NOBODYS
            return [
                Request(f"{API}.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
                Request(f"{_ACKS}{stream}.{consumer}.{_NEVER}", _IN_PROGRESS),
                Request(f"{_ACKS}_.agog.{stream}.{consumer}.{_NEVER}", _IN_PROGRESS, answered=False, needed=False),
                Request(f"{_ACKS}_.agog.{stream}.{consumer}.{_NEVER}._", _IN_PROGRESS, answered=False, needed=False),
            ]


def _inboxes(subject: str) -> Sequence[str]:
    """Inboxes under `_INBOX….>`, as clients name them. Who may not subscribe to all at once, for instance since only
    `_INBOX_system.*.*` is open, reads these nevertheless."""
    if not (subject.startswith("_INBOX") and subject.endswith(".>")):
        return ()
    return tuple(f"{subject[:-1]}{'.'.join([NOBODYS] * tokens)}" for tokens in (1, 2))
