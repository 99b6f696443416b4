"""No secrets in the file.

`${VAR}`, `*_FILE` and mounted secrets are fine. `${VAR:-default}` is a finding when the default looks like a real
secret, and a note when it is a placeholder: such a file is meant to be filled in, but nobody notices when it was not.
A literal password is a finding however weak it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.interpolation import HOLE
from pytest_agog.stacks.model import Said, Service, Stack, Variable
from pytest_agog.stacks.reading import variables
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.tree import Mapping, Scalar, walk
from pytest_agog.stacks.words import repository, words

_SECRET_NAME: Final = re.compile(
    r"(?:^|[_.-])(?:PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|APIKEY|API_KEYS?|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY"
    r"|ENCRYPTION_KEY|SIGNING_KEY|MASTER_KEY|AUTH_KEY|APP_KEY|SECRET_KEY_BASE|SECRET_ACCESS_KEY|CLIENT_SECRET|JWT_KEY|CREDENTIALS)$"
    r"|(?:PASSWORD|PASSWD|SECRET|TOKEN|APIKEY)$",
    re.IGNORECASE,
)
_NO_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:ALLOW_EMPTY|ALLOW_BLANK|RANDOM|DISABLE|ENABLE|REQUIRE|USE|IS|HAS|MAX|MIN|NUM|COUNT|PUBLIC|EXPIRE|SKIP|PASSWORDLESS|NEXT_PUBLIC|VITE)"
    r"(?:_|$)|_FILE$|_PATH$|_URL$|(?:^|_)OLDPWD$|^PWD$",
    re.IGNORECASE,
)
_NOT_SECRET_VALUE: Final = re.compile(
    r"(?:true|false|yes|no|on|off|none|null|nil|\d{1,4}|empty|disabled|enabled|optional|trust)?", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(
    r"(?:<.*>|\{\{.*\}\}|x{3,}|\*+|\.{3}|(?:your|my|some|the|enter|insert|put)[-_ ].*"
    r"|.*(?:change[-_ ]?(?:me|this|it)|replace|todo|placeholder"
    r"|example|dummy|insecure|not[-_]?(?:so[-_]?)?secret|default|secret[-_]?key|your[-_]).*)",
    re.IGNORECASE,
)
_WELL_KNOWN: Final = frozenset({
    "postgres", "password", "passwd", "pass", "secret", "root", "admin", "test", "testing", "dev", "develop",
    "development", "local", "guest", "user", "mysql", "mongo", "redis", "minio", "minioadmin", "minio123",
    "example", "demo", "app", "db", "token", "key", "1234", "12345", "123456", "12345678", "password123",
    "admin123", "secret123", "changeit", "letmein", "toor", "pwd", "foobar", "rabbitmq", "ollama", "neo4j",
    "elastic", "none", "sk-local", "dummy", "n/a", "na",
})  # fmt: skip
_DEVELOPMENT: Final = re.compile(
    r"(?:^|[_\W-])(?:dev|local|test|testing|development|demo)(?:[_\W-]|$)|(?:password|passwd|secret)\d*$", re.IGNORECASE
)
_IN_URL: Final = re.compile(
    r"\b(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<user>[^\s:/@'\"]*):(?P<secret>[^\s/@'\"]+)@", re.IGNORECASE
)
_IN_ADO: Final = re.compile(r"(?:^|;)\s*(?:password|pwd)\s*=\s*(?P<secret>[^;\"']+)", re.IGNORECASE)
_FLAG: Final = re.compile(
    r"--?(?:requirepass|masterauth|password|pass|passwd|auth-token|api-key|secret-key|token|root-password|admin-password"
    r"|auth)(?:=|\s+)(?P<secret>[^\s\"'-][^\s\"']*)"
)
_PRIVATE: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_TOKENS: Final = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{18,}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{24,}"
    r"|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{20,}|S[AOU][A-Z2-7]{56}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,})"
)
_REMEDY: Final = "Write ${VARIABLE} and set it in an .env file that is not committed, or use a secret file (*_FILE)."
_OPEN_MARK: Final = re.compile(r"[\0\x01]")


def _secrets(stack: Stack) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    for remark in _all(stack):
        if (remark.file, remark.line) not in told:
            told.add((remark.file, remark.line))
            yield remark


def _all(stack: Stack) -> Iterator[Remark]:
    for service in stack.services.values():
        yield from _named(service)
    for file, root in stack.roots:
        for path, node in walk(root):
            if isinstance(node, Scalar) and not (path and path[-1] == "test"):
                place = Said(interpolation.resolve(node.text), node.line, node.file or file, node.text)
                yield from _anywhere(place, path)


def _named(service: Service) -> Iterator[Remark]:
    """Environment and build arguments whose names say that they are secret."""
    build = service.node.get("build")
    arguments = list(variables(service.file, build.get("args"))) if isinstance(build, Mapping) else []
    for one in (*service.environment, *arguments):
        if one.value is None or not (is_secret_name(one.name) or _looks_secret(one)):
            continue
        raw = one.said.raw.strip().strip("'\"")
        digits = one.value.strip("'\"").isdigit()
        if (digits and _COUNTED.search(one.name)) or (not digits and not _literal(one.value.strip("'\""))):
            continue
        what = f"service {service.name}: {one.name}"
        yield from _judged(what, one.said, raw, one.value, _names(service, one.name))
    said = service.command_said
    if said is None or not (match := _FLAG.search(" ".join(service.command))) or not _secret_part(match["secret"]):
        return
    written = _FLAG.search(said.raw)
    what = f"service {service.name}: a password in the command"
    yield from _judged(what, said, written["secret"] if written is not None else said.raw, match["secret"])


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


def _looks_secret(one: Variable) -> bool:
    """Whether a key or salt is long and random, whatever it is for."""
    value = (one.value or "").strip("'\"")
    return bool(_KEY_NAME.search(one.name) and "PUBLIC" not in one.name.upper() and _RANDOM.fullmatch(value)) and (
        any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    )


_KEY_NAME: Final = re.compile(r"(?:KEY|SALT|AUTH)$", re.IGNORECASE)
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/=_-]{32,}")


_TO_FILL_IN: Final = re.compile(
    r"(?:your|my|insert|enter|put|add)[-_ ].*|.*(?:xxx+|your[-_]|placeholder|replace[-_ ]?(?:me|with|this)).*",
    re.IGNORECASE,
)
_LETS_IN: Final = re.compile(r"PASS|PWD|password", re.IGNORECASE)
"""What is called so lets people in, whatever it says."""


def _names(service: Service, variable: str) -> frozenset[str]:
    """Words that a password is often made of and that everybody sees: `airflow` for airflow."""
    image = repository(service.image.text)[0] if service.image is not None else ""
    return frozenset((*words(service.name), *words(variable), *words(image)))


def _judged(what: str, place: Said, raw: str, value: str, known: frozenset[str] = frozenset()) -> Iterator[Remark]:
    if interpolation.has_variable(raw):
        default = _defaults(raw, value)
        if default is None:
            return
        if _placeholder(default) or default.lower() in known:
            text = f"{what} falls back to a placeholder that everybody knows"
            yield at(place, text, "Write ${VARIABLE:?} so that a missing one is an error.", "note")
        else:
            yield at(place, f"{what} falls back to a secret that stands in the file", _REMEDY)
        return
    if _template(value):
        return
    if _TO_FILL_IN.fullmatch(value.strip("'\"")) and not _LETS_IN.search(what):
        text = f"{what} is a placeholder where a secret is to be written"
        yield at(place, text, "Write ${VARIABLE}, so that nobody writes the secret here.", "note")
        return
    yield at(place, f"{what} is a secret that stands in the file", _REMEDY)


def _defaults(raw: str, value: str) -> str | None:
    """What a text with variables comes to when nobody sets them; None when nothing secret is left."""
    rest = value.replace(HOLE, "").strip("'\" ")
    return rest if rest and not (HOLE in value and len(rest) < _SHORTEST) else None


_SHORTEST: Final = 6
_COUNTED: Final = re.compile(r"TOKEN|SECRET$", re.IGNORECASE)
"""Names of what may also be counted: a number there is none."""


def _literal(value: str) -> bool:
    """Whether `value` is text of which a part can be a secret: not empty, no switch, no path, no URL without one."""
    plain = value.strip()
    if not plain.replace(HOLE, "") or _NOT_SECRET_VALUE.fullmatch(plain):
        return False
    if plain.startswith(("/", "./", "file:", "~/", "arn:", "vault:", "op://")) and "=" not in plain[-2:]:
        return False
    return not re.match(r"https?://", plain)


def _template(value: str) -> bool:
    """`<your key>`, `{{ value }}`: a form to fill in, which nobody can log in with."""
    return bool(re.fullmatch(r"<[^<>]*>|\{\{.*\}\}|\*+|\.{3}|\$\(.*\)|\$\{.*\}|`.*`|#\{.*\}#?", value.strip()))


def _placeholder(value: str) -> bool:
    text = value.strip().lower()
    return text in _WELL_KNOWN or bool(_PLACEHOLDER.fullmatch(text)) or bool(_DEVELOPMENT.search(text))


def _anywhere(place: Said, path: tuple[str, ...]) -> Iterator[Remark]:
    where = f"service {path[1]}" if len(path) > 1 and path[0] == "services" else ".".join(path) or "the file"
    text = place.text
    if _PRIVATE.search(text):
        yield at(place, f"{where}: a private key stands in the file", "Mount it as a secret file instead.")
        return
    if _TOKENS.search(text):
        yield at(place, f"{where}: an access token stands in the file", _REMEDY)
        return
    for found in _IN_URL.finditer(text):
        secret = found["secret"]
        if "/" in found["user"] or not _secret_part(secret):
            continue
        yield from _judged(f"{where}: the password in a {found['scheme']}:// address", place, _raw_part(place), secret)
        return
    if "=" in text and (match := _IN_ADO.search(text)) and ";" in text and _secret_part(match["secret"].strip()):
        yield from _judged(f"{where}: the password in a connection string", place, _raw_part(place), match["secret"])
        return


def _raw_part(place: Said) -> str:
    """The text as written; without variables when the file's own text already has the secret."""
    match = _IN_URL.search(place.raw)
    if match is not None and not interpolation.has_variable(match["secret"]):
        return match["secret"]
    return place.raw


def _secret_part(secret: str) -> bool:
    plain = _OPEN_MARK.sub("", secret)
    if not plain or HOLE in secret or secret.startswith(("$", "<", "{", "%", "*", "[")):
        return False
    return not _NOT_SECRET_VALUE.fullmatch(plain) or plain.isdigit()


RULES: Final = (
    Rule(
        "secret-in-file",
        "Whoever reads the repository, its history or a copy of it can use what stands in it.",
        each(_secrets),
    ),
)  # fmt: skip
