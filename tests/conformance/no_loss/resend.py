"""Publishes a payload once more, as a proxy does that duplicates a frame: SUBJECT PAYLOAD."""

import os
import socket
import sys
from urllib.parse import urlsplit

address = urlsplit(os.environ["NATS_URL"])
subject, payload = sys.argv[1], sys.argv[2].encode()
with socket.create_connection((address.hostname, address.port or 4222), timeout=5) as connection:
    connection.sendall(
        b'CONNECT {"verbose":false}\r\nPUB %s %d\r\n%s\r\nPING\r\n' % (subject.encode(), len(payload), payload)
    )
    said = b""
    while b"PONG" not in said:
        said += connection.recv(4096)
