"""The tokens that open a service, from a file or the environment; several at once, so that they can be rotated. [C10]

Tokens themselves are not kept: only what they are compared with, and what sessions are signed with.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_agog.errors import BadInput

VARIABLE: Final = "AGOG_HTTP_TOKEN"
SHORTEST: Final = 16
"""Characters of a token. Shorter ones can be guessed."""
_LONGEST: Final = 4096
_FORM: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What a `Bearer` credential may consist of (RFC 6750, section 2.1)."""
_FILE_LIMIT: Final = 1_000_000
_LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether the file has changed."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of one token."""

    id: str
    """Tells tokens apart without telling them; each service that has the token finds the same."""
    digest: bytes
    signing: bytes
    """Sessions of whoever signed in with this token are signed with it, so they end with the token."""


def _key(token: str) -> Key:
    raw = token.encode("ascii")
    digest = hashlib.sha256(raw).digest()
    signing = hmac.digest(raw, b"agog session 1", "sha256")
    return Key(hmac.digest(signing, b"agog name 1", "sha256").hex()[:16], digest, signing)


class Keyring:
    """The keys of one service. Not thread-safe: it belongs to the event loop.

    A file is read again when it has changed, and by `reload`. One that cannot be used any more leaves the keys as they
    are: a slip of an editor neither opens the service nor locks everybody out.

    Raises:
        BadInput: the file cannot be read, or there is no usable token.
    """

    def __init__(self, file: Path | None = None, given: str = "", *, now: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._given = tuple(_keys(given, VARIABLE)) if given.strip() else ()
        self._now = now
        self._looked = now()
        self._mark = _mark(file)
        self._trouble = ""
        self.keys: tuple[Key, ...] = self._read()

    def find(self, presented: str) -> Key | None:
        """The key of a token that somebody presents; takes as long for a wrong one as for a right one."""
        digest = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).digest()
        found: Key | None = None
        for key in self.current():
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def current(self) -> tuple[Key, ...]:
        """The keys that are valid now."""
        now = self._now()
        if self._file is not None and now - self._looked >= _LOOK_EVERY:
            self._looked = now
            mark = _mark(self._file)
            if mark != self._mark:
                self._mark = mark
                self.reload()
        return self.keys

    def reload(self) -> None:
        """Read the file again."""
        try:
            self.keys = self._read()
            self._trouble = ""
        except BadInput as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _LOG.warning("the tokens stay as they were: %s", error)

    def _read(self) -> tuple[Key, ...]:
        found = list(self._given)
        if self._file is not None:
            found += _keys(_text(self._file), str(self._file))
        if not found:
            raise BadInput(f"there is no token in {VARIABLE}; put one there, or into a file for --token-file")
        return tuple({key.digest: key for key in found}.values())


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_FILE_LIMIT).decode("ascii")
    except UnicodeDecodeError:
        raise BadInput(f"the token file {file} holds more than ASCII; write one token a line") from None
    except OSError as error:
        reason = error.strerror or "it is no file"
        raise BadInput(f"the token file {file} cannot be read ({reason}); write one token a line into it") from None


def _keys(text: str, where: str) -> Iterable[Key]:
    """One for each line; empty ones and those that begin with `#` are left out. What is wrong is never shown."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        if not SHORTEST <= len(word) <= _LONGEST or not _FORM.fullmatch(word):
            raise BadInput(
                f"{where}, line {number}, is no token: {SHORTEST} to {_LONGEST} of A-Z a-z 0-9 . _ ~ + / - are one "
                "(`openssl rand -hex 32` makes one)"
            )
        keys.append(_key(word))
    if not keys:
        raise BadInput(f"{where} holds no token; write one token a line (`openssl rand -hex 32` makes one)")
    return keys


def _mark(file: Path | None) -> tuple[int, int, int] | None:
    """What changes when the file does, also when a link to it is pointed elsewhere, as Kubernetes does."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
