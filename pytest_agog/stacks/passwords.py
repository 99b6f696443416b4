"""Passwords inside longer texts: addresses, connection strings, options of programs.

The form that a program or a driver reads tells where the password stands, whatever its own words are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.interpolation import HOLE

_VALUE: Final = r"[\"']?(?P<secret>[^\s\"']+)"
_SAME_COMMAND: Final = r"[^|;&\n]{0,400}?\s"
"""Bounded, as every open repetition here: a long text of somebody else's is read in one go."""

URL: Final = re.compile(
    r"\b(?P<scheme>[a-z][a-z0-9+.-]{0,30})://(?P<user>[^\s:/@'\"]*):(?P<secret>[^\s/@'\"]+)@", re.IGNORECASE
)
_FLAG: Final = re.compile(
    r"--?(?:requirepass|masterauth|password|pass|passwd|auth-token|api-key|secret-key|token|root-password|admin-password"
    r"|auth)(?:=|\s+)(?P<secret>[^\s\"'-][^\s\"']*)"
)
_OPTIONS: Final = (
    _FLAG,
    re.compile(rf"-D[\w.]*(?:password|passwd|secret)={_VALUE}", re.IGNORECASE),
    re.compile(
        rf"\b(?:mysql|mysqladmin|mysqldump|mysqlshow|mariadb(?:-admin|-dump)?)\b{_SAME_COMMAND}-p"
        r"[\"']?(?P<secret>[^\s\"']+)"
    ),
    re.compile(rf"\b(?:redis|valkey|keydb)-cli\b{_SAME_COMMAND}-a\s+{_VALUE}"),
    re.compile(rf"\b(?:mongo|mongosh|mongodump|cypher-shell)\b{_SAME_COMMAND}-p\s+{_VALUE}"),
    re.compile(rf"\bsqlcmd\b{_SAME_COMMAND}-P\s*{_VALUE}"),
    re.compile(rf"\bcurl\b{_SAME_COMMAND}(?:-u|--user)[\s=]*[\"']?[^\s:\"']+:(?P<secret>[^\s\"']+)"),
    re.compile(rf"(?:^|[\s\"';])(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH)={_VALUE}"),
)
_STRINGS: Final = (
    # ADO: Server=db;User=sa;Password=mine
    re.compile(r"(?:^|;)\s*(?:password|pwd)\s*=\s*(?P<secret>[^;\"']+)", re.IGNORECASE),
    # libpq: host=db user=me password=mine
    re.compile(r"(?:^|[\s\"'])password\s*=\s*'?(?P<secret>[^\s;'\"]+)"),
    # Go's driver of MySQL: me:mine@tcp(db:3306)/app
    re.compile(r"(?:^|[\s\"'=])[^\s:/@'\"]+:(?P<secret>[^\s'\"]+?)@(?:tcp6?|udp|unix)\("),
    # JAAS, as Kafka reads it: username="me" password="mine"
    re.compile(r"\busername\s*=\s*[\"'][^\"']*[\"']\s+password\s*=\s*[\"'](?P<secret>[^\"']+)[\"']"),
)
_SEPARATED: Final = re.compile(r";|\b(?:host|hostaddr|dbname|user|sslmode)\s*=|\busername\s*=|@(?:tcp6?|udp|unix)\(")
"""What else stands in such a string; `password=mine` alone may be anything."""
_OPEN_MARK: Final = re.compile(r"[\0\x01]")
_SWITCH: Final = re.compile(
    r"(?:true|false|yes|no|on|off|none|null|nil|empty|disabled|enabled|optional|trust|peer|ident|md5"
    r"|scram-sha-256)?",
    re.IGNORECASE,
)
"""Words that switch something, or name a method (`--auth=md5`), and let nobody in."""


@dataclass(frozen=True, slots=True)
class Found:
    """A password within a text."""

    secret: str
    raw: str
    """The password as the file has it: with its variable, if it takes one."""


def in_options(text: str, raw: str) -> Iterator[Found]:
    """What programs are given on their command lines, or in variables that hold options."""
    return _search(_OPTIONS, text, raw)


def in_strings(text: str, raw: str) -> Iterator[Found]:
    """What drivers are given to connect with, other than addresses."""
    return _search(_STRINGS, text, raw) if _SEPARATED.search(text) else iter(())


def after(separator: str, text: str, raw: str) -> Iterator[Found]:
    """The second half of `user/password`."""
    secret = text.partition(separator)[2]
    outside = re.sub(r"\$\{[^{}]*\}", lambda match: " " * len(match[0]), raw)
    at = outside.find(separator)
    if is_password(secret):
        yield Found(secret, raw[at + 1 :] if at >= 0 else raw)


def is_password(text: str) -> bool:
    """Whether `text` itself could be a password: it is no variable, no template and no switch."""
    plain = _OPEN_MARK.sub("", text)
    if not plain or HOLE in text or text.startswith(("$", "`", "<", "{", "%", "*", "[")):
        return False
    return not _SWITCH.fullmatch(plain)


def written(pattern: re.Pattern[str], raw: str) -> str:
    """The password as the file has it; all of the text when a variable is in the way, or has it as its default."""
    match = pattern.search(raw)
    if match is None or interpolation.has_variable(match["secret"]):
        return raw
    return raw if interpolation.within(raw, match.start("secret")) else match["secret"]


def _search(patterns: tuple[re.Pattern[str], ...], text: str, raw: str) -> Iterator[Found]:
    for pattern in patterns:
        for match in pattern.finditer(text):
            if is_password(match["secret"].strip()):
                yield Found(match["secret"].strip(), written(pattern, raw))
