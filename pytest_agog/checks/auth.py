"""The claim `auth`: what a user of NATS may do, seen on the wire. [C10, J24]"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import StringConstraints, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.evidence.telling import short
from pytest_agog.ledger.answers import AuthSeen, AuthTry
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import AuthProbe
from pytest_agog.values import Strict

Operation = Literal["connect", "publish", "subscribe", "create", "delete", "purge", "consume"]
_ON_SUBJECTS: Final = ("publish", "subscribe")
_UNKNOWN: Final = ("unanswered", "unreachable")
_NOBODY: Final = "nobody"


class AuthArguments(Strict):
    """A user, an operation, and whether it is allowed.

    The harness connects with that user's credentials and tries it against the real server, so that nothing that runs
    comes to harm: requests have the subject of the real thing and a payload that JetStream refuses to act on, once the
    server has let it through; a message is refused by its stream, but reaches who subscribes to the subject directly.
    """

    user: Annotated[str, StringConstraints(min_length=1)]
    """`system`, `agents` or `jangar`; `nobody` has no credentials, and then a wrong password."""
    operation: Operation
    """What is tried. `create` stands for reconfiguring too, `delete` for deleting single messages too, `consume` for
    fetching and acknowledging."""
    on: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\s\x00-\x1f]+$")] | None = None
    """A subject for publish and subscribe; a stream, or `stream/consumer`, for the others. Where a stream is left out,
    one that does not exist."""
    allowed: bool
    """Whether the server lets the user do it."""

    @model_validator(mode="after")
    def _fits(self) -> AuthArguments:
        if problem := _misfit(self.operation, self.on):
            raise ValueError(problem)
        return self


def _misfit(operation: Operation, on: str | None) -> str:
    """What is wrong with `on`; empty when nothing is."""
    if operation == "connect":
        return "connect needs no `on`" if on is not None else ""
    if operation in _ON_SUBJECTS:
        if on is None:
            return f"{operation} needs `on`: a subject"
        tokens = on.split(".")
        wild = operation == "publish" and any(token in ("*", ">") for token in tokens)
        if ">" in tokens[:-1] and not wild:
            return f"{operation} needs a subject with `>` at its end alone, not {on!r}"
        if wild or not all(tokens):
            return f"{operation} needs one whole subject{' without wildcards' if wild else ''}, not {on!r}"
        return ""
    if on is None:
        return f"{operation} needs `on`: stream/consumer" if operation == "consume" else ""
    names = on.split("/")
    if any(not name or set(name) & set(".*>\\") for name in names):
        return f"{operation} needs a stream or stream/consumer by name, not {on!r}"
    if len(names) != 2 and operation == "consume":
        return "consume needs `on`: stream/consumer"
    if len(names) > (1 if operation == "purge" else 2):
        return f"{operation} takes a stream{'' if operation == 'purge' else ' or stream/consumer'}, not {on!r}"
    return ""


def judge_auth(ledger: Ledger, arguments: AuthArguments) -> Verdict:
    """Allowed is what the server lets through; denied what it refuses in words. Silence and absence are neither."""
    expected = f"{short(arguments.user)} may{'' if arguments.allowed else ' not'} {_deed(arguments)}"
    seen = ledger.answer(_probe(arguments).key, AuthSeen)
    if seen is None or seen.reason or not seen.tries:
        why = f": {short(seen.reason)}" if seen is not None and seen.reason else ""
        return nothing_to_judge(expected, f"it was not tried{why}")
    evidence = [_evidence(seen, one) for one in seen.tries]
    if arguments.operation != "connect" and arguments.user != _NOBODY:
        refused = next((one for one in seen.tries if one.what == "connect" and one.outcome == "denied"), None)
        if refused is not None:
            why = f"{short(arguments.user)} cannot even connect: {short(refused.said)}"
            return nothing_to_judge(expected, why, evidence=evidence)
    counts = [one for one in seen.tries if one.needed] if arguments.allowed else list(seen.tries)
    contrary = [one for one in counts if one.outcome == ("denied" if arguments.allowed else "allowed")]
    unknown = [one for one in counts if one.outcome in _UNKNOWN]
    if unknown and not contrary:
        one = unknown[0]
        why = f"neither allowed nor denied, the server is {_state(one)} ({one.what}: {short(one.said)})"
        return nothing_to_judge(expected, why, evidence=evidence)
    told = contrary[0] if contrary else counts[0]
    observed = f"{told.outcome}: {told.what}: {short(told.said)}{_how(seen)}"
    return verdict(not contrary, expected=expected, observed=observed, evidence=evidence, nearest=_nearest(seen))


def _deed(arguments: AuthArguments) -> str:
    on = short(arguments.on) if arguments.on is not None else ""
    if arguments.operation in _ON_SUBJECTS:
        return f"{arguments.operation} {'to ' if on else ''}{on}"
    if arguments.operation == "connect":
        return "connect"
    if not on:
        return f"{arguments.operation} a stream"
    stream, _, consumer = on.partition("/")
    return f"{arguments.operation} " + (f"consumer {consumer} of stream {stream}" if consumer else f"stream {stream}")


def _state(one: AuthTry) -> str:
    return "silent" if one.outcome == "unanswered" else "out of reach"


def _how(seen: AuthSeen) -> str:
    return f" (over {seen.encryption})" if seen.encryption else ""


def _nearest(seen: AuthSeen) -> str:
    return "" if seen.asked else "the server asks nobody who they are: whoever reaches it may do everything"


def _evidence(seen: AuthSeen, one: AuthTry) -> Evidence:
    details: dict[str, Any] = {
        "user": seen.user, "operation": seen.operation, "on": seen.on, "tried": one.what, "outcome": one.outcome,
        "said": one.said, "tls": seen.encryption,
    }  # fmt: skip
    return Evidence("auth", None, f"{short(seen.user)}: {one.what}: {one.outcome}: {short(one.said)}", details=details)


def _probe(arguments: AuthArguments) -> AuthProbe:
    return AuthProbe(arguments.user, arguments.operation, arguments.on or "")


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "auth",
        "A user of NATS may do something, or may not; the server is asked, as that user.",
        AuthArguments,
        judge_auth,
        "- id: agents-cannot-purge\n"
        "  claim: No agent can purge the stream of agent comms\n"
        "  check: auth\n"
        '  with: {user: agents, operation: purge, "on": agent-comms, allowed: false}',
        probes=lambda arguments: (_probe(arguments),),
        kills=("nats.agents-may-purge", "nats.shared-inboxes"),
    ),
)
