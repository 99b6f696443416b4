"""Payloads: bytes by SHA-256, each stored once; what is derived from them is computed once too."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from pytest_agog.values import ABSENT

_PARSED_BYTES: Final = 256_000_000
"""Parsed JSON is remembered for this many bytes of payloads; above that, parsing begins anew."""

Headers = dict[str, str]
PayloadId = str
"""SHA-256 of a stored payload, in hex."""


class Payloads:
    """Bytes by SHA-256, each stored once; what is derived from them is computed once too."""

    def __init__(self) -> None:
        self._entries: dict[PayloadId, tuple[PayloadId, bytes]] = {}
        self._json: dict[PayloadId, Any] = {}
        self._json_bytes = 0
        self._tokens: dict[PayloadId, int] = {}
        self._masked: set[PayloadId] = set()
        self._originals: dict[PayloadId, bytes] = {}
        self.met_masked = False
        """Whether a payload was read of which the bundle holds only a masked form; whoever asks sets it back."""

    def put(self, data: bytes) -> PayloadId:
        """Store `data` and return its id."""
        key = hashlib.sha256(data).hexdigest()
        # The first key is handed out again, so that a million facts share the text of their ids.
        return self._entries.setdefault(key, (key, data))[0]

    def put_masked(self, original: bytes, shown: bytes) -> PayloadId:
        """Store what may be shown under the id of the original, which stays in memory: claims are judged on it."""
        key = hashlib.sha256(original).hexdigest()
        if shown != original:
            self._originals[key] = original
        return self._entries.setdefault(key, (key, shown))[0]

    def original(self, key: PayloadId) -> bytes:
        """The bytes that claims are judged on, never to be shown. Of a bundle there is only what it holds."""
        found = self._originals.get(key)
        return self[key] if found is None else found

    def is_shown_masked(self, key: PayloadId) -> bool:
        """Whether what is stored is not the original."""
        return key in self._originals or key in self._masked

    def adopt(self, key: PayloadId, data: bytes) -> None:
        """Store `data` under an id that a bundle gives: a masked payload keeps the id of the original."""
        self._entries.setdefault(key, (key, data))
        if hashlib.sha256(data).hexdigest() != key:
            self._masked.add(key)

    @property
    def any_masked(self) -> bool:
        """Whether any payload is there in a masked form only."""
        return bool(self._masked)

    def _met(self, key: PayloadId) -> None:
        if key in self._masked:
            self.met_masked = True

    def __getitem__(self, key: PayloadId) -> bytes:
        if self._masked:
            self._met(key)
        return self._entries[key][1]

    def __contains__(self, key: PayloadId) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[PayloadId]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def text(self, key: PayloadId) -> str:
        """The payload as text; bytes that are no UTF-8 become the replacement character."""
        return self[key].decode("utf-8", "replace")

    def json(self, key: PayloadId) -> Any:
        """The payload as JSON, or ``ABSENT`` when it is none. Shared between callers: do not change it."""
        if self._masked:
            self._met(key)
        try:
            return self._json[key]
        except KeyError:
            data = self[key]
            if self._json_bytes + len(data) > _PARSED_BYTES:
                self._json.clear()
                self._json_bytes = 0
            self._json_bytes += len(data)
            parsed = self._json[key] = _parse(data)
            return parsed

    def tokens(self, key: PayloadId, counter: Callable[[str], int]) -> int:
        """The payload's number of tokens."""
        if self._masked:
            self._met(key)
        if key not in self._tokens:
            self._tokens[key] = counter(self.text(key))
        return self._tokens[key]


def _parse(data: bytes) -> Any:
    from pydantic_core import from_json

    try:
        return from_json(data)  # three times as fast, but takes no lone surrogates and less depth
    except ValueError:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return ABSENT
