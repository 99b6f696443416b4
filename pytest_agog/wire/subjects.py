"""NATS subjects: tokens that come from outside are validated, names are built and parsed in one place only."""

from __future__ import annotations

import unicodedata

from pytest_agog.errors import BadInput, InvalidToken

MAX_TOKEN_BYTES = 128
DELIVERABLES = "agog.deliverables"
EVENTS = "agog.orchestration.events"
SPAWN_REQUEST = "agog.spawn.request"
ESCALATIONS = "agog.strategic.escalations"
DECISIONS = "agog.strategic.decisions"
URL_SCHEME = "nats://"


def token(value: str, what: str = "token") -> str:
    """`value`, if it may stand as one token of a subject.

    Raises:
        InvalidToken: empty, over 128 bytes, or with a dot, white space, a wildcard or a control character;
            the message names `what`.
    """
    if reason := _refusal(value):
        raise InvalidToken(what=what, value=value, reason=reason)
    return value


def is_token(value: str) -> bool:
    """Whether `value` may stand as one token of a subject."""
    return _refusal(value) is None


def _refusal(value: str) -> str | None:
    if not value:
        return "it is empty"
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        return "it is no valid Unicode text"
    if size > MAX_TOKEN_BYTES:
        return f"it has {size} bytes, at most {MAX_TOKEN_BYTES} are allowed"
    for character in value:
        if character in ".*>":
            return f"it contains {character!r}"
        if character.isspace():
            return "it contains white space"
        if unicodedata.category(character) in {"Cc", "Cf"}:
            return f"it contains the control character {character!r}"
    return None


def deliverable(agent: str, task_type: str, feature: str) -> str:
    """[D3] `agog.deliverables.{agent}.{type}.{feature}`, every token validated."""
    return ".".join((DELIVERABLES, token(agent, "agent"), token(task_type, "type"), token(feature, "feature")))


def parse_deliverable(subject: str) -> tuple[str, str, str]:
    """[D3] Agent, type and feature of a deliverable's subject or `nats://` URL.

    Raises:
        BadInput: the subject is not that of a deliverable.
    """
    plain = from_url(subject) if subject.startswith(URL_SCHEME) else subject
    parts = plain.split(".")
    if len(parts) != 5 or ".".join(parts[:2]) != DELIVERABLES or any(_refusal(part) for part in parts):
        raise BadInput(f"{subject!r} is no deliverable; expected agog.deliverables.AGENT.TYPE.FEATURE")
    return parts[2], parts[3], parts[4]


def to_url(subject: str) -> str:
    """The deliverable URL of `subject`: `nats://` + subject."""
    return URL_SCHEME + subject


def from_url(url: str) -> str:
    """The subject in a deliverable URL.

    Raises:
        BadInput: it does not begin with `nats://`.
    """
    if not url.startswith(URL_SCHEME):
        raise BadInput(f"{url!r} is no deliverable URL; it must begin with {URL_SCHEME}")
    return url.removeprefix(URL_SCHEME)


def event(name: str) -> str:
    """`agog.orchestration.events.{event}`; the event is two tokens such as `stage.started`."""
    return f"{EVENTS}.{name}"


def is_valid(subject: str, *, wildcards: bool = False) -> bool:
    """Whether nats-server takes `subject`; with `wildcards` also as a filter."""
    tokens = subject.split(".")
    for position, part in enumerate(tokens):
        if not part or any(c.isspace() or c == "\0" for c in part):
            return False
        if part == ">" and (not wildcards or position != len(tokens) - 1):
            return False
        if part == "*" and not wildcards:
            return False
    return True


def matches(pattern: str, subject: str) -> bool:
    """Whether `subject` fits `pattern`, with NATS wildcards: `*` for one token, a final `>` for one or more."""
    wanted, given = pattern.split("."), subject.split(".")
    for position, part in enumerate(wanted):
        if part == ">":
            return len(given) > position
        if position >= len(given) or part not in ("*", given[position]):
            return False
    return len(wanted) == len(given)


def overlap(left: str, right: str) -> bool:
    """Whether some subject fits both patterns."""
    one, other = left.split("."), right.split(".")
    for a, b in zip(one, other, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(one) == len(other)
