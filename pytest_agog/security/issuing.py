"""Credentials for the users of the contract, and the keys of nats-server's configuration that go with them. [C10, J24]

All users are in one account, with JetStream; what each may do stands in `wire/users.py` and nowhere else. Passwords are
192 random bits: nobody guesses them, so the server's configuration holds them as they are, in a file for its owner
alone. (Hashing with bcrypt guards weak passwords, and costs the server a good part of a second for every connection.)
With nkeys and JWTs the server's configuration holds public halves only.
"""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from pytest_agog.errors import NatsUrlInvalid
from pytest_agog.masking import mask
from pytest_agog.security import api_guard
from pytest_agog.security import state as states
from pytest_agog.security.files import write
from pytest_agog.security.signing import Key, account_jwt, credentials, new_key, operator_jwt, user_jwt
from pytest_agog.security.state import Authority, Form, Holder, Secret, State
from pytest_agog.wire.users import USERS, User

__all__ = ["Form", "Identity", "Issued", "checked", "issue", "reissue"]

ACCOUNT: Final = "AGOG"
"""The account of all users."""
_SCHEMES: Final = ("nats", "tls", "ws", "wss")
_NO_HOST: Final = re.compile(r"[\s/\\]")
_PASSWORD_BYTES: Final = 24
_SUFFIX: Final[Mapping[Form, str]] = {"passwords": ".password", "nkeys": ".nk", "jwt": ".creds"}
_SUFFIXES: Final = frozenset(_SUFFIX.values())


@dataclass(frozen=True, slots=True)
class Identity:
    """What one user shows a server."""

    user: str
    """The user's name for the server: `agents`; after a change of password `agents-2`, for both are valid a while."""
    password: str | None = field(default=None, repr=False)
    nkey_file: Path | None = None
    """Seed of the user's nkey."""
    creds_file: Path | None = None
    """JWT and seed."""

    def url(self, base: str) -> str:
        """`base` (several servers separated by commas) with user and password, where that is the form."""
        if self.password is None:
            return base
        told = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return ",".join(_with_user(address.strip(), told) for address in base.split(","))

    def environment(self) -> dict[str, str]:
        """What commands need besides NATS_URL. Paths only, no secret."""
        told: dict[str, str] = {}
        if self.nkey_file is not None:
            told["NATS_NKEY"] = str(self.nkey_file)
        if self.creds_file is not None:
            told["NATS_CREDS"] = str(self.creds_file)
        if told:
            told["NATS_USER"] = self.user
        return told


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials in files, and the server's half of them."""

    form: Form
    folder: Path
    server: dict[str, Any] = field(repr=False)
    """Keys to merge into nats-server's configuration. Secret where the form is passwords."""
    identities: Mapping[str, Identity]
    """By name of the user in the contract."""


def issue(folder: Path, form: Form = "passwords", *, url: str = "", ca: Path | None = None) -> Issued:
    """Fresh secrets for all users, in files of mode 0600 in `folder`. What was there before counts no more.

    With the `url` of the server, and the `ca` that signed its certificate, each user gets a file of variables too.

    Raises:
        OSError: `folder` cannot be written.
    """
    authority = _authority() if form == "jwt" else None
    users = {user.name: Holder(current=fresh(user, form)) for user in USERS}
    state = State(
        form=form, users=users, authority=authority, url=url, ca=str(ca.absolute()) if ca is not None else ""
    )  # fmt: skip
    return reissue(folder, state)


def checked(url: str) -> str:
    """`url`, which may list several servers, when clients can use it.

    Raises:
        NatsUrlInvalid: it is no address of a server, or brings a user: each user is given credentials of its own.
    """
    for address in url.split(","):
        try:
            parts = urlsplit(address.strip() if "://" in address else f"nats://{address.strip()}")
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise NatsUrlInvalid(url=mask(url), reason=str(error)) from None
        if parts.scheme not in _SCHEMES:
            raise NatsUrlInvalid(url=mask(url), reason=f"{parts.scheme} is none of {', '.join(_SCHEMES)}")
        if not host or _NO_HOST.search(host) is not None:
            raise NatsUrlInvalid(url=mask(url), reason="it names no server")
        if parts.username is not None:
            raise NatsUrlInvalid(url=mask(url), reason="it brings a user, and each user gets its own credentials")
    return url


def reissue(folder: Path, state: State) -> Issued:
    """Write what `state` says: each user's own file, and the state itself.

    Raises:
        OSError: `folder` cannot be written.
    """
    folder = folder.absolute()
    identities = {user.name: _written(folder, state, user) for user in USERS}
    for name, identity in identities.items() if state.url else ():
        write(folder / f"{name}.env", _variables(identity, state))
    states.save(folder, state)
    return Issued(state.form, folder, server(state), identities)


def fresh(user: User, form: Form, serial: int = 1) -> Secret:
    """A new secret. Two passwords of one user need two names, since a server knows a user by its name."""
    if form == "passwords":
        login = user.name if serial == 1 else f"{user.name}-{serial}"
        return Secret(login=login, password=secrets.token_urlsafe(_PASSWORD_BYTES))
    key = new_key("user")
    return Secret(login=user.name, seed=key.seed, public=key.public)


def server(state: State) -> dict[str, Any]:
    """Keys of nats-server's configuration: who may come in and what each may do; nobody else may anything."""
    if state.authority is not None:
        return _trust(state, state.authority)
    users: list[dict[str, Any]] = []
    for user in USERS:
        holder = state.users[user.name]
        for secret in (holder.current, holder.former):
            if secret is not None:
                proof = (
                    {"user": secret.login, "password": secret.password}
                    if state.form == "passwords"
                    else {"nkey": secret.public}
                )
                users.append({**proof, "permissions": _permissions(user)})
    ours = {"jetstream": "enabled", "users": users, **api_guard.account()}
    return {"accounts": {ACCOUNT: ours, api_guard.SERVERS: api_guard.servers()}}


def _permissions(user: User) -> dict[str, Any]:
    return {"publish": {"allow": api_guard.permitted(user.publish)}, "subscribe": {"allow": list(user.subscribe)}}


def _authority() -> Authority:
    operator, servers = new_key("operator"), new_key("account").public
    return Authority(
        operator=operator.seed, account=new_key("account").seed, servers_account=servers,
        operator_jwt=operator_jwt(operator, servers),
    )  # fmt: skip


def _trust(state: State, authority: Authority) -> dict[str, Any]:
    """Whose signatures count. The account's JWT is preloaded, for there are no others. [NATS ADR-14]"""
    operator, account = Key(authority.operator.encode()), Key(authority.account.encode())
    servers, ours = authority.servers_account, api_guard.account_claims(authority.servers_account)
    return {
        "operator": authority.operator_jwt,
        "system_account": servers,
        "resolver": "MEMORY",
        "resolver_preload": {
            account.public: account_jwt(
                operator, account.public, ACCOUNT, jetstream=True, revoked=state.revoked, doors=ours
            ),
            servers: account_jwt(operator, servers, "SYS", jetstream=False, doors=api_guard.servers_claims()),
        },
    }


def _written(folder: Path, state: State, user: User) -> Identity:
    secret = state.users[user.name].current
    for suffix in _SUFFIXES - {_SUFFIX[state.form]}:  # of another form, issued before
        (folder / f"{user.name}{suffix}").unlink(missing_ok=True)
    if secret.password is not None:
        write(folder / f"{user.name}.password", secret.password + "\n")
        return Identity(secret.login, password=secret.password)
    seed = secret.seed or ""
    if state.authority is None:
        return Identity(user.name, nkey_file=write(folder / f"{user.name}.nk", seed + "\n"))
    account, publish = Key(state.authority.account.encode()), api_guard.permitted(user.publish)
    jwt = user_jwt(account, secret.public or "", user.name, publish, user.subscribe)
    return Identity(user.name, creds_file=write(folder / f"{user.name}.creds", credentials(jwt, seed)))


def _variables(identity: Identity, state: State) -> str:
    """NATS_URL and its like, as shells and compose files read them."""
    told = {"NATS_URL": identity.url(state.url), **identity.environment()}
    if state.ca:
        told["NATS_CA"] = state.ca
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in told.items())


def _with_user(address: str, told: str) -> str:
    parts = urlsplit(address if "://" in address else f"nats://{address}")
    return urlunsplit(parts._replace(netloc=told + parts.netloc.rpartition("@")[2]))
