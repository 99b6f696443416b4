"""Secrets never show: passwords in URLs, tokens, seeds and credentials are masked before anything is printed or saved."""

from __future__ import annotations

import re

MASK = "****"

# user:password@ in any URL; the user stays readable, because it tells which account was refused.
# The look-behind starts a match only at the first letter of a word: a line of a million letters costs a million steps.
_URL_PASSWORD = re.compile(r"(?P<head>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@")
# NATS URLs may carry a bare token: nats://token@host
_URL_TOKEN = re.compile(r"(?P<head>\b(?:nats|tls|ws|wss)://)[^\s/:@]+@")
_NKEY_SEED = re.compile(r"\bS[OAUNCX][A-Z2-7]{56}\b")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\b")
_ASSIGNED = re.compile(
    r"(?P<head>[\"']?\b(?:password|passwd|pgpassword|secret|api[_-]?key|access[_-]?token|auth[_-]?token)\b[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"',;&}]+",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """Return `text` with every secret that can be recognised replaced by ``****``."""
    text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
    text = _URL_TOKEN.sub(rf"\g<head>{MASK}@", text)
    text = _NKEY_SEED.sub(MASK, text)
    text = _JWT.sub(MASK, text)
    return _ASSIGNED.sub(rf"\g<head>{MASK}", text)
