"""Observations as lines of JSON and back. Each line carries a digest of itself and of all lines before it."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from pytest_agog.errors import BadInput
from pytest_agog.ledger.answers import PageSeen
from pytest_agog.ledger.facts import (
    AgentSpawned,
    Fact,
    MessageSeen,
    MessageStored,
    PublishAcked,
    PublishAttempted,
    PublishRefused,
)
from pytest_agog.ledger.ledger import Ledger, Observation
from pytest_agog.ledger.payloads import PayloadId
from pytest_agog.masking import MASK, is_secret_name, mask

FIRST_CHAIN: Final = hashlib.sha256(b"agog ledger 1").hexdigest()
_CHAIN: Final = re.compile(rb',"chain":"([0-9a-f]{64})"\}\Z')
_SUSPICIOUS: Final = (
    ":/",
    "eyj",
    ":\\",
    "pass",
    "pwd",
    "secret",
    "account",
    "master",
    "encryption",
    "curl",
    "sig",
    "api",
    "token",
    "authorization",
    "cookie",
    "credential",
    "bearer",
    "private",
    "access",
    "%40",
    "-----begin",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glrt-",
    "gldt-",
    "k_live_",
    "aiza",
    "npm_",
    "pypi-",
    "hvs.",
    "ya29.",
    "dckr_pat_",
    "sg.",
    "xapp-",
    "xox",
    "sk-",
    "agogt_",
    "agog_session",
    "akia",
    "asia",
)
_SEED: Final = re.compile(r"S[OAUNCX][A-Z2-7]{8}[A-Z2-7\s|\u2502>]{48}")


class _Line(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    index: int
    at: float = Field(allow_inf_nan=False)
    fact: Annotated[Fact, Field(discriminator="kind")]


@cache
def _facts() -> TypeAdapter[Fact]:
    return TypeAdapter(Fact)


def may_hold_secret(text: str) -> bool:
    """Whether `text` is worth masking: a quick look that never misses what `mask` would find."""
    lowered = text.lower()
    return any(word in lowered for word in _SUSPICIOUS) or _SEED.search(text) is not None


def masked(value: Any) -> Any:
    """JSON `value` with every secret masked: in texts, and whole values of keys such as `Authorization`."""
    if isinstance(value, str):
        return mask(value.encode("utf-8", "replace").decode("utf-8"))
    if isinstance(value, Mapping):
        pair = _is_pair(value)
        return {
            masked(key): hidden(inner)
            if is_secret_name(str(key)) or (pair and key == "value") or _is_token(key, inner)
            else masked(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [masked(inner) for inner in value]
    return value


def hidden(value: Any) -> Any:
    """What stands under a secret's name: words and numbers are one, also in a list; all else is looked into."""
    if isinstance(value, (list, tuple)):
        return [hidden(inner) for inner in value]
    return MASK if _is_told(value) else masked(value)


def _is_token(key: Any, value: Any) -> bool:
    """A name that is a secret's only with a value that looks like one."""
    if not isinstance(key, str) or not isinstance(value, str) or key.lower() not in ("token", "pass", "pwd"):
        return False
    text = f'"{key}":"{value}"'
    return mask(text) != text


def _is_pair(value: Mapping[Any, Any]) -> bool:
    """A name and a value as members, as environments of containers are written."""
    name = value.get("name", value.get("Name", value.get("key")))
    return "value" in value and isinstance(name, str) and is_secret_name(name)


def _is_told(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != ""


def encode(observation: Observation[Fact], chain: str) -> tuple[bytes, str]:
    """One line (without its end) and the chain's new head. Secrets are masked."""
    try:
        fact = _facts().dump_json(observation.fact)
        suspicious = may_hold_secret(fact.decode())
    except PydanticSerializationError:  # a lone surrogate, which JSON cannot carry
        suspicious, fact = True, b""
    if suspicious:
        fact = to_json(masked(dataclasses.asdict(observation.fact)))
    body = b'{"index":%d,"at":%s,"fact":%s}' % (observation.index, repr(observation.at).encode(), fact)
    chain = link(chain, body)
    return body[:-1] + b',"chain":"%s"}' % chain.encode(), chain


def link(chain: str, body: bytes) -> str:
    """The chain's head after a line whose content is `body`."""
    return hashlib.sha256(chain.encode() + body).hexdigest()


def split(line: bytes) -> tuple[bytes, str]:
    """A line's content and the chain that it claims.

    Raises:
        BadInput: the line has no chain.
    """
    match = _CHAIN.search(line)
    if match is None:
        raise BadInput("the line carries no chain digest")
    return line[: match.start()] + b"}", match[1].decode()


def decode(body: bytes, ledger: Ledger) -> tuple[float, Fact]:
    """The observation in `body`, as the next one of `ledger`.

    Raises:
        BadInput: it is none, it is out of place, or it refers to what is not there.
    """
    try:
        line = _Line.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{place}: {first['msg']}" if place else first["msg"]) from None
    if line.index != len(ledger):
        raise BadInput(f"index {line.index} stands where {len(ledger)} belongs")
    for payload in payloads_of(line.fact):
        if payload not in ledger.payloads:
            raise BadInput(f"payload {payload[:80]} is not in the bundle")
    _check_references(line.fact, ledger)
    return line.at, line.fact


def payloads_of(fact: Fact) -> Iterator[PayloadId]:
    """Every payload that a fact refers to."""
    if isinstance(fact, AgentSpawned):
        yield fact.prompt
        for earlier in fact.earlier:
            yield earlier.notice
            if earlier.report is not None:
                yield earlier.report
        return
    if isinstance(fact, PageSeen) and fact.screenshot is not None:
        yield fact.screenshot
    if (payload := getattr(fact, "payload", None)) is not None:
        yield payload


def _check_references(fact: Fact, ledger: Ledger) -> None:
    if isinstance(fact, MessageStored) and fact.seen is not None:
        _refer(ledger, fact.seen, MessageSeen)
    elif isinstance(fact, (PublishAcked, PublishRefused)):
        _refer(ledger, fact.attempt, PublishAttempted)


def _refer(ledger: Ledger, index: int, kind: type) -> None:
    if not 0 <= index < len(ledger) or not isinstance(ledger[index].fact, kind):
        raise BadInput(f"it refers to observation {index}, which is no {kind.__name__}")
