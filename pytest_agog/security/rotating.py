"""A user's credential is changed while everybody goes on working. [C10]

In three steps, of which the first and the last are ours: `rotate` issues a second credential, and the server, told to
read its configuration anew (SIGHUP), takes both; whoever uses the user is given the new one, at its own pace; `retire`
makes the old one worthless, again with a SIGHUP.

- passwords: a server tells users apart by name, so the second password belongs to `agents-2`, the third to `agents-3`.
  Both names may do the same, and share the prefix of inboxes.
- nkeys: the account lists both public keys.
- jwt: the account's key signs another user JWT, for another nkey; of that the server needs no word. `retire` writes
  into the account's JWT that those of the old nkey are revoked.
"""

from __future__ import annotations

import time
from pathlib import Path

from pytest_agog.errors import BadInput
from pytest_agog.security import state as states
from pytest_agog.security.issuing import Issued, fresh, reissue
from pytest_agog.security.state import Holder, State
from pytest_agog.wire import users


class UnknownUser(BadInput):
    """{user!r} is no user of the contract. Name one of: {known}."""


class StillBoth(BadInput):
    """{user} has two valid credentials already. End the older one with `agog creds {folder} --retire {user}` first."""


class NothingToRetire(BadInput):
    """{user} has one credential only. Give it a second one with `agog creds {folder} --rotate {user}` first."""


def rotate(folder: Path, user: str) -> Issued:
    """Give `user` a new credential, in the same file; the old one stays valid until `retire`.

    Raises:
        NothingIssued, UnknownUser: there is no credential that could be changed.
        StillBoth: the last change has not ended.
    """
    state, holder = _holder(folder, user)
    if holder.former is not None:
        raise StillBoth(user=user, folder=folder)
    known = users.by_name(user)
    assert known is not None
    serial = holder.serial + 1
    changed = Holder(serial=serial, current=fresh(known, state.form, serial), former=holder.current)
    return reissue(folder, _with(state, user, changed))


def retire(folder: Path, user: str) -> Issued:
    """End the validity of the credential that `user` had before the last change.

    Raises:
        NothingIssued, UnknownUser: there is no credential that could be ended.
        NothingToRetire: there is one only.
    """
    state, holder = _holder(folder, user)
    if holder.former is None:
        raise NothingToRetire(user=user, folder=folder)
    changed = _with(state, user, holder.model_copy(update={"former": None}))
    if state.authority is not None and holder.former.public is not None:
        revoked = {**state.revoked, holder.former.public: int(time.time())}
        changed = changed.model_copy(update={"revoked": revoked})
    return reissue(folder, changed)


def _holder(folder: Path, user: str) -> tuple[State, Holder]:
    state = states.load(folder)
    if user not in state.users:
        raise UnknownUser(user=user, known=", ".join(state.users))
    return state, state.users[user]


def _with(state: State, user: str, holder: Holder) -> State:
    return state.model_copy(update={"users": {**state.users, user: holder}})
