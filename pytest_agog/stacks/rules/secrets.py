"""No secrets in the file.

`${VAR}`, `*_FILE` and mounted secrets are fine. `${VAR:-default}` is a finding when the default looks like a real
secret, and a note when it is a placeholder: such a file is meant to be filled in, but nobody notices when it was not.
A literal password is a finding however weak it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import interpolation, passwords
from pytest_agog.stacks.interpolation import HOLE
from pytest_agog.stacks.model import Said, Service, Stack, Variable
from pytest_agog.stacks.reading import variables, written
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.tree import Mapping, Scalar, walk
from pytest_agog.stacks.words import repository, words

_SECRET_NAME: Final = re.compile(
    r"(?:^|[_.-])(?:PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|APIKEY|API_KEYS?|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY"
    r"|ENC(?:RYPTION)?_KEY|CRYPTO_KEY|FERNET_KEY|SIGNING_KEY|MASTER_KEY|AUTH_KEY|APP_KEY|SECRET_KEY_BASE|SECRET_ACCESS_KEY|CLIENT_SECRET|JWT_KEY|CREDENTIALS|SALT)$"
    r"|(?:PASSWORDS?|PASSWD|SECRET|TOKEN|APIKEYS?|API_?KEY_ALLOWED_KEYS|ROOT_TOKEN_ID|REDIS(?:CLI)?_AUTH)$",
    re.IGNORECASE,
)
_NO_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:ALLOW_EMPTY|ALLOW_BLANK|RANDOM|DISABLE|ENABLE|REQUIRE|USE|IS|HAS|MAX|MIN|NUM|COUNT|PUBLIC|EXPIRE|SKIP|PASSWORDLESS|NEXT_PUBLIC|VITE"
    r"|PUBLISHABLE|SITE_KEY|SITEKEY)(?:_|$)|_FILE$|_PATH$|_URL$|(?:^|_)GPG_KEY$|FINGERPRINT$|(?:^|_)OLDPWD$|^PWD$|_SSL_\w+_CREDENTIALS$",
    re.IGNORECASE,
)
_NOT_SECRET_VALUE: Final = re.compile(
    r"(?:true|false|yes|no|on|off|none|null|nil|\d{1,4}|empty|disabled|enabled|optional|trust)?", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(
    r"(?:<.*>|\{\{.*\}\}|x{3,}|\*+|\.{3}|(?:your|my|some|the|enter|insert|put)[-_ ].*"
    r"|.*(?:change[-_ ]?(?:me|this|it)|replace|todo|placeholder"
    r"|example|dummy|insecure|not[-_]?(?:so[-_]?)?(?:secret|needed|required|used)|default|secret[-_]?key|your[-_]).*)",
    re.IGNORECASE,
)
_WELL_KNOWN: Final = frozenset({
    "postgres", "password", "passwd", "pass", "secret", "root", "admin", "test", "testing", "dev", "develop",
    "development", "local", "guest", "user", "mysql", "mongo", "redis", "minio", "minioadmin", "minio123",
    "example", "demo", "app", "db", "token", "key", "1234", "12345", "123456", "12345678", "password123",
    "admin123", "secret123", "changeit", "letmein", "toor", "pwd", "foobar", "rabbitmq", "ollama", "neo4j",
    "elastic", "none", "sk-local", "dummy", "n/a", "na", "masterkey", "empty", "fake", "unused", "anything",
    "lm-studio", "sk-1234", "no-key", "sk-no-key-required", "p@ssw0rd", "p@ssword", "passw0rd",
    "t0p-s3cr3t", "qwerty",
})  # fmt: skip
_DEVELOPMENT: Final = re.compile(
    r"(?:^|[_\W-])(?:dev|local|test|testing|development|demo)(?:[_\W-]|$)|(?:password|passwd|secret|[_-]pass)\d*$",
    re.IGNORECASE,
)
_PRIVATE: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_TOKENS: Final = re.compile(
    r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{18,}|sk-(?:ant-|proj-)?[A-Za-z0-9_-]{24,}"
    r"|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{20,}|S[AOU][A-Z2-7]{56}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}|whsec_[A-Za-z0-9+/=]{24,}|[rs]k_live_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{30,})"
)
_REMEDY: Final = "Write ${VARIABLE} and set it in an .env file that is not committed, or use a secret file (*_FILE)."


def _secrets(stack: Stack) -> Iterator[Remark]:
    told: set[tuple[str, int]] = set()
    for remark in _all(stack):
        if (remark.file, remark.line) not in told:
            told.add((remark.file, remark.line))
            yield remark


def _all(stack: Stack) -> Iterator[Remark]:
    for service in written(stack):
        yield from _named(service)
        yield from _within(service)
    for file, root in stack.roots:
        for path, node in walk(root):
            if isinstance(node, Scalar):
                place = Said(interpolation.resolve(node.text), node.line, node.file or file, node.text)
                yield from _anywhere(place, path)


def _named(service: Service) -> Iterator[Remark]:
    """Environment and build arguments whose names say that they are secret."""
    build = service.node.get("build")
    arguments = list(variables(service.file, build.get("args"))) if isinstance(build, Mapping) else []
    for one in (*service.environment, *arguments):
        if one.value is None or not (is_secret_name(one.name) or _looks_secret(one)) or _is_user(one):
            continue
        raw = one.said.raw.strip().strip("'\"")
        plain = one.value.strip().strip("'\"")
        digits = plain.isdigit()
        server = _SERVER_PASSWORD.fullmatch(one.name) is not None
        if (digits and _COUNTED.search(one.name)) or (not digits and not _literal(plain, server=server)):
            continue
        what = f"service {service.name}: {one.name}"
        yield from _judged(what, one.said, raw, one.value, _names(service, one.name))


def _within(service: Service) -> Iterator[Remark]:
    """Passwords among the options of what runs, in its healthcheck, and in variables that hold options or pairs."""
    check = service.healthcheck.said if service.healthcheck is not None else None
    for said, where in ((service.command_said, "the command"), (check, "the healthcheck")):
        if said is not None:
            for one in passwords.in_options(said.text, said.raw):
                yield from _judged(f"service {service.name}: a password in {where}", said, one.raw, one.secret)
    for variable in service.environment:
        if variable.name == "POSTGRES_INITDB_ARGS":
            continue  # initdb takes methods (`--auth=password`), and a password from a file only
        said, what = variable.said, f"service {service.name}: the password in {variable.name}"
        if separator := _PAIRS.get(variable.name.upper()):
            pairs = passwords.after(separator, said.text, said.raw)
        elif said.text.lstrip().startswith("-"):
            pairs = passwords.in_options(said.text, said.raw)
        else:
            continue
        for one in pairs:
            yield from _judged(what, said, one.raw, one.secret, _names(service, variable.name))


_PAIRS: Final = {"NEO4J_AUTH": "/", "FLOWER_BASIC_AUTH": ":", "CELERY_FLOWER_BASIC_AUTH": ":", "BASIC_AUTH": ":"}
"""Variables that hold a user and a password, with what parts the two."""
_SERVER_PASSWORD: Final = re.compile(
    r"POSTGRES_PASSWORD|(?:MYSQL|MARIADB)_(?:ROOT_)?PASSWORD|MONGO_INITDB_ROOT_PASSWORD|RABBITMQ_DEFAULT_PASS"
    r"|MINIO_ROOT_PASSWORD|(?:MSSQL_)?SA_PASSWORD|ELASTIC_PASSWORD|CLICKHOUSE_PASSWORD"
)
"""What images of servers take as the password, whatever it says: `none` is one of four letters."""


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET_NAME.search(name)


def _is_user(one: Variable) -> bool:
    """Whether an access key is the name of a user, as of MinIO, which its secret key goes with."""
    return bool(_ACCESS_KEY.search(one.name) and _USER.fullmatch((one.value or "").strip("'\"")))


_ACCESS_KEY: Final = re.compile(r"(?:^|[_.-])(?<!SECRET_)ACCESS_KEY$", re.IGNORECASE)
_USER: Final = re.compile(r"[a-z][a-z_-]{2,15}")


def _looks_secret(one: Variable) -> bool:
    """Whether a key or salt is long and random, whatever it is for."""
    value = (one.value or "").strip("'\"")
    public = "PUBLIC" in one.name.upper() or bool(_NO_SECRET_NAME.search(one.name))
    return bool(_KEY_NAME.search(one.name) and not public and _RANDOM.fullmatch(value)) and (
        any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    )


_KEY_NAME: Final = re.compile(r"(?:KEYS?|SALT|AUTH|SECRETS|TOKENS)$|KEY_FOR_\w+$", re.IGNORECASE)
_RANDOM: Final = re.compile(r"[A-Za-z0-9+/=_-]{32,}(?:[,;\s][A-Za-z0-9+/=_-]{32,})*")


_TO_FILL_IN: Final = re.compile(
    r"(?:your|my|insert|enter|put|add)[-_ ].*|.*(?:xxx+|your[-_]|placeholder|replace[-_ ]?(?:me|with|this)).*",
    re.IGNORECASE,
)
_API_KEY: Final = re.compile(r"API_?KEY$", re.IGNORECASE)
_NO_KEY: Final = re.compile(
    r"(?:sk-)?(?:dummy|fake|mock|unused|empty|none|anything|n/?a|ollama|lm-studio"
    r"|not?[-_ ]?(?:key|needed|required|used)(?:[-_ ](?:needed|required))?)(?:[-_ ]?(?:api)?[-_ ]?key)?",
    re.IGNORECASE,
)
"""What clients are given that demand a key where the server takes any."""
_WORD: Final = re.compile(r"[A-Za-z]{1,12}")
"""No service gives out keys that are words; who falls back to one calls a service that takes any, or one for all."""
_LETS_IN: Final = re.compile(r"PASS|PWD|password", re.IGNORECASE)
"""What is called so lets people in, whatever it says."""


def _names(service: Service, variable: str) -> frozenset[str]:
    """What a password is often made of and everybody sees: `airflow` for airflow, the user, the database."""
    image = repository(service.image.text)[0] if service.image is not None else ""
    told = (one.value for one in service.environment if one.value and _USER_OR_DATABASE.search(one.name))
    return frozenset((*words(service.name), *words(variable), *words(image), *(value.lower() for value in told)))


_USER_OR_DATABASE: Final = re.compile(r"(?:USER|USERNAME|DB|DATABASE|DBNAME|DB_NAME)$", re.IGNORECASE)


def _judged(what: str, place: Said, raw: str, value: str, known: frozenset[str] = frozenset()) -> Iterator[Remark]:
    if interpolation.has_variable(raw):
        default = _defaults(raw, value)
        if default is None:
            return
        if _placeholder(default) or default.lower() in known or (_API_KEY.search(what) and _WORD.fullmatch(default)):
            text = f"{what} falls back to a placeholder that everybody knows"
            yield at(place, text, "Write ${VARIABLE:?} so that a missing one is an error.", "note")
        else:
            yield at(place, f"{what} falls back to a secret that stands in the file", _REMEDY)
        return
    if _template(value):
        return
    if _API_KEY.search(what) and _NO_KEY.fullmatch(value.strip("'\"")):
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


def _literal(value: str, *, server: bool = False) -> bool:
    """Whether `value` is text of which a part can be a secret: not empty, no switch, no path, no URL without one.

    For what is always a password (`server`) switches are words like others.
    """
    plain = value.strip()
    if not plain.replace(HOLE, "") or (not server and _NOT_SECRET_VALUE.fullmatch(plain)):
        return False
    if _is_path(plain):
        return False
    return not re.match(r"https?://", plain)


def _is_path(value: str) -> bool:
    """Whether `value` names a place of a secret. Random characters may begin with a slash, but seldom with a folder."""
    if value.startswith(("./", "file:", "~/", "arn:", "vault:", "op://")) or _FOLDER.match(value):
        return True
    if _KEY_FILE.fullmatch(value):
        return True
    mixed = all(re.search(some, value) for some in (r"[a-z]", r"[A-Z]", r"[0-9]"))
    return value.startswith("/") and not mixed and "=" not in value[-2:]


_KEY_FILE: Final = re.compile(r"[\w./-]+\.(?:json|pem|key|crt|cer|p12|pfx|jks|txt|ya?ml|env)", re.IGNORECASE)
_FOLDER: Final = re.compile(r"/(?:run|var|etc|secrets?|mnt|vault|opt|app|home|root|tmp|usr|certs?|config|data|srv)/")


def _template(value: str) -> bool:
    """`<your key>`, `{{ value }}`: a form to fill in, which nobody can log in with."""
    return bool(re.fullmatch(r"<[^<>]*>|\{\{.*\}\}|\*+|\.{3}|\$\(.*\)|\$\{.*\}|`.*`|#\{.*\}#?", value.strip()))


def _placeholder(value: str) -> bool:
    text = value.strip().lower()
    if _MADE_TO_WORK.fullmatch(value.strip()) and not _TO_CHANGE.search(text):
        return False
    return text in _WELL_KNOWN or bool(_PLACEHOLDER.fullmatch(text)) or bool(_DEVELOPMENT.search(text))


_MADE_TO_WORK: Final = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])\S{16,}")
_TO_CHANGE: Final = re.compile(
    r"change|replace|todo|placeholder|example|dummy|insecure|default|not[-_]|(?:your|my|insert|enter)[-_ ]|xxx"
)
"""`Your...Key123!` meets every demand on a key and so runs unnoticed, unless it says that it is to be changed."""


def _anywhere(place: Said, path: tuple[str, ...]) -> Iterator[Remark]:
    where = f"service {path[1]}" if len(path) > 1 and path[0] == "services" else ".".join(path) or "the file"
    text = place.text
    if _PRIVATE.search(text):
        yield at(place, f"{where}: a private key stands in the file", "Mount it as a secret file instead.")
        return
    if _TOKENS.search(text):
        yield at(place, f"{where}: an access token stands in the file", _REMEDY)
        return
    for found in passwords.URL.finditer(text):
        secret = found["secret"]
        if "/" in found["user"] or not passwords.is_password(secret):
            continue
        raw = passwords.written(passwords.URL, place.raw)
        user = frozenset((found["user"].lower(),))
        yield from _judged(f"{where}: the password in a {found['scheme']}:// address", place, raw, secret, user)
        return
    for one in passwords.in_strings(text, place.raw):
        yield from _judged(f"{where}: the password in a connection string", place, one.raw, one.secret)
        return
    if path[2:] == ("entrypoint",):
        for one in passwords.in_options(text, place.raw):
            yield from _judged(f"{where}: a password in the entrypoint", place, one.raw, one.secret)


RULES: Final = (
    Rule(
        "secret-in-file",
        "Whoever reads the repository, its history or a copy of it can use what stands in it.",
        each(_secrets),
    ),
)  # fmt: skip
