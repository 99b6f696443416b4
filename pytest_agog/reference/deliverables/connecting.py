"""A connection to NATS that says at once, in one line, why it cannot be had; and requests that outlive a reconnect.

nats-py keeps trying for minutes when a server is absent, and a request in flight when the connection breaks waits out
its whole timeout. Here the first connect fails as soon as every address has refused (2 s at most for one that does not
answer), a lost request is sent again after the reconnect (all requests of the engine may be repeated safely), and a
permission violation ends the request that caused it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client

from pytest_agog.errors import CertificateRefused, CredentialsRefused, NatsUnreachable, NatsUrlInvalid, TlsMissing
from pytest_agog.masking import mask
from pytest_agog.reference.deliverables.client import NO_TLS, SafeClient
from pytest_agog.reference.deliverables.credentials import Credentials
from pytest_agog.wire.users import MAPPED

if TYPE_CHECKING:
    from nats.aio.msg import Msg

CONNECT_TIMEOUT: Final = 2.0
"""Seconds until a server that does not answer counts as unreachable."""
REQUEST_TIMEOUT: Final = 5.0
_CLOSE_WITHIN: Final = 0.5
"""Seconds for letting go of a connection that did not come about."""
_WAIT: Final = 0.1
"""Seconds between two attempts to find a server again."""
_REFUSED_WAIT: Final = 0.5
"""The same, while the server refuses the credentials."""
_COPIES: Final = 3
"""Of a stream in a cluster."""
_SCHEMES: Final = ("nats", "tls", "ws", "wss")
_AUTH_WORDS: Final = ("authorization", "authentication", "user credentials", "permissions violation")


class NoAnswer(Exception):
    """The server is connected and did not answer in time; whoever asked says what that means."""


class _Lost(Exception):
    """The connection broke while a request was in flight."""


class _FirstConnectFailed(Exception):
    """Raised out of nats-py's error callback, which is the only way out of its retry loop."""


class Link:
    """A connection and the requests in flight on it."""

    def __init__(self, nc: Client, url: str, *, timeout: float = REQUEST_TIMEOUT, owned: bool = False) -> None:
        self.nc = nc
        self.url = mask(url)
        self.timeout = timeout
        self.owned = owned
        """Whether closing the link closes the connection."""
        self._inbox = ""
        self._subscription: Any = None
        self._starting = asyncio.Lock()
        self._numbers = count()
        self._pending: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._up = asyncio.Event()
        self._up.set()
        self._refused = ""
        """Why the server does not let us in again, while it does not."""

    @property
    def guarded(self) -> bool:
        """Whether the server asks who we are."""
        return bool(self.nc._server_info.get("auth_required"))  # noqa: SLF001 - its greeting, which nats-py keeps

    @property
    def clustered(self) -> bool:
        """Whether the server says that it belongs to a cluster."""
        return bool(getattr(self.nc, "_server_info", {}).get("cluster"))

    def copies(self, wanted: int | None) -> int:
        """How many replicas a new stream gets: as many as are wanted; without a wish three in a cluster, else one."""
        return wanted or (_COPIES if self.clustered else 1)

    async def request(
        self, subject: str, payload: bytes = b"", headers: dict[str, str] | None = None, *, within: float | None = None
    ) -> Msg:
        """Ask and return the answer, which may be a status (503: nobody serves `subject`).

        Raises:
            NatsUnreachable: the connection is lost and did not come back in time.
            CredentialsRefused: the user may not publish to `subject`.
            NoAnswer: nothing came within so many seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.timeout if within is None else within)
        if self._subscription is None:
            await self._listen()
        while True:
            if not self._up.is_set():
                await self._reconnected(deadline)
            try:
                return await self._once(subject, payload, headers, deadline)
            except _Lost:
                continue

    async def answers(self, within: float) -> bool:
        """Whether the server answers a PING within so many seconds. One that hangs stays connected for minutes."""
        if not self.nc.is_connected:
            return False
        # `flush` would call off what nats-py wakes with the next PONG, and that breaks its reading.
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self.nc._send_ping(pong)  # noqa: SLF001
        await asyncio.wait({pong}, timeout=within)
        return pong.done() and self.nc.is_connected

    async def _once(self, subject: str, payload: bytes, headers: dict[str, str] | None, deadline: float) -> Msg:
        loop = asyncio.get_running_loop()
        token = str(next(self._numbers))
        future: asyncio.Future[Msg] = loop.create_future()
        self._pending[token] = (subject, future)
        timer = loop.call_at(deadline, _expire, future)
        try:
            await self.nc.publish(subject, payload, reply=self._inbox + token, headers=headers)
            return await future
        except NoAnswer:
            if not self.nc.is_connected:
                raise NatsUnreachable(url=self.url, reason="the connection is lost") from None
            raise
        except (nats.errors.ConnectionClosedError, nats.errors.OutboundBufferLimitError) as error:
            raise NatsUnreachable(url=self.url, reason="the connection is closed") from error
        finally:
            timer.cancel()
            del self._pending[token]

    async def _listen(self) -> None:
        async with self._starting:
            if self._subscription is None:
                self._inbox = self.nc.new_inbox() + "."
                try:
                    self._subscription = await self.nc.subscribe(self._inbox + "*", cb=self._answered)
                except nats.errors.ConnectionClosedError as error:
                    raise NatsUnreachable(url=self.url, reason="the connection is closed") from error

    async def _answered(self, message: Msg) -> None:
        waiting = self._pending.get(message.subject[len(self._inbox) :])
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(message)

    async def _reconnected(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._up.wait()
        except TimeoutError:
            if self._refused:
                raise CredentialsRefused(url=self.url, reason=self._refused) from None
            raise NatsUnreachable(url=self.url, reason="the connection is lost") from None
        if self.nc.is_closed:
            raise NatsUnreachable(url=self.url, reason="the connection is closed")

    # --- what nats-py reports ---------------------------------------------------------------------------------------
    async def on_error(self, error: Exception) -> None:
        """A permission violation ends the request that it is about; nats-py reports its subject in lower case."""
        text = str(error).lower().replace(f'"{MAPPED.lower()}$', '"$')
        if "permissions violation" not in text:
            self._refused = mask(str(error).removeprefix("nats: ")) if _is_about_credentials(error) else ""
            if self._refused:
                # It looks for other credentials, which somebody has to bring; not ten times a second.
                self.nc.options["reconnect_time_wait"] = _REFUSED_WAIT
            return
        inbox_refused = "subscription to" in text and self._inbox[:-1].lower() in text
        for subject, future in list(self._pending.values()):
            if (inbox_refused or f'"{subject.lower()}"' in text) and not future.done():
                reason = mask(text.removeprefix("nats: "))
                future.set_exception(CredentialsRefused(url=self.url, reason=reason))

    async def on_disconnect(self) -> None:
        """Requests in flight are sent again after the reconnect."""
        self._up.clear()
        for _, future in list(self._pending.values()):
            if not future.done():
                future.set_exception(_Lost())

    async def on_reconnect(self) -> None:
        """Go on."""
        self._refused = ""
        self.nc.options["reconnect_time_wait"] = _WAIT
        self._up.set()

    async def on_close(self) -> None:
        """Nothing will come any more: wake those who wait for a reconnect, so that they say so."""
        self._up.set()

    async def close(self) -> None:
        """Let go: of the inbox, and of the connection if it is ours."""
        # What waits to be written may meet a server that is gone.
        with contextlib.suppress(nats.errors.Error, OSError):
            if self.owned:
                # nats-py's reconnecting task can swallow the cancellation that `close` sends, and then never ends; with
                # no attempts left it gives up by itself.
                self.nc.options["max_reconnect_attempts"] = 1
                await self.nc.close()
            elif self._subscription is not None and not self.nc.is_closed:
                await self._subscription.unsubscribe()
        if self.owned and isinstance(self.nc, SafeClient):
            self.nc.abandon()  # nats-py leaves it open when that last write failed
        self._subscription = None


def _expire(future: asyncio.Future[Msg]) -> None:
    if not future.done():
        future.set_exception(NoAnswer())


async def connect(
    url: str,
    *,
    creds: str | Path | None = None,
    inbox_prefix: str | None = None,
    within: float = REQUEST_TIMEOUT,
    client: Client | None = None,
    credentials: Credentials | None = None,
) -> Link:
    """Connect to the first of the servers in `url` (comma-separated) that answers.

    Unless `credentials` are given, what is not said by `url` and `creds` comes from the environment: see `Credentials`.
    The inbox prefix is the user's own unless it is given. `client` is a fresh one of a kind of its own, which is then
    connected.

    Raises:
        NatsUnreachable: none answers; the reason is the last one's.
        CredentialsRefused: a server wants other credentials.
        CredentialsUnreadable, NkeyUnreadable, CertificateUnreadable: a file is not what it is named for.
        CertificateRefused, TlsMissing: the server is not proven to be the one that is meant.
        NatsUrlInvalid: `url` is none.
    """
    servers = [part.strip() for part in url.split(",") if part.strip()]
    nc = client or SafeClient()
    shown = credentials or Credentials.found(url, creds)
    link = Link(nc, url, timeout=within, owned=True)
    failures: list[Exception] = []
    connected = False

    async def on_error(error: Exception) -> None:
        if connected:
            await link.on_error(error)
            return
        failures.append(error)
        if len(failures) >= len(servers) or _is_about_credentials(error):
            raise _FirstConnectFailed

    _check(url, servers)
    shown.check()
    options = _options(shown, url, nc)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT * len(servers) + 0.5):
            await nc.connect(
                servers, inbox_prefix=inbox_prefix or shown.inbox_prefix, error_cb=on_error,
                disconnected_cb=link.on_disconnect, reconnected_cb=link.on_reconnect, closed_cb=link.on_close,
                connect_timeout=2, reconnect_time_wait=0, max_reconnect_attempts=-1, dont_randomize=True,
                name="agog", **options,
            )  # fmt: skip
        connected = True
        # A killed server is back within milliseconds; looking for it ten times a second costs nothing.
        nc.options["reconnect_time_wait"] = _WAIT
    except (_FirstConnectFailed, TimeoutError, OSError, nats.errors.Error, ValueError) as error:
        if isinstance(nc, SafeClient):
            nc.abandon()
        with contextlib.suppress(Exception):
            # After a handshake that failed nobody closes the stream on which it began, and nats-py waits for that.
            await asyncio.wait_for(nc.close(), _CLOSE_WITHIN)
        failure: Exception = failures[-1] if failures else error
        # The server may close so soon after its refusal that the refusal itself is lost.
        if isinstance(failure, ConnectionError) and await _wants_credentials(
            servers[(len(failures) - 1) % len(servers)]
        ):
            raise CredentialsRefused(url=mask(url), reason="the server closed the connection") from None
        raise _first_connect_error(url, failure) from None
    return link


def _options(shown: Credentials, url: str, nc: Client) -> dict[str, Any]:
    """Only what there is: a client of a kind of its own may have more to show."""
    found: dict[str, Any] = {}
    if shown.creds is not None:
        found["user_credentials"] = str(shown.creds)
    if shown.nkey is not None:
        found["nkeys_seed"] = str(shown.nkey)
    if (context := shown.tls(url)) is not None:
        found["tls"] = context
    if shown.ca is not None and isinstance(nc, SafeClient):
        nc.tls_only, nc.authority = True, shown.ca
    return found


async def _wants_credentials(server: str) -> bool:
    """Whether the server's greeting says that it wants credentials."""
    address = urlsplit(server if "://" in server else f"nats://{server}")
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            reader, writer = await asyncio.open_connection(address.hostname, address.port or 4222)
            try:
                greeting = await reader.readline()
            finally:
                writer.close()
        return bool(json.loads(greeting.partition(b" ")[2] or b"{}").get("auth_required"))
    except (OSError, TimeoutError, ValueError):
        return False


def _check(url: str, servers: Sequence[str]) -> None:
    if not servers or any(character.isspace() for part in servers for character in part):
        raise NatsUrlInvalid(url=mask(url), reason="it names no server")
    for scheme in (part.partition("://")[0] for part in servers if "://" in part):
        if scheme.lower() not in _SCHEMES:
            # nats-py would look for a host of that name.
            raise NatsUrlInvalid(url=mask(url), reason=f"{scheme} is none of {', '.join(_SCHEMES)}")


def _is_about_credentials(error: Exception) -> bool:
    return any(word in str(error).lower() for word in _AUTH_WORDS)


def _first_connect_error(url: str, error: Exception) -> Exception:
    reason = mask(str(error).removeprefix("nats: ").strip("'") or type(error).__name__)
    if _is_about_credentials(error):
        return CredentialsRefused(url=mask(url), reason=reason)
    if isinstance(error, ssl.SSLError):
        # "certificate verify failed: Hostname mismatch, …": only the second half tells anything.
        said = getattr(error, "verify_message", "") or error.reason or reason
        return CertificateRefused(url=mask(url), reason=mask(str(said).rstrip(".")))
    if NO_TLS in reason:
        return TlsMissing(url=mask(url))
    if isinstance(error, ValueError) or "connect url" in reason or "mixing of websocket" in reason:
        return NatsUrlInvalid(url=mask(url), reason=reason)
    if isinstance(error, (TimeoutError, nats.errors.TimeoutError, _FirstConnectFailed)):
        reason = f"no answer within {CONNECT_TIMEOUT:g} s"
    elif isinstance(error, ConnectionRefusedError):
        reason = "connection refused"
    elif isinstance(error, OSError) and error.strerror:
        reason = error.strerror
    return NatsUnreachable(url=mask(url), reason=reason)
