"""Secrets never show: passwords in URLs, tokens, seeds, keys and credentials are masked before they are printed or
saved.

Digests, message ids, subjects and other ordinary text stay: what is masked has the form of a secret, or stands where
one is set by name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

MASK = "****"
_SHORTEST_KNOWN: Final = 12

# user:password@ in any URL, up to the last @ before the path; the user stays readable, because it tells which account
# was refused. A path of a file system makes one slash of two. The scheme is bounded, so that long words cost no more
# than their length.
_URL_PASSWORD = re.compile(r"(?P<head>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}:/{1,2}[^\s/:@]*):[^\s/]+@")
# The same within a parameter of another URL, where it is escaped.
_ESCAPED_PASSWORD = re.compile(r"(?P<head>%3A%2F%2F[^\s/:@%]{0,200}%3A)(?:(?!%40)[^\s/&]){1,2000}%40", re.IGNORECASE)
# NATS URLs may carry a bare token: nats://token@host
_URL_TOKEN = re.compile(r"(?P<head>\b(?:nats|tls|ws|wss)://)[^\s/:@]+@")
# Output that was wrapped to a width breaks words, and indents what follows.
_BREAK = r"(?:\r?\n[ \t|\u2502>]{0,40})"
_NKEY_SEED = re.compile(rf"\bS[OAUNCX][A-Z2-7]{{8}}(?:{_BREAK}?[A-Z2-7]){{48}}\b")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.(?P<signature>[A-Za-z0-9_-]{10,})(?![A-Za-z0-9_-])")
_BROKEN_JWT = re.compile(
    rf"\beyJ[A-Za-z0-9_-]{{10,}}(?:{_BREAK}[A-Za-z0-9_-]+)?\.{_BREAK}?eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?"
    rf"(?:{_BREAK}[A-Za-z0-9_.-]{{8,}}(?=\s|$))*"
)
_SIGNATURES: Final = frozenset({43, 64, 86, 128, 171, 176, 342, 512, 683})
"""Characters of whole signatures; a shorter one goes on in the next line."""
_PEM = re.compile(
    r"(?P<head>-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}(?:PRIVATE KEY|SEED)-----)(?P<body>(?:[^-]|-(?!----))*)"
    r"(?P<tail>-----(?:-?)END [A-Z0-9 ]{1,60}-----)?"
)
_BODY = re.compile(r"(?:(?:\s|\\[nr]|[\u2502|>])*[A-Za-z0-9+/=]{12,})*")
"""Of a key whose end is missing: words are no part of it."""
_KNOWN_FORM = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255}|glpat-[\w-]{20,255}|xox[abeprs]-[\w-]{10,255}"
    r"|sk-(?=[A-Za-z_-]{0,40}[0-9])[\w-]{20,255}|agogt_[\w-]{20,255}|A[KS]IA[A-Z0-9]{16})(?![\w-])"
)
"""Keys whose makers gave them a beginning by which they are known."""
_FORMS: Final = ("gh", "glpat-", "xox", "sk-", "agogt_", "AKIA", "ASIA")
_SESSION = re.compile(r"(?P<head>\bagog_session=)[^\s;,\"']+")
_AUTHORIZATION = re.compile(
    r"(?P<head>\b(?:authorization\W{1,6}(?:bearer|basic|token)|bearer)\s+)[\w.~+/=-]{8,}", re.IGNORECASE
)
# A bare `token` counts and names many things; one that is set to something long with letters and digits is a secret.
_TOKEN = re.compile(
    r"(?P<head>(?<![\w-])token\\*[\"']?\s*[=:]\s*\\*[\"']?)(?=[A-Za-z_~+/=-]*\d)(?=[\d_~+/=-]*[A-Za-z])[\w~+/=-]{16,}",
    re.IGNORECASE,
)
# As an option of a command; what begins with a dash is the next one.
_OPTION = re.compile(
    r"(?P<head>(?<![\w-])--?(?:password|passwd|passphrase|secret|token)[ =])(?!-)[^\s\"']+", re.IGNORECASE
)
# A name that ends in one of these words, perhaps quoted (in JSON within JSON with backslashes), and what it is set to.
_NAMES = (
    r"(?:password|passwd|passphrase|(?:db|user|smtp|mail|admin|root)_pass|(?-i:_PASS)|secret|(?:api|access|private|secret)[_-]?key"
    r"|(?:access|auth|[_-])[_-]?token)"
)
_QUOTED = re.compile(
    rf"(?P<head>{_NAMES}[\"']?\s*[=:]\s*(?P<quote>[\"']))(?:(?!(?P=quote))[^\\\n]|\\.)+", re.IGNORECASE
)
# A comma and the like belong to it, unless they end it: more than punctuation follows, and no further setting does.
_ASSIGNED = re.compile(
    rf"(?P<head>{_NAMES}\\*[\"']?\s*[=:]\s*\\*[\"']?)"
    r"(?:[^\s\"',;&}\\]|[,;&}](?![\s\"',;&}\])]|$|[\w.-]{1,60}\\*[\"']?[=:]))+",
    re.IGNORECASE,
)
# The rest of a line of YAML, with what stands before it in an excerpt; a value in quotes has been dealt with.
_LINE = re.compile(
    rf"^(?P<head>[ \t\d|\u2502>-]{{0,60}}[\w.-]{{0,60}}{_NAMES}:[ \t]+)(?![\"'|>&!*{{\[])"
    r"[^\s#]*[^\s#,](?:[ \t]+[^\s#]*[^\s#,])+",
    re.IGNORECASE | re.MULTILINE,
)

_SECRET_NAME = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|pgpassword|secret|credentials?|x-auth-token"
    rf"|(?:access|auth|refresh)[_-]?token|.*{_NAMES}",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under `name` (a key, a header, a column) is a secret as a whole, whatever it looks like."""
    return _SECRET_NAME.fullmatch(name) is not None


_SECRET_WORDS = ("password", "passwd", "passphrase", "_pass", "secret", "key", "token")


def mask(text: str) -> str:
    """Return `text` with every secret that can be recognised replaced by ``****``.

    Words without which no secret is recognised are looked for first: output of megabytes mostly has none.
    """
    if ":/" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
        text = _URL_TOKEN.sub(rf"\g<head>{MASK}@", text)
    if "%40" in text:
        text = _ESCAPED_PASSWORD.sub(rf"\g<head>{MASK}%40", text)
    if "-----BEGIN " in text:
        text = _PEM.sub(_pem, text)
    text = _NKEY_SEED.sub(MASK, text)
    if "eyJ" in text:
        text = _JWT.sub(_jwt, text)
        text = _BROKEN_JWT.sub(MASK, text)
    if any(form in text for form in _FORMS):
        text = _KNOWN_FORM.sub(MASK, text)
    return _named(text)


def known_secrets(environment: Mapping[str, str]) -> frozenset[str]:
    """The secrets among variables, by their names. Words that could stand in any text are none."""
    return frozenset(
        value
        for name, value in environment.items()
        if is_secret_name(name) and len(value) >= _SHORTEST_KNOWN and not value.isalpha() and not value.isdecimal()
    )


def hide(data: bytes, secrets: Collection[str]) -> bytes:
    """`data` without those secrets: what a program was given by name it may print with no name beside it."""
    for secret in sorted(secrets, key=len, reverse=True):
        data = data.replace(secret.encode("utf-8", "surrogateescape"), MASK.encode())
    return data


def _named(text: str) -> str:
    """What is a secret because of the name before it."""
    folded = text.casefold()
    if "authorization" in folded or "bearer" in folded:
        text = _AUTHORIZATION.sub(rf"\g<head>{MASK}", text)
    if "agog_session=" in text:
        text = _SESSION.sub(rf"\g<head>{MASK}", text)
    if any(word in folded for word in _SECRET_WORDS):
        text = _LINE.sub(rf"\g<head>{MASK}", text)
        text = _QUOTED.sub(rf"\g<head>{MASK}", text)
        text = _ASSIGNED.sub(rf"\g<head>{MASK}", text)
        text = _TOKEN.sub(rf"\g<head>{MASK}", text)
        text = _OPTION.sub(rf"\g<head>{MASK}", text)
    return text


def _pem(found: re.Match[str]) -> str:
    """Everything up to the end of the key; of one that was cut off, what looks like it."""
    if found["tail"]:
        return f"{found['head']} {MASK} {found['tail']}"
    body = found["body"]
    if body.startswith(f" {MASK}"):
        return found[0]
    return f"{found['head']} {MASK}{body[_BODY.match(body).end() :]}"  # type: ignore[union-attr]


def _jwt(found: re.Match[str]) -> str:
    """One whose signature is not whole, at the end of a line, goes on in the next one: that is the other pattern's."""
    at_end = found.end() < len(found.string) and found.string[found.end()] in "\r\n"
    if at_end and len(found["signature"]) not in _SIGNATURES:
        return found[0]
    return MASK
