"""nats-py's client, as every connection of ours uses it: TLS is never a wish only, and credentials may change. [C10]

nats-py takes a `tls://` address for a wish: where the server's greeting, which is never encrypted, says nothing of TLS,
it goes on and sends the credentials in plain. And it closes for good when a server that has been connected refuses it,
as servers do when a credential is taken back; here it connects anew, and reads the files of credentials and authority
anew for that, so that a changed file is all that a rotation needs.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Any, Final

import nats.errors
from nats.aio.client import Client

_REFUSALS: Final = ("authorization violation", "user authentication", "account authentication")
"""Words with which nats-server ends a connection whose credentials do not count (any more)."""
NO_TLS: Final = "the server offers no TLS"


class SafeClient(Client):
    """A client that sends no credentials in plain to a server that was to speak TLS."""

    tls_only: bool = False
    """Whether TLS was asked for whatever the address says."""
    authority: Path | None = None
    """The file by which servers are verified. Read anew with each connection: a server's certificate is changed too."""

    def _connect_command(self) -> bytes:
        """What the client says of itself, credentials among it; called once a connection, after the TLS handshake."""
        server = self._current_server
        asked = self.tls_only or (server is not None and server.uri.scheme == "tls")
        encrypted = bool(self._server_info.get("tls_required")) or (server is not None and server.uri.scheme == "wss")
        if asked and not encrypted:
            raise nats.errors.Error(f"nats: {NO_TLS}")
        self._settle_stream()
        self._read_credentials()
        return super()._connect_command()

    def _read_credentials(self) -> None:
        creds, seed = self._user_credentials, self._nkeys_seed
        if isinstance(creds, (str, Path)):
            if (reason := unusable_creds(Path(creds))) is not None:
                raise nats.errors.Error(f"nats: credentials file {creds}: {reason}")
        elif seed is not None:
            if (reason := unusable_seed(Path(seed))) is not None:
                raise nats.errors.Error(f"nats: nkey file {seed}: {reason}")
            self._setup_nkeys_seed_connect()

    def abandon(self) -> None:
        """Drop a connection that never came about. After a TLS handshake that failed nobody ever tells the stream
        that it is closed, and `close` would wait for that."""
        self._abort()
        self._transport = None

    def _abort(self) -> None:
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def _connect_to_server(self, s: Any) -> None:
        """nats-py opens the next connection over one whose greeting failed, and nobody closes that: so it goes when
        what stands before a server (a container's port, a load balancer) accepts while the server is away."""
        self._abort()
        self._read_authority()
        await super()._connect_to_server(s)

    def _read_authority(self) -> None:
        """What cannot be read is not there yet: then the authority of before decides."""
        if self.authority is not None:
            with contextlib.suppress(OSError):  # ssl's own errors among them
                self.options["tls"] = ssl.create_default_context(cafile=str(self.authority))

    def _settle_stream(self) -> None:
        """Without this asyncio complains on stderr, once a connection, that the stream was not told of its TLS."""
        writer = getattr(self._transport, "_io_writer", None)
        with contextlib.suppress(AttributeError):
            protocol = writer.transport.get_protocol()  # type: ignore[union-attr]
            if writer.get_extra_info("ssl_object") is not None:  # type: ignore[union-attr]
                protocol._over_ssl = True  # noqa: SLF001 - what asyncio's own `start_tls` of a stream sets

    async def _process_err(self, err_msg: str) -> None:
        said = err_msg.lower()
        if self.is_connected and any(words in said for words in _REFUSALS):
            error = nats.errors.Error(f"nats: {err_msg.strip().strip(chr(39))}")
            await self._error_cb(error)
            await self._process_op_err(error)
            return
        await super()._process_err(err_msg)


def unusable_creds(path: Path) -> str | None:
    """Why a credentials file cannot be used; nats-py reads past the end for ever when its markers are absent."""
    try:
        text = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    if b"BEGIN NATS USER JWT" not in text or b"BEGIN USER NKEY SEED" not in text:
        return "it holds no user JWT with its seed"
    return None


def unusable_seed(path: Path) -> str | None:
    """Why a file with an nkey's seed cannot be used."""
    import nkeys

    try:
        seed = path.read_bytes().strip()
    except OSError as error:
        return error.strerror or str(error)
    try:
        public = bytes(nkeys.from_seed(seed).public_key)
    except (nkeys.NkeysError, ValueError):
        return "it holds no seed of an nkey"
    return None if public.startswith(b"U") else "it holds the seed of an operator or account, not of a user"
