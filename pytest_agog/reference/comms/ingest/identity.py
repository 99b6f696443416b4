"""Which inbox prefix a user may subscribe to: each user of the contract has one of its own. [C10, J24]"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pytest_agog.wire import users

DEFAULT: Final = "_INBOX"
_JWT: Final = re.compile(r"-----BEGIN NATS USER JWT-----\s*([\w-]+)\.([\w-]+)\.([\w-]+)\s*-")


def inbox_prefix(url: str, creds: Path | None) -> str:
    """The prefix of the user that `creds` or the URL names; the usual one for users that the contract does not know."""
    user = users.by_name(_user_of_creds(creds) if creds is not None else _user_of_url(url))
    return user.inbox_prefix if user is not None else DEFAULT


def _user_of_url(url: str) -> str:
    first = url.split(",")[0].strip()
    try:
        return unquote(urlsplit(first if "://" in first else f"nats://{first}").username or "")
    except ValueError:
        return ""


def _user_of_creds(creds: Path) -> str:
    try:
        found = _JWT.search(creds.read_text("utf-8", errors="replace"))
        if found is None:
            return ""
        body = found[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return str(claims.get("name", "")) if isinstance(claims, dict) else ""
    except (OSError, ValueError):
        return ""
