"""Verifies the server's certificate for the name that clients use, and for another one."""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import urlsplit

parts = urlsplit(os.environ["NATS_URL"].split(",")[0])
context = ssl.create_default_context(cafile=os.environ["NATS_CA"])
context.minimum_version = ssl.TLSVersion.TLSv1_2


def verified(name: str) -> str:
    """Whether the certificate holds for `name`."""
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 4222), timeout=10) as plain:
        plain.recv(65_536)  # the greeting
        try:
            with context.wrap_socket(plain, server_hostname=name):
                return "trusted"
        except ssl.SSLCertVerificationError:
            return "refused"


names = [parts.hostname or "127.0.0.1", "evil.example"]
print(", ".join(f"{name}: {verified(name)}" for name in names))
