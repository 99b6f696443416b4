"""Secrets never show: passwords in URLs, tokens, seeds, keys and credentials are masked before they are printed or
saved.

Digests, message ids, subjects and other ordinary text stay: what is masked has the form of a secret, or stands where
one is set by name.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

MASK = "****"
_SHORTEST_KNOWN: Final = 6
_LONG: Final = 12
"""Characters from which on a known secret is no part of another word."""

# user:password@ in any URL, up to the last @ before the path; the user stays readable, because it tells which account
# was refused. A path of a file system makes one slash of two. The scheme is bounded, so that long words cost no more
# than their length.
# JSON may write a slash with a backslash, or as a number.
_SLASHES = r":(?:\\{0,2}/|\\u002[fF]){1,2}"
_SCHEME = rf"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{{0,30}}{_SLASHES}"
_URL_PASSWORD = re.compile(rf"(?P<head>{_SCHEME}[^\s/:@]*):[^\s/]+@")
# A password with a slash that somebody forgot to escape; no port, and no place to be filled in.
_URL_SLASHED = re.compile(
    rf"(?P<head>{_SCHEME}[^\s/:@\[]*):(?!\d{{1,5}}(?:[/?#]|$))(?![\[{{$<%*])[^\s/@\"'<>]{{1,200}}/[^\s@\"'<>]{{0,200}}@"
)
# The same within a parameter of another URL, where it is escaped.
_ESCAPED_PASSWORD = re.compile(r"(?P<head>%3A%2F%2F[^\s/:@%]{0,200}%3A)(?:(?!%40)[^\s/&]){1,2000}%40", re.IGNORECASE)
# NATS URLs may carry a bare token: nats://token@host
_URL_TOKEN = re.compile(r"(?P<head>\b(?:nats|tls|ws|wss)://)[^\s/:@]+@")
# Elsewhere it is a user's name, unless it is long and has letters and digits.
_LONG_USER = re.compile(
    r"(?P<head>\b(?:https?|git|rediss?)://)(?=[^\s/:@]{0,255}\d)(?=[\d_+=~-]{0,255}[A-Za-z])[\w+=~-]{16,255}@"
)
# Output that was wrapped to a width breaks words, and indents what follows.
_BREAK = r"(?:\r?\n[ \t|\u2502>]{0,40})"
_NKEY_SEED = re.compile(rf"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{{8}}(?:{_BREAK}?[A-Z2-7]){{48}}(?![A-Z2-7])")
# The escaped end of a line before it is no part of the word.
_BEGIN = r"(?:\b|(?<=\\[nrt]))"
_JWT = re.compile(
    rf"{_BEGIN}eyJ[A-Za-z0-9_-]{{10,}}\.[A-Za-z0-9_-]{{10,}}\.(?P<signature>[A-Za-z0-9_-]{{10,}})(?![A-Za-z0-9_-])"
)
_BROKEN_JWT = re.compile(
    rf"{_BEGIN}eyJ[A-Za-z0-9_-]{{10,}}(?:{_BREAK}[A-Za-z0-9_-]+)?\.{_BREAK}?eyJ[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?"
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
    rf"{_BEGIN}(?:gh[pousr]_[A-Za-z0-9]{{36,255}}|github_pat_\w{{22,255}}|gl(?:pat|rt|dt)-[\w-]{{20,255}}"
    r"|xox[abeprs]-[\w-]{10,255}|xapp-[\w-]{10,255}"
    r"|sk-(?=[A-Za-z_-]{0,40}[0-9])[\w-]{20,255}|[sr]k_live_\w{16,255}|agogt_[\w-]{20,255}|A[KS]IA[A-Z0-9]{16}"
    r"|AIza[\w-]{30,60}|npm_[A-Za-z0-9]{30,60}|pypi-[\w-]{30,255}|hvs\.[\w-]{20,255}|ya29\.[\w-]{20,255}"
    r"|dckr_pat_[\w-]{20,255}|SG\.[\w-]{16,64}\.[\w-]{16,64})(?![\w-])"
)
"""Keys whose makers gave them a beginning by which they are known."""
_FORMS: Final = (
    "gh", "glpat-", "glrt-", "gldt-", "xox", "xapp-", "sk-", "k_live_", "agogt_", "AKIA", "ASIA", "AIza", "npm_",
    "pypi-", "hvs.", "ya29.", "dckr_pat_", "SG.",
)  # fmt: skip
_COOKIES = re.compile(
    r"(?P<head>\b(?:set-)?cookie\\*[\"']?\s*[:=]\s*\\*[\"']?)(?P<all>[\w.-]+=[^\r\n\"']+)", re.IGNORECASE
)
_COOKIE = re.compile(
    r"(?P<head>(?:^|;\s*)(?!(?:domain|path|expires|max-age|samesite)=)[\w.-]+=)[^;\s\\]{8,}", re.IGNORECASE
)
_SESSION = re.compile(r"(?P<head>\bagog_session(?:_[0-9a-f]{1,32})?=)[^\s;,\"']+")
_AUTHORIZATION = re.compile(
    r"(?P<head>\b(?:authorization\W{1,6}(?:bearer|basic|token|digest|negotiate|apikey|bot)|bearer)\s+)[\w.~+/=-]{8,}",
    re.IGNORECASE,
)
# Without a scheme; one word with a digit.
_BARE_AUTHORIZATION = re.compile(
    r"(?P<head>\bauthorization\\*[\"']?\s*[:=]\s*\\*[\"']?)(?=[A-Za-z.~+/=_-]*\d)[\w.~+/=-]{8,}(?![\w:.-])",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"(?P<head>[?&](?:\w{1,20}_)?(?:token|sig|signature|x-amz-signature|x-amz-security-token)=)[^\s&\"'<>#]{6,}",
    re.IGNORECASE,
)
# A bare `token` counts and names many things; one that is set to something long with letters and digits is a secret.
_TOKEN = re.compile(
    r"(?P<head>(?<![\w-])token\\*[\"']?\s*[=:]\s*\\*[\"']?)(?=[A-Za-z_~+/=-]*\d)(?=[\d_~+/=-]*[A-Za-z])[\w~+/=-]{16,}",
    re.IGNORECASE,
)
# As an option of a command, in a line or in a list of words; what begins with a dash is the next one.
_OPTION = re.compile(
    r"(?P<head>(?<![\w-])--?(?:[\w-]{0,40}-)?(?:pass(?:word|wd|phrase)|secret|(?:api|access|private|secret)-?key"
    r"|token(?!(?:[ =]|[\"'],\s?[\"'])\d{1,7}(?!\w)))(?:[ =]|[\"'],\s?(?=[\"'])))"
    r"(?!-)(?:\"[^\"\n]+\"|'[^'\n]+'|[^\s\"']+)",
    re.IGNORECASE,
)
_CURL_USER = re.compile(r"(?P<head>\bcurl\b[^\n]{0,300}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"'@/]{0,100}:)[^\s\"']+")
# A name that ends in one of these words, perhaps quoted (in JSON within JSON with backslashes), and what it is set to.
_NAMES = (
    r"(?:password|passwd|passphrase|passwort|[_-]pwd|(?:db|user|smtp|mail|admin|root|nats|pg|postgres|redis|ftp|http)_pass"
    r"|(?-i:_PASS)|secret|(?:api|access|private|secret|account|master|encryption)[_-]?key"
    r"|(?:access|auth|[_-])[_-]?token|(?-i:(?<![A-Za-z0-9_])[a-z][A-Za-z0-9]{0,40}Token))"
)
_NAMED = re.compile(rf"{_NAMES}\Z", re.IGNORECASE)
_END_OF_NAME = re.compile(r"(?:pass(?:word|wd|phrase|wort)?|pwd|secret|key|token)(?=\\*[\"']?(?:\s|\\|\x1b|:|=))")
"""Of folded text, where something may be set."""
_IN_PART: Final = {"pwd": 1, "pass": 9, "key": 11, "token": 48}
"""Ends that need more of the name before them, and how much of it at most."""
_LONGEST_PREFIX: Final = 320
"""Characters of a line up to the end of such a name."""
# Programs that write for a terminal colour names, signs and values.
_GAP = r"(?:\s|\x1b\[[0-9;]{0,20}m|\\+(?:x1b|u001b|033)\[[0-9;]{0,20}m)*"
_SET = rf"\\*[\"']?{_GAP}(?::=|=>|[=:]){_GAP}"
_END_OF_NAME = re.compile(rf"(?:pass(?:word|wd|phrase|wort)?|pwd|secret|key|token)(?={_SET})")
"""Of folded text, where something is set."""
_SET_HERE = rf"\\*[\"']?{_GAP}(?::=|=>|[=:])" + _GAP.replace(r"\s", r"[ \t\xa0]")
# What follows a name. Names are found first, because a pattern that begins with them is tried at every character.
_QUOTED = re.compile(
    rf"(?P<head>{_SET}(?:[A-Za-z_]{{1,30}}\()?[bBrRuUfF]{{0,2}}(?P<quote>[\"']))"
    r"(?:(?!(?P=quote))[^\\\n]|\\.)+",
    re.IGNORECASE,
)
_LISTED = re.compile(rf"(?P<head>{_SET}\[)\s*[\"'\w][^\]]{{0,4000}}\]", re.IGNORECASE)
# A comma and the like belong to it, unless they end it: more than punctuation follows, and no further setting does.
# What stands for a value, or tells its kind, is none: types, references to variables, calls that fetch one, members.
_KIND = r"(?:str|string|bool|boolean|int|integer|bytes|object|null|none|nil|true|false|undefined|required|optional)"
_ENDED = r"(?![^\s\"',;)}\]\\])"
_REFERENCE = rf"(?-i:\$[A-Z_][A-Z0-9_]{{2,60}}{_ENDED}|\$\{{[A-Za-z_]\w{{0,60}}(?::?\?[^}}\n]{{0,200}})?\}}{_ENDED})"
_NO_VALUE = (
    r"(?!\[|[|>][-+0-9]{0,2}\s|[A-Za-z_]{1,30}\([\"']|[bBrRuUfF]{1,2}[\"']|={1,2}\s|\{\s*\\*[\"'}]"
    rf"|{_KIND}{_ENDED}|{_REFERENCE}"
    r"|os\.environ\b|os\.getenv\(|process\.env\b|[A-Za-z_][\w.]{0,60}\(\))"
)
_ASSIGNED = re.compile(
    rf"(?P<head>{_SET_HERE}(?:![\w!]{{1,20}}[ \t]+)?\\*[\"']?){_NO_VALUE}"
    r"(?:[^\s\"',;&}\\\x1b]|[,;&}](?![\s\"',;&}\])]|$|[\w.-]{1,60}\\*[\"']?[=:]))+",
    re.IGNORECASE,
)
# Shorter names, which also mean other things: in JSON or with an equals sign, set to letters with digits.
_SHORT = re.compile(
    r"(?P<head>(?<![\w-])(?:pass|pwd)(?:\\*[\"']\s*:\s*\\*[\"']|=[\"']?))"
    r"(?=[^\s\"'\d/\\]{0,60}\d)(?=[^\s\"'A-Za-z/\\]{0,60}[A-Za-z])[^\s\"'/\\]{8,}",
    re.IGNORECASE,
)
_ELEMENT = re.compile(rf"(?P<head><[\w:.-]{{0,40}}{_NAMES}>)[^<>\n]+(?=</)", re.IGNORECASE)
# A block of YAML under a name: all lines that are indented more.
_BLOCK = re.compile(
    rf"^(?P<head>(?P<indent>[ \t]*)(?:- )?[\"']?[\w.-]{{0,60}}{_NAMES}[\"']?:[ \t]*[|>][-+0-9]{{0,2}}[ \t]*\n)"
    r"(?:(?P=indent)[ \t]+\S[^\n]*(?:\n|\Z))+",
    re.IGNORECASE | re.MULTILINE,
)
# Or one word there; more may well be something else, such as the name and key of a secret elsewhere.
_BELOW = re.compile(
    rf"^(?P<head>(?P<indent>[ \t]*)(?:- )?[\"']?[\w.-]{{0,60}}{_NAMES}[\"']?:[ \t]*\n(?P=indent)[ \t]+)"
    r"(?!- )[^\s:#]+(?=[ \t]*(?:\n|\Z))",
    re.IGNORECASE | re.MULTILINE,
)
# A name and its value as two members, as in environments of Kubernetes and of containers.
_PAIR = re.compile(
    rf"(?P<head>\b(?:name|key)\\*[\"']?\s*[:=]\s*\\*[\"']?[\w.-]{{0,60}}{_NAMES}\\*[\"']?[\s,]*\\*[\"']?\bvalue\\*[\"']?\s*[:=]\s*)"
    r"(?:\\*\"(?:[^\"\\\n])+|'[^'\n]+|[^\s\"',}\\]+)",
    re.IGNORECASE,
)
# The rest of a line of YAML, with what stands before it in an excerpt; a value in quotes has been dealt with.
_LINE = re.compile(
    rf"^(?P<head>[ \t\d|\u2502>-]{{0,60}}[\w.-]{{0,60}}{_NAMES}:[ \t]+)"
    rf"(?![\"'|>&!*{{\[]|{_KIND}[ \t]*[=#|]|{_REFERENCE})"
    r"[^\s#]*[^\s#,](?:[ \t]+[^\s#]*[^\s#,])+",
    re.IGNORECASE | re.MULTILINE,
)
_AFTER_NAMES: Final = (
    (_BLOCK, rf"\g<head>\g<indent>  {MASK}\n", True),
    (_BELOW, rf"\g<head>{MASK}", True),
    (_LISTED, rf"\g<head>{MASK}]", False),
    (_LINE, rf"\g<head>{MASK}", True),
    (_QUOTED, rf"\g<head>{MASK}", False),
    (_ASSIGNED, rf"\g<head>{MASK}", False),
)
"""Pattern, what stands there instead, and whether it begins with the line and not after a name."""

_IN_URL = re.compile(rf"{_SCHEME}[^\s/:@]*:(?P<password>[^\s/]+)@")
_SECRET_NAME = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie|pgpassword|secret|credentials?|x-auth-token"
    rf"|(?:access|auth|refresh)[_-]?token|.*{_NAMES}",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under `name` (a key, a header, a column) is a secret as a whole, whatever it looks like."""
    return _SECRET_NAME.fullmatch(name) is not None


_MIXED = re.compile(r"(?=.*[^\W\d_])(?=.*(?:\d|[^\w\s./:-]))", re.DOTALL)
"""Letters, and something that names and paths seldom have."""
_SECRET_WORDS = ("password", "passwd", "passphrase", "passwort", "pwd", "_pass", "secret", "key", "token")


def mask(text: str) -> str:
    """Return `text` with every secret that can be recognised replaced by ``****``.

    Words without which no secret is recognised are looked for first: output of megabytes mostly has none.
    """
    if "@" in text and (":/" in text or ":\\" in text):
        text = _URL_PASSWORD.sub(rf"\g<head>:{MASK}@", text)
        text = _URL_SLASHED.sub(rf"\g<head>:{MASK}@", text)
        text = _URL_TOKEN.sub(rf"\g<head>{MASK}@", text)
        text = _LONG_USER.sub(rf"\g<head>{MASK}@", text)
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
    """The secrets among variables: by their names, and the passwords within URLs, as they are written there and as
    they are meant. Each also as JSON, URLs, `Basic` credentials and base64 carry it, and line by line where it has
    several. What could stand in any text is none: words, numbers, and what has fewer than six characters, such as the
    `postgres` of a machine where nothing is secret.
    """
    found: set[str] = set()
    for name, value in environment.items():
        if is_secret_name(name):
            found |= {value, *value.splitlines()}
        elif "://" in value and "@" in value:
            found |= {
                form for given in _IN_URL.finditer(value) for form in (given["password"], unquote(given["password"]))
            }
    return frozenset(form for secret in found if _is_telling(secret) for form in _forms(secret))


def _is_telling(value: str) -> bool:
    if len(value) < _SHORTEST_KNOWN or "-----" in value or value.isdecimal():
        return False
    if value.isalpha():  # no word is written with small and capital letters anyhow
        return value not in (value.lower(), value.upper()) and value[1:] != value[1:].lower()
    return len(value) >= _LONG or _MIXED.search(value) is not None


def _forms(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield quote(raw, safe="")
    yield quote(raw)
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")


def hide(data: bytes, secrets: Collection[str]) -> bytes:
    """`data` without those secrets: what a program was given by name it may print with no name beside it. A short one
    is hidden where it stands for itself, not within a longer word.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        raw = secret.encode("utf-8", "surrogateescape")
        if raw not in data:
            continue
        if len(secret) >= _LONG:
            data = data.replace(raw, MASK.encode())
        else:
            data = re.sub(rb"(?<![\w-])" + re.escape(raw) + rb"(?![\w-])", MASK.encode(), data)
    return data


def _named(text: str) -> str:
    """What is a secret because of the name before it."""
    folded = text.casefold()
    if "authorization" in folded or "bearer" in folded:
        text = _AUTHORIZATION.sub(rf"\g<head>{MASK}", text)
        text = _BARE_AUTHORIZATION.sub(rf"\g<head>{MASK}", text)
    if "agog_session" in text:
        text = _SESSION.sub(rf"\g<head>{MASK}", text)
    if "cookie" in folded:
        text = _COOKIES.sub(_cookies, text)
    if "token=" in folded or "sig" in folded:
        text = _QUERY.sub(rf"\g<head>{MASK}", text)
    if "pass" in folded or "pwd" in folded:
        text = _SHORT.sub(rf"\g<head>{MASK}", text)
    if "curl" in text:
        text = _CURL_USER.sub(rf"\g<head>{MASK}", text)
    if any(word in folded for word in _SECRET_WORDS):
        text = _set_by_name(_PAIR.sub(_pair, text))
        text = _TOKEN.sub(rf"\g<head>{MASK}", text)
        text = _OPTION.sub(_option, text)
        text = _ELEMENT.sub(rf"\g<head>{MASK}", text)
    return text


def _set_by_name(text: str) -> str:
    names = _names(text)
    for pattern, shown, in_lines in _AFTER_NAMES:
        masked = _replaced(pattern, shown, text, _line_starts(text, names) if in_lines else names)
        if masked != text:
            text, names = masked, _names(masked)
    return text


def _names(text: str) -> list[int]:
    """Where the names end that make a secret of what they are set to."""
    folded = text.lower()
    if len(folded) != len(text):  # a few capitals have two small letters
        folded = "".join(letter if len(letter.lower()) > 1 else letter.lower() for letter in text)
    folded = folded.replace("\u017f", "s")  # as patterns see it
    return [
        found.end()
        for found in _END_OF_NAME.finditer(folded)
        if found[0] not in _IN_PART or _NAMED.search(text, max(0, found.start() - _IN_PART[found[0]]), found.end())
    ]


def _line_starts(text: str, names: list[int]) -> Iterator[int]:
    """Of lines that have a name near their beginning."""
    last = -1
    for end in names:
        begin = max(0, end - _LONGEST_PREFIX)
        start = text.rfind("\n", begin, end) + 1
        if start > last and (start or not begin):
            last = start
            yield start


def _replaced(pattern: re.Pattern[str], shown: str, text: str, places: Iterable[int]) -> str:
    """`pattern` replaced wherever it matches at one of the places; what was taken already is none."""
    parts: list[str] = []
    taken = 0
    for place in places:
        if place >= taken and (found := pattern.match(text, place)) is not None:
            parts += (text[taken:place], found.expand(shown))
            taken = found.end()
    return "".join(parts) + text[taken:] if parts else text


def _cookies(found: re.Match[str]) -> str:
    """Their names stay."""
    return found["head"] + _COOKIE.sub(rf"\g<head>{MASK}", found["all"])


def _option(found: re.Match[str]) -> str:
    """Its quotes stay, so that what follows reads as before."""
    value = found[0].removeprefix(found["head"])
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found['head']}{quote}{MASK}{quote}"


def _pair(found: re.Match[str]) -> str:
    value = found[0].removeprefix(found["head"])
    opened = value[: len(value) - len(value.lstrip("\\\"'"))]
    return f"{found['head']}{opened}{MASK}"


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
