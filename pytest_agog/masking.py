"""Secrets never show: passwords in URLs, tokens, seeds and credentials are masked before they are printed or saved."""

from __future__ import annotations

import re

MASK = "****"

# user:password@ in any URL, up to the last @ before the path; the user stays readable, because it tells which account
# was refused. The scheme is bounded, so that long words cost no more than their length.
_URL_PASSWORD = re.compile(r"(?P<head>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s/:@]*):[^\s/]+@")
# NATS URLs may carry a bare token: nats://token@host
_URL_TOKEN = re.compile(r"(?P<head>\b(?:nats|tls|ws|wss)://)[^\s/:@]+@")
_NKEY_SEED = re.compile(r"\bS[OAUNCX][A-Z2-7]{56}\b")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?![A-Za-z0-9_-])")
_AUTHORIZATION = re.compile(
    r"(?P<head>\b(?:authorization\W{1,6}(?:bearer|basic)|bearer)\s+)[\w.~+/=-]{8,}", re.IGNORECASE
)
# A name that ends in one of these words, perhaps quoted (in JSON within JSON with backslashes), and what it is set to.
_NAMES = r"(?:password|passwd|secret|(?:api|access|private|secret)[_-]?key|(?:access|auth|[_-])[_-]?token)"
_QUOTED = re.compile(
    rf"(?P<head>{_NAMES}[\"']?\s*[=:]\s*(?P<quote>[\"']))(?:(?!(?P=quote))[^\\\n]|\\.)+", re.IGNORECASE
)
_ASSIGNED = re.compile(rf"(?P<head>{_NAMES}\\*[\"']?\s*[=:]\s*\\*[\"']?)[^\s\"',;&}}\\]+", re.IGNORECASE)

_SECRET_NAME = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|pgpassword|secret|credentials?|x-auth-token"
    rf"|(?:access|auth|refresh)[_-]?token|.*{_NAMES}",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under `name` (a key, a header, a column) is a secret as a whole, whatever it looks like."""
    return _SECRET_NAME.fullmatch(name) is not None


_SECRET_WORDS = ("password", "passwd", "secret", "key", "token")


def mask(text: str) -> str:
    """Return `text` with every secret that can be recognised replaced by ``****``.

    Words without which no secret is recognised are looked for first: output of megabytes mostly has none.
    """
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
        text = _URL_TOKEN.sub(rf"\g<head>{MASK}@", text)
    text = _NKEY_SEED.sub(MASK, text)
    if "eyJ" in text:
        text = _JWT.sub(MASK, text)
    folded = text.casefold()
    if "authorization" in folded or "bearer" in folded:
        text = _AUTHORIZATION.sub(rf"\g<head>{MASK}", text)
    if any(word in folded for word in _SECRET_WORDS):
        text = _QUOTED.sub(rf"\g<head>{MASK}", text)
        text = _ASSIGNED.sub(rf"\g<head>{MASK}", text)
    return text
