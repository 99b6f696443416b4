"""What a connection shows a server, from arguments and environment; and what the server is to show. [C10, J24]

NATS_URL may hold user:password. NATS_CREDS names a credentials file (user JWT and seed), NATS_NKEY a file with an
nkey's seed, NATS_CA the certificates of the authorities that sign for servers, NATS_USER the user's name where nothing
else tells it: each user of the contract has an inbox prefix of its own, and no other is open to it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from pytest_agog.errors import CertificateUnreadable, CredentialsUnreadable, NkeyUnreadable
from pytest_agog.reference.deliverables.client import unusable_creds, unusable_seed
from pytest_agog.wire import users

if TYPE_CHECKING:
    import ssl

DEFAULT_INBOX: Final = "_INBOX"
_JWT: Final = re.compile(r"-----BEGIN NATS USER JWT-----\s*([\w-]+)\.([\w-]+)\.([\w-]+)\s*-")
_TLS: Final = ("tls", "wss")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files and names; no secret itself."""

    creds: Path | None = None
    nkey: Path | None = None
    ca: Path | None = None
    user: str = ""

    @classmethod
    def found(cls, url: str, creds: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Credentials:
        """What holds for a connection to `url`: `creds` if given, else user and password in the URL, else the
        environment's NATS_CREDS, else its NATS_NKEY."""
        environ = os.environ if environ is None else environ
        ca = _path(environ.get("NATS_CA"))
        named = environ.get("NATS_USER", "")
        if creds is not None:
            return cls(creds=Path(creds), ca=ca, user=user_of_creds(Path(creds)) or named)
        if user := user_of_url(url):
            return cls(ca=ca, user=user)
        if (path := _path(environ.get("NATS_CREDS"))) is not None:
            return cls(creds=path, ca=ca, user=user_of_creds(path) or named)
        if (path := _path(environ.get("NATS_NKEY"))) is not None:
            # An nkey is a number; `agog creds` names its file after the user.
            return cls(nkey=path, ca=ca, user=named or path.name.split(".")[0])
        return cls(ca=ca, user=named)

    @property
    def inbox_prefix(self) -> str:
        """The prefix of the user's inboxes; the usual one for users that the contract does not know."""
        user = users.by_name(self.user)
        return user.inbox_prefix if user is not None else DEFAULT_INBOX

    def check(self) -> None:
        """See that the files are what they are named for.

        Raises:
            CredentialsUnreadable, NkeyUnreadable: one is not.
        """
        if self.creds is not None and (reason := unusable_creds(self.creds)) is not None:
            raise CredentialsUnreadable(path=self.creds, reason=reason)
        if self.nkey is not None and (reason := unusable_seed(self.nkey)) is not None:
            raise NkeyUnreadable(path=self.nkey, reason=reason)

    def tls(self, url: str) -> ssl.SSLContext | None:
        """Verifies certificate and name, by NATS_CA or what the machine trusts; None where nothing asks for TLS.

        Raises:
            CertificateUnreadable: the file of NATS_CA holds no certificate.
        """
        if self.ca is None and not any(asks_for_tls(part) for part in url.split(",")):
            return None
        import ssl

        try:
            return ssl.create_default_context(cafile=None if self.ca is None else str(self.ca))
        except OSError as error:  # ssl's own errors among them
            absent = isinstance(error, FileNotFoundError)
            reason = error.strerror if absent and error.strerror else "it holds no certificate in PEM"
            raise CertificateUnreadable(path=self.ca, reason=reason) from None


def asks_for_tls(address: str) -> bool:
    """Whether a client at this address must not go on without TLS."""
    return address.strip().partition("://")[0].lower() in _TLS


def user_of_url(url: str) -> str:
    """The user in the first address of `url`; empty for none, or for a token."""
    first = url.split(",")[0].strip()
    try:
        parts = urlsplit(first if "://" in first else f"nats://{first}")
        return unquote(parts.username or "") if parts.password is not None else ""
    except ValueError:
        return ""


def without_user(url: str) -> str:
    """`url` (several addresses separated by commas) without user, password or token."""
    return ",".join(
        f"{head}{separator}{rest.rpartition('@')[2]}"
        for head, separator, rest in (part.strip().rpartition("://") for part in url.split(","))
    )


def user_of_creds(creds: Path) -> str:
    """The name of the user in a credentials file; empty when it tells none."""
    try:
        found = _JWT.search(creds.read_text("utf-8", errors="replace"))
        if found is None:
            return ""
        body = found[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims.get("name", "")) if isinstance(claims, dict) else ""
    except (OSError, ValueError):
        return ""


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None
