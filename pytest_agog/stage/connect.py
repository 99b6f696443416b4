"""The harness's connections to NATS: quick to fail at first, tireless afterwards, silent throughout."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_agog.errors import (
    CertificateRefused,
    CertificateUnreadable,
    CredentialsRefused,
    JetStreamDisabled,
    NatsUnreachable,
    NatsUrlInvalid,
    ServiceError,
    TlsMissing,
)
from pytest_agog.ledger.access import Access, given
from pytest_agog.masking import mask

if TYPE_CHECKING:
    from nats.aio.client import Client

FIRST_CONNECT = 2.0
"""Seconds for the first connection, all servers of the URL together."""
CLOSE_WITHIN = 0.5
"""Seconds for letting go of a connection that did not come about: after a handshake that failed nobody closes the
stream on which it began, and nats-py waits for that."""
RECONNECT_WAIT = 0.05
HARNESS_INBOX = "_INBOX.agog_play"
"""Inboxes of the player itself: within what a user with the usual `_INBOX.>` may subscribe, and told from others."""
_SCHEMES = ("nats", "tls", "ws", "wss")
NO_TLS = "the server offers no TLS"
_LOG = logging.getLogger(__name__)
_REFUSALS = ("authorization violation", "authentication", "user authentication", "permissions violation", "revoked")


async def connect_nats(
    url: str,
    *,
    creds: Path | None = None,
    name: str = "agog",
    patience: float = FIRST_CONNECT,
    inbox: str = "_INBOX",
    access: Access | None = None,
) -> Client:
    """Connect to NATS at `url` (several servers separated by commas).

    The first connection succeeds within `patience` seconds or fails with the reason. One that is lost later is tried
    again every 50 ms for as long as it takes; what the client reports meanwhile goes to the log. Replies to it travel
    on subjects that begin with `inbox`. `access` stands for address and credentials.

    Raises:
        NatsUnreachable: nobody answers, or not as NATS does.
        CredentialsRefused: user, password, token, nkey or credentials file are wrong.
        CertificateRefused, TlsMissing: the server is not proven to be the one that is meant.
        NatsUrlInvalid: `url` is no address.
    """
    from pytest_agog.stage.verifying import VerifyingClient

    access = access or given(url, creds)
    url, servers = access.url, _servers(access.url)
    for file in (access.creds, access.nkey):
        if file is not None and not file.is_file():
            raise CredentialsRefused(url=mask(url), reason=f"there is no file {file}")
    client = VerifyingClient()
    seen: list[Exception] = []

    async def note(error: Exception) -> None:
        if client.is_connected:
            _LOG.debug("%s: %s", name, error)
        else:
            seen[:] = [*seen[-9:], error]

    try:
        async with asyncio.timeout(patience):
            await client.connect(
                servers=servers,
                name=name,
                inbox_prefix=inbox,
                error_cb=note,
                user_credentials=str(access.creds) if access.creds else None,
                nkeys_seed=str(access.nkey) if access.nkey else None,
                tls=_tls(access),
                connect_timeout=max(1, int(patience)),
                # The client tries a server this often on the first connect too; below 1 it would never give up.
                max_reconnect_attempts=1,
                reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]  # seconds; fractions work
            )
    except Exception as error:
        await close_nats(client, CLOSE_WITHIN)
        raise _explain(url, error, seen) from error
    except BaseException:
        await close_nats(client, CLOSE_WITHIN)
        raise
    client.options["max_reconnect_attempts"] = -1
    return client


async def require_jetstream(client: Client, url: str) -> None:
    """See that JetStream answers.

    Raises:
        JetStreamDisabled: the server, or this account, has none.
        CredentialsRefused: this user may not ask.
    """
    from nats.errors import Error
    from nats.js.errors import APIError

    try:
        await client.jetstream(timeout=FIRST_CONNECT).account_info()
    except APIError as error:
        raise JetStreamDisabled(url=mask(url)) from error
    except (Error, TimeoutError) as error:
        last = client.last_error
        if last is not None and _is_refusal(last):
            raise CredentialsRefused(url=mask(url), reason=mask(str(last))) from error
        raise JetStreamDisabled(url=mask(url)) from error


def _tls(access: Access) -> ssl.SSLContext | None:
    try:
        return access.tls()
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        reason = error.strerror if absent and error.strerror else "it holds no certificate in PEM"
        raise CertificateUnreadable(path=access.ca, reason=reason) from error


def _servers(url: str) -> list[str]:
    """The servers of a URL, each seen to be an address."""
    servers = [server.strip() for server in url.split(",") if server.strip()]
    if not servers:
        raise NatsUrlInvalid(url=url, reason="it is empty")
    for server in servers:
        try:
            parts = urlsplit(server if "://" in server else f"nats://{server}")
            usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError as error:
            raise NatsUrlInvalid(url=mask(url), reason=str(error)) from error
        if parts.scheme not in _SCHEMES:
            raise NatsUrlInvalid(url=mask(url), reason=f"it begins with {parts.scheme}://")
        if not usable:
            raise NatsUrlInvalid(url=mask(url), reason="it names no host")
    return servers


def _is_refusal(error: Exception) -> bool:
    return any(word in str(error).lower() for word in _REFUSALS)


def _explain(url: str, error: Exception, seen: list[Exception]) -> ServiceError:
    """The client gives up with "no servers"; what it met on the way says why."""
    causes = [*seen, error]
    refusal = next((cause for cause in causes if _is_refusal(cause)), None)
    if refusal is not None:
        return CredentialsRefused(url=mask(url), reason=_words(refusal))
    if type(error).__name__ in ("InvalidUserCredentialsError", "FileNotFoundError", "PermissionError"):
        return CredentialsRefused(url=mask(url), reason=_words(error))
    unsafe = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if unsafe is not None:
        said = getattr(unsafe, "verify_message", "") or unsafe.reason or str(unsafe)
        return CertificateRefused(url=mask(url), reason=said.rstrip("."))
    if any(NO_TLS in str(cause) for cause in causes):
        return TlsMissing(url=mask(url))
    return NatsUnreachable(url=mask(url), reason=_words(seen[-1] if seen else error))


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return mask(str(error).removeprefix("nats: ").strip("'\"") or type(error).__name__)


async def close_nats(client: Client, patience: float = 2.0) -> None:
    """Close a client whose server may be gone already; what goes wrong then matters to nobody."""
    # nats-py's reconnecting task can swallow the cancellation that `close` sends and then never ends; with no attempts
    # left it gives up by itself.
    client.options["max_reconnect_attempts"] = 1
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), patience)
