"""What became of messages: each is one row or one rejected row, and the books say so."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from tests.reference.comms.conftest import Comms

_ROWS = "SELECT stream_seq FROM workflow_comms.agent_messages WHERE stream_seq IS NOT NULL"
_REJECTED = "SELECT stream_seq FROM workflow_comms.rejected_messages"
_PIPE = 4_000_000


def pour(url: str, messages: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish subjects and payloads as bytes, as any program may, over one connection; returns how many.

    The server answers the last PING when it has taken all of them. What it says against one of them fails.
    """
    address = urlsplit(url)
    number = 0
    with socket.create_connection((address.hostname, address.port or 0), timeout=60) as connection:
        lines = connection.makefile("rb")
        assert lines.readline().startswith(b"INFO ")
        waiting, size = [b'CONNECT {"verbose":false,"pedantic":false}\r\n'], 0
        for subject, payload in messages:
            waiting.append(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
            size += len(payload)
            number += 1
            if size > _PIPE:
                _through(connection, lines, waiting)
                waiting, size = [], 0
        _through(connection, lines, waiting)
    return number


def _through(connection: socket.socket, lines: Iterable[bytes], waiting: list[bytes]) -> None:
    connection.sendall(b"".join([*waiting, b"PING\r\n"]))
    for line in lines:
        if line == b"PING\r\n":
            connection.sendall(b"PONG\r\n")
        elif line == b"PONG\r\n":
            return
        else:
            assert line.startswith(b"INFO "), line
    raise AssertionError("the server ended the connection")


def account(comms: Comms, last: int, *, duplicates: int = 0) -> tuple[int, int]:
    """Sequences 1 to `last` are each one row or one rejected row, but for so many `duplicates` of rows; how many of
    each."""
    rows = [seq for (seq,) in comms.rows(_ROWS)]
    rejected = [seq for (seq,) in comms.rows(_REJECTED)]
    times = Counter([*rows, *rejected])
    twice = [seq for seq, number in times.items() if number > 1]
    missing = sorted(set(range(1, last + 1)) - times.keys())
    assert twice == [], f"stored twice: {twice[:10]}"
    assert len(missing) == duplicates, f"{len(missing)} of {last} vanished: {missing[:10]}"
    return len(rows), len(rejected)
