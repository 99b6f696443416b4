"""A connection that speaks NATS's own protocol, so that the server's very words can be quoted.

A client library reports a refusal beside the call that caused it, if at all. Here commands go out with a PING behind
them: the server answers in order, so what it refuses stands before the PONG, and what does not was let through.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from pytest_agog.ledger.access import Access, asks_for_tls

_PORT: Final = 4222
_LONGEST: Final = 1 << 20
"""Bytes of a line; an INFO of a large cluster has some thousand."""


class Unreachable(Exception):
    """No server can be spoken to: nothing is allowed and nothing denied."""


class Refused(Exception):
    """The server does not take the credentials; the message is its own."""


class Silence(Exception):
    """The server stays silent, or went away in the midst of it."""


class Speaker:
    """One connection, as one user. Made by `speaking`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, info: dict[str, Any]) -> None:
        self._reader = reader
        self._writer = writer
        self.info = info
        """What the server said of itself."""
        self._replies: dict[str, bytes] = {}

    @property
    def encryption(self) -> str:
        """`TLSv1.3`, or empty."""
        connection = self._writer.get_extra_info("ssl_object")
        return str(connection.version() or "") if connection is not None else ""

    async def say(self, command: bytes) -> list[str]:
        """Send a command; returns what the server refused in its own words, nothing when it let it through.

        Raises:
            Silence: it does not answer any more.
        """
        await self._write(command + b"PING\r\n")
        refused: list[str] = []
        while (line := await self._next()) != b"PONG":
            if line.startswith(b"-ERR"):
                refused.append(_words(line))
        return refused

    async def reply(self, subject: str) -> bytes:
        """The first message that was sent to `subject`, with the headers' status line before it if it has headers.

        Raises:
            Silence: the connection ended. Whoever asks bounds the time.
        """
        while subject not in self._replies:
            await self._next()
        return self._replies.pop(subject)

    async def authenticate(self, access: Access, name: str) -> None:
        """Say who speaks.

        Raises:
            Refused: the server does not take it.
            Silence: it does not say.
        """
        told: dict[str, Any] = {
            "verbose": True, "pedantic": False, "lang": "python", "version": "1", "protocol": 1, "name": name,
            "headers": True, "no_responders": True,
            **_credentials(access, str(self.info.get("nonce", ""))),
        }  # fmt: skip
        # Nothing goes out behind it before it is answered: a server that closes on unread bytes resets the connection,
        # and its last words are lost.
        await self._write(b"CONNECT %s\r\n" % json.dumps(told).encode())
        while (line := await self._next()) != b"+OK":
            if line.startswith(b"-ERR"):
                raise Refused(_words(line))
        for refusal in await self.say(b""):
            raise Refused(refusal)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._writer.wait_closed(), 1)

    async def _write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Silence(error.strerror or str(error)) from None

    async def _next(self) -> bytes:
        """The next line; messages are filed by their subject."""
        try:
            line = (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
            if line == b"PING":
                await self._write(b"PONG\r\n")
            elif line.startswith((b"MSG ", b"HMSG ")):
                words = line.split()
                data = await self._reader.readexactly(int(words[-1]) + 2)
                self._replies.setdefault(words[1].decode(), data[:-2])
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Silence("the server closed the connection") from None
        except OSError as error:
            raise Silence(error.strerror or str(error)) from None
        return line


@asynccontextmanager
async def speaking(access: Access, name: str, patience: float) -> AsyncIterator[Speaker]:
    """A connection to the first server that can be spoken to, as the user of `access`.

    Raises:
        Unreachable: there is none; the message says what came of each.
        Refused: the credentials are not taken.
        Silence: the server does not answer within `patience` seconds.
    """
    speaker = await _reached(access, patience)
    try:
        try:
            async with asyncio.timeout(patience):
                await speaker.authenticate(access, name)
        except TimeoutError:
            raise Silence(f"no answer within {patience:g} s") from None
        yield speaker
    finally:
        await speaker.close()


async def _reached(access: Access, patience: float) -> Speaker:
    context, failures = _context(access), []
    for address in access.url.split(","):
        try:
            async with asyncio.timeout(patience):
                return await _greeted(_parts(address), context)
        except TimeoutError:
            failures.append(f"no answer within {patience:g} s")
        except ssl.SSLCertVerificationError as error:
            failures.append(f"its certificate is not accepted: {error.verify_message}")
        except (OSError, ValueError, Silence) as error:
            failures.append(getattr(error, "strerror", None) or str(error) or type(error).__name__)
    raise Unreachable("; ".join(dict.fromkeys(failures)))


async def _greeted(parts: SplitResult, context: ssl.SSLContext | None) -> Speaker:
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORT, limit=_LONGEST)
    try:
        info = _info(await reader.readline(), tls=asks_for_tls(parts.scheme + "://"))
        if info.get("tls_required") or (context is not None and info.get("tls_available")):
            await writer.start_tls(context or ssl.create_default_context(), server_hostname=parts.hostname)
    except BaseException:
        writer.close()
        raise
    return Speaker(reader, writer, info)


def _info(line: bytes, *, tls: bool) -> dict[str, Any]:
    """What the server says of itself; it says so before anything is encrypted."""
    if not line.startswith(b"INFO "):
        raise Silence("what answers is no NATS server" if line else "the server closed the connection")
    info: dict[str, Any] = json.loads(line[5:])
    if tls and not (info.get("tls_required") or info.get("tls_available")):
        raise Silence("the server offers no TLS")
    return info


def _context(access: Access) -> ssl.SSLContext | None:
    try:
        return access.tls()
    except OSError as error:
        raise Unreachable(f"{access.ca}: {error.strerror or error}") from None


def _parts(address: str) -> SplitResult:
    text = address.strip()
    return urlsplit(text if "://" in text else f"nats://{text}")


def _credentials(access: Access, nonce: str) -> Mapping[str, Any]:
    """What CONNECT says of the user."""
    if access.creds is not None:
        text = access.creds.read_text(encoding="utf-8")
        return {"jwt": _between(text, "NATS USER JWT"), "sig": _signed(_between(text, "USER NKEY SEED"), nonce)[0]}
    if access.nkey is not None:
        signature, public = _signed(access.nkey.read_text(encoding="utf-8").strip(), nonce)
        return {"nkey": public, "sig": signature}
    if access.password is not None:
        return {"user": access.login or access.user, "pass": access.password}
    parts = _parts(access.addresses.split(",")[0])
    if parts.username is None:
        return {}
    if parts.password is None:
        return {"auth_token": unquote(parts.username)}
    return {"user": unquote(parts.username), "pass": unquote(parts.password)}


def _between(text: str, what: str) -> str:
    """What a credentials file holds between its markers; what stands there may begin and end with dashes itself."""
    found = re.search(rf"BEGIN {what}-+\s+(\S+)\s+-", text)
    if found is None:
        raise Unreachable(f"the credentials file holds no {what.lower()}")
    return found[1]


def _signed(seed: str, nonce: str) -> tuple[str, str]:
    """The signature of the server's nonce, and the public key."""
    import nkeys

    pair = nkeys.from_seed(bytearray(seed.encode()))
    try:
        signature = base64.urlsafe_b64encode(pair.sign(nonce.encode())).rstrip(b"=").decode()
        return signature, pair.public_key.decode()
    finally:
        pair.wipe()


def _words(line: bytes) -> str:
    return line.decode("utf-8", "replace")
