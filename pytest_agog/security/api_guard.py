"""Requests to JetStream count only when a client has sent them itself. [C10, J24]

nats-server looks at the subject of a publish and not at its reply subject. Whoever may fetch a message could so have
the server send it, with a content of their own choice, to `$JS.API.STREAM.PURGE.agent-comms`, and the server would obey
itself.

What tells the two apart: the mappings of an account change the subject of what a client sends, and not of what the
server sends; and no client may give a reply subject that begins with `_R_`. So the API is reached under `_R_.$JS.API`
alone, where the mappings lead; `$JS.API`, as the server's own messages would name it, leads to a subject that nobody
serves. (JetStream adds its import of `$JS.API.>` only where the account has none.) Clients notice nothing of it, but
that a refusal names the mapped subject, since permissions are looked at after the mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pytest_agog.wire.users import MAPPED

SERVERS: Final = "$SYS"
"""The servers' own account, where it has no key."""
API: Final = "$JS.API"
BEHIND: Final = f"{MAPPED}{API}"
_NOWHERE: Final = "agog.nowhere.>"
_OPERATIONS: Final = (
    "INFO", "STREAM.>", "ACCOUNT.>", "META.>", "SERVER.>",
    *(f"CONSUMER.{operation}.>" for operation in (
        "CREATE", "DURABLE", "INFO", "NAMES", "LIST", "DELETE", "PAUSE", "UNPIN", "RESET", "LEADER",
    )),
)  # fmt: skip
"""What the servers' account serves. `DIRECT.GET` and `CONSUMER.MSG.NEXT` are the streams' and consumers' own: without a
reply subject, which no answer of the server's has, they do nothing."""
MAPPINGS: Final = {f"{API}.{operation}": f"{BEHIND}.{operation}" for operation in _OPERATIONS}
"""By the subject that a client sends to, where that leads."""
_DOORS: Final = ((f"{API}.>", f"{BEHIND}.>", True), (_NOWHERE, f"{API}.>", False))
"""Subject in the servers' account, subject in ours, whether the server is told who asks: JetStream must know."""


def permitted(publish: Sequence[str]) -> list[str]:
    """What these subjects are when permissions are looked at. In place of the others and not besides: a JWT must not
    be longer than the 4096 bytes in which a client introduces itself."""
    return [f"{MAPPED}{subject}" if _mapped(subject) else subject for subject in publish]


def account() -> dict[str, Any]:
    """Keys of the account of the users, in nats-server's configuration."""
    imports = [
        {"service": {"account": SERVERS, "subject": theirs}, "to": ours} | ({"share": True} if share else {})
        for theirs, ours, share in _DOORS
    ]
    return {"imports": imports, "mappings": MAPPINGS}


def servers() -> dict[str, Any]:
    """Keys of the servers' account, in nats-server's configuration."""
    return {"exports": [{"service": theirs} for theirs, _, _ in _DOORS]}


def account_claims(servers_account: str) -> dict[str, Any]:
    """The same in the JWT of the account of the users; the servers' account has this public key. [ADR-14]"""
    imports = [
        {"name": ours, "subject": theirs, "account": servers_account, "local_subject": ours, "type": "service",
         "share": share}
        for theirs, ours, share in _DOORS
    ]  # fmt: skip
    return {"imports": imports, "mappings": {source: [{"subject": to}] for source, to in MAPPINGS.items()}}


def servers_claims() -> dict[str, Any]:
    """The same in the JWT of the servers' account."""
    return {"exports": [{"name": theirs, "subject": theirs, "type": "service"} for theirs, _, _ in _DOORS]}


def _mapped(subject: str) -> bool:
    return any(
        subject.startswith(source[:-1]) if source.endswith(".>") else subject == source for source in MAPPINGS
    )  # fmt: skip
