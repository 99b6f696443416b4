"""Speaks plain text to a server that wants TLS, with the right password, and says what comes of it."""

from __future__ import annotations

import json
import os
import socket
from urllib.parse import unquote, urlsplit

parts = urlsplit(os.environ["NATS_URL"].split(",")[0])
told = {"user": unquote(parts.username or ""), "pass": unquote(parts.password or ""), "verbose": True, "headers": True}
address = (parts.hostname or "127.0.0.1", parts.port or 4222)
with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as lines:
    greeting = lines.readline()
    assert json.loads(greeting[5:])["tls_required"], greeting
    connection.sendall(f"CONNECT {json.dumps(told)}\r\nPING\r\n".encode())
    try:
        answer = lines.read()
    except ConnectionResetError:
        answer = b""
# A TLS alert may come first; what counts is that nobody was welcomed.
assert not any(word in answer for word in (b"+OK", b"PONG")), answer
print("the server hung up")
