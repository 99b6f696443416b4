"""What a nats-server says of itself over HTTP, without the weight of an HTTP client library."""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT: Final = 5.0
_LARGEST: Final = 16_000_000


async def fetch(monitor_url: str, path: str) -> dict[str, Any] | None:
    """The JSON object at `path` of the monitoring port; None when there is no such answer."""
    return await asyncio.to_thread(_fetch, monitor_url, path)


def _fetch(monitor_url: str, path: str) -> dict[str, Any] | None:
    parts = urlsplit(monitor_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT)
        try:
            connection.request("GET", parts.path.rstrip("/") + path)
            response = connection.getresponse()
            document = json.loads(response.read(_LARGEST)) if response.status == http.client.OK else None
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return None
    return document if isinstance(document, dict) else None
