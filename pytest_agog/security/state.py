"""What has been issued to whom: the file from which credentials and the server's configuration are made again. [C10]"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from pytest_agog.errors import BadInput
from pytest_agog.security.files import write
from pytest_agog.values import Strict

Form = Literal["passwords", "nkeys", "jwt"]
"""How users prove who they are: name and password, an nkey, or a JWT with its nkey."""
FILE: Final = "issued.json"


class NothingIssued(BadInput):
    """{folder} holds no credentials of agog ({reason}). Issue some with `agog creds {folder} --form passwords`."""


class Secret(Strict):
    """One credential of one user."""

    login: str
    """The user's name for the server: `agents`, later `agents-2` where names must differ."""
    password: str | None = None
    seed: str | None = None
    public: str | None = None
    """Public half of the seed."""


class Holder(Strict):
    """A user's credential, and the one before it while both are valid."""

    serial: int = Field(default=1, ge=1)
    """How many credentials this user has had."""
    current: Secret
    former: Secret | None = None


class Authority(Strict):
    """Who signs JWTs."""

    operator: str
    """Seed of the operator."""
    account: str
    """Seed of the account of all users."""
    servers_account: str
    """Public key of the servers' own account, which nobody can log in to."""
    operator_jwt: str
    """Signed once: a server that runs takes no other operator, not even the same with another date."""
    servers_jwt: str = ""
    """In older files. Signed anew with every change now, as the account of the users is."""


class State(Strict):
    """Everything that has been issued. Secret."""

    form: Form
    users: dict[str, Holder]
    authority: Authority | None = None
    url: str = ""
    """Where clients find the server."""
    ca: str = ""
    """Who signed the server's certificate: a file, empty where there is no TLS."""
    revoked: dict[str, int] = Field(default_factory=dict)
    """By public key, the second (Unix) at which it was revoked."""


def load(folder: Path) -> State:
    """What was issued into `folder`.

    Raises:
        NothingIssued: nothing, or the file is not ours.
    """
    try:
        return State.model_validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        raise NothingIssued(folder=folder, reason=f"there is no {FILE}") from None
    except OSError as error:
        raise NothingIssued(folder=folder, reason=error.strerror or str(error)) from None
    except ValidationError as error:
        # The values in it are secrets; pydantic's own text would show them.
        places = ", ".join(sorted({".".join(map(str, each["loc"][:2])) or "JSON" for each in error.errors()}))
        raise NothingIssued(folder=folder, reason=f"{FILE} cannot be read: {places}") from None


def save(folder: Path, state: State) -> Path:
    """Write the state, mode 0600."""
    return write(folder / FILE, state.model_dump_json(indent=1, exclude_none=True) + "\n")
