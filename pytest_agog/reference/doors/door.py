"""The door in front of an application: who has no token stays outside, and who asks too often waits. [C10]

It is an ASGI application around another one, so it knows nothing of what is behind it but the paths that differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, PlainTextResponse, Response

from pytest_agog.reference.doors import clients, names, sessions, signing
from pytest_agog.reference.doors.counting import DoorCounts, Limited
from pytest_agog.reference.doors.keyring import Key, Keyring
from pytest_agog.reference.doors.limiting import Buckets, Streams

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from pytest_agog.reference.doors.settings import DoorSettings

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""What probes ask: it tells nothing, and needs no token. A door that is shut is no illness."""
METRICS: Final = "/metrics"
RETRY_STREAM: Final = 5
"""Seconds after which a reader may try again whether there is room."""
_PLAIN: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_FAR: Final = (
    "without a token this service is asked by names of this machine only; ask 127.0.0.1 or localhost, or start it with "
    "--token-file, or with --trusted-proxies when a proxy asks"
)
_CHALLENGE: Final = 'Bearer realm="agog"'


@dataclass(frozen=True, slots=True)
class _Visitor:
    """One request's sender."""

    client: clients.Client
    key: Key | None = None
    until: int | None = None
    """When the session ends (seconds since 1970)."""
    presented: bool = False
    """It showed a token, right or wrong."""

    @property
    def name(self) -> str:
        """What its requests are counted under: an address, and the token where there is one."""
        return f"{self.client.name} {self.key.id}" if self.key is not None else self.client.name


class Door:
    """Lets requests through to `app`. `streams` are the paths that never end; `near` is the host that a service listens
    on which only this machine reaches. Without a token it is then asked by names of this machine alone, unless there is
    a proxy, which passes on what it was asked.
    """

    def __init__(
        self, app: ASGIApp, settings: DoorSettings, *, streams: frozenset[str] = frozenset(),
        counts: DoorCounts | None = None, near: str | None = None,
    ) -> None:  # fmt: skip
        self._app = app
        self._settings = settings
        self._paths = streams
        self._near = near if settings.keyring is None and not settings.proxies else None
        self.counts = counts if counts is not None else DoorCounts()
        limits = settings.limits
        self._requests = Buckets(limits.requests)
        self._sign_ins = Buckets(limits.sign_ins)
        self._streams = Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._other(scope, receive, send)
            return
        path = scope["path"]
        if path in OPEN:
            await self._app(scope, receive, _guarded(send))
            return
        if self._near is not None and path != METRICS and not names.is_near(_header(scope, b"host"), self._near):
            await JSONResponse({"error": _FAR}, 421, _PLAIN)(scope, receive, send)
            return
        visitor = self._visitor(scope)
        answer = self._limited(visitor, path) or await self._unless_known(visitor, scope, receive)
        if answer is not None:
            await answer(scope, receive, send)
        elif path in self._paths and scope["method"] == "GET":
            await self._stream(visitor, scope, receive, send)
        elif scope["method"] not in _HARMLESS and _is_from_elsewhere(scope):  # loopback is in reach of every browser
            await JSONResponse({"error": "a page of another site changes nothing here"}, 403, _PLAIN)(
                scope, receive, send
            )
        else:
            await self._app(scope, receive, _guarded(send))

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and self._settings.keyring is not None:  # there are none behind this door
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    # --- who it is --------------------------------------------------------------------------------------------------
    def _visitor(self, scope: Scope) -> _Visitor:
        client = clients.identify(scope, self._settings.proxies)
        keyring = self._settings.keyring
        if keyring is None:
            return _Visitor(client)
        scheme, _, token = _header(scope, b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            return _Visitor(client, keyring.find(token.strip()), presented=True)
        session = sessions.find(_header(scope, b"cookie"), keyring.current(), time.time())
        return _Visitor(client, *session) if session is not None else _Visitor(client)

    async def _unless_known(self, visitor: _Visitor, scope: Scope, receive: Receive) -> Response | None:
        """What is answered instead of the application."""
        keyring = self._settings.keyring
        if keyring is None:
            return None
        path = scope["path"]
        if path == signing.SIGN_IN:
            return await self._sign_in(visitor, keyring, scope, receive)
        if path == signing.SIGN_OUT:
            return _sign_out(visitor, keyring, scope)
        if visitor.key is not None or (path == METRICS and self._settings.open_metrics):
            return None
        self.counts.refused["wrong_token" if visitor.presented else "no_token"] += 1
        challenge = _CHALLENGE + (', error="invalid_token"' if visitor.presented else "")
        if _is_of_browser(scope):
            came_for = signing.asked(path, scope["query_string"])
            return signing.form(came_for, 401, headers={"WWW-Authenticate": challenge})
        why = "this token is not valid (any more)" if visitor.presented else "a token is needed"
        told = f"{why}; send it as `Authorization: Bearer TOKEN`"
        return JSONResponse({"error": told}, 401, {**_PLAIN, "WWW-Authenticate": challenge})

    async def _sign_in(self, visitor: _Visitor, keyring: Keyring, scope: Scope, receive: Receive) -> Response:
        if scope["method"] in ("GET", "HEAD"):
            return signing.form("/", 200) if visitor.key is None else signing.signed_in()
        if scope["method"] != "POST":
            return JSONResponse({"error": "GET or POST"}, 405, {**_PLAIN, "Allow": "GET, HEAD, POST"})
        if _is_from_elsewhere(scope):
            return JSONResponse({"error": "the form of another site signs nobody in"}, 403, _PLAIN)
        wait = self._sign_ins.take(visitor.client.name)
        if wait:
            return self._too_many("sign_ins", 429, wait, "attempts to sign in", browser=True)
        body = await _body(receive)
        token, came_for = signing.read(body) if body is not None else ("", "")
        key = keyring.find(token)
        if key is None:
            self.counts.refused["sign_in"] += 1
            return signing.form(came_for, 401, trouble="This is not a valid token.")
        self._sign_ins.give_back(visitor.client.name)
        session = sessions.begin(key, time.time())
        return signing.lead(came_for, [sessions.cookie(key, session, secure=visitor.client.secure)])

    # --- how often --------------------------------------------------------------------------------------------------
    def _limited(self, visitor: _Visitor, path: str) -> Response | None:
        if path == METRICS or (visitor.client.local and not self._settings.limits.for_local):
            return None
        wait = self._requests.take(visitor.name)
        return self._too_many("requests", 429, wait, "requests") if wait else None

    async def _stream(self, visitor: _Visitor, scope: Scope, receive: Receive, send: Send) -> None:
        limits = self._settings.limits
        held = not visitor.client.local or limits.for_local
        answer: Response | None = None
        if limits.all_streams is not None and self._streams.open >= limits.all_streams:
            answer = self._too_many("all_streams", 503, RETRY_STREAM, "readers")
        elif held and limits.streams is not None and self._streams.of(visitor.name) >= limits.streams:
            answer = self._too_many("streams", 429, RETRY_STREAM, "readers of yours")
        if answer is not None:
            await answer(scope, receive, send)
            return
        with self._streams.one_more(visitor.name):
            if visitor.key is None or self._settings.keyring is None:
                await self._app(scope, receive, send)
            else:
                watched = _Watched(visitor.key, visitor.until, self._settings.keyring, receive, send)
                await self._app(scope, watched.receive, watched.send)

    def _too_many(self, limit: Limited, status: int, wait: int, what: str, *, browser: bool = False) -> Response:
        self.counts.limited[limit] += 1
        told = f"too many {what}; try again in {wait} s"
        headers = {**_PLAIN, "Retry-After": str(wait)}
        return PlainTextResponse(told, status, headers) if browser else JSONResponse({"error": told}, status, headers)


class _Watched:
    """A stream whose reader is sent away when its token or its session ends. It is looked at whenever something is
    sent, and that happens every few seconds.
    """

    def __init__(self, key: Key, until: int | None, keyring: Keyring, receive: Receive, send: Send) -> None:
        self._key = key
        self._until = until
        self._keyring = keyring
        self._receive = receive
        self._send = send
        self._over = asyncio.Event()

    async def send(self, message: Message) -> None:
        over = self._until is not None and time.time() >= self._until
        if over or self._key not in self._keyring.current():
            self._over.set()
        if self._over.is_set() and message.get("body"):
            return  # only the end is sent any more
        await self._send(message)

    async def receive(self) -> Message:
        coming = asyncio.ensure_future(self._receive())
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait([coming, over], return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            for task in (coming, over):
                task.cancel()
            with contextlib.suppress(Exception):
                await asyncio.gather(coming, over, return_exceptions=True)


def _sign_out(visitor: _Visitor, keyring: Keyring, scope: Scope) -> Response:
    if scope["method"] != "POST":
        return JSONResponse({"error": "POST only"}, 405, {**_PLAIN, "Allow": "POST"})
    if _is_from_elsewhere(scope):
        return JSONResponse({"error": "the form of another site signs nobody out"}, 403, _PLAIN)
    over = [sessions.cookie(key, "", secure=visitor.client.secure) for key in keyring.current()]
    return signing.lead(signing.SIGN_IN, over)


def _is_of_browser(scope: Scope) -> bool:
    """Whether somebody waits for a page, and not a program for data."""
    return scope["method"] in ("GET", "HEAD") and "text/html" in _header(scope, b"accept")


def _is_from_elsewhere(scope: Scope) -> bool:
    """Browsers say so; other clients have no cookies that somebody could misuse."""
    return _header(scope, b"sec-fetch-site") not in ("", "same-origin", "none")


def _guarded(send: Send) -> Send:
    """`send`, so that each answer says that it is what it says and is not to be kept, unless it says otherwise; and a
    redirect leads to a path of this service, whatever host and scheme the request seemed to have.
    """

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            named = {name for name, _ in headers}
            headers += [(name, value) for name, value in _ALWAYS if name not in named]
            message = {
                **message,
                "headers": [(name, _near(value) if name == b"location" else value) for name, value in headers],
            }
        await send(message)

    return guarded


def _near(location: bytes) -> bytes:
    found = urlsplit(location.decode("latin-1"))
    path = found.path + (f"?{found.query}" if found.query else "")
    return signing.here(path).encode("latin-1")


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a small form; None when it is none."""
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        found += message.get("body", b"")
        if len(found) > signing.LARGEST_FORM:
            return None
        if not message.get("more_body", False):
            return bytes(found)
