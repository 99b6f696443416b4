"""What a process printed, bounded in memory: the beginning and the end are kept, the middle is counted."""

from __future__ import annotations

DEFAULT_LIMIT = 10_000_000
"""Bytes kept of one stream: half from its beginning, half from its end."""


class BoundedOutput:
    """Bytes as they arrive; never more than `limit` of them are kept."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0
        """Bytes that arrived."""

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.total += len(chunk)
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        # Cutting at twice the size keeps the copying at one byte for each byte that came.
        if len(self._tail) > 2 * self._half:
            del self._tail[: -self._half]

    @property
    def left_out(self) -> int:
        """Bytes that arrived and were not kept."""
        return self.total - len(self._head) - min(len(self._tail), self._half)

    def value(self) -> bytes:
        """What was kept; a line in the middle says how much is missing."""
        tail = bytes(self._tail[-self._half :])
        if not self.left_out:
            return bytes(self._head) + tail
        return bytes(self._head) + f"\n[... {self.left_out} bytes left out ...]\n".encode() + tail
