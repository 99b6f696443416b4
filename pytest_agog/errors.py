"""One family of exceptions. A class's docstring is its default message and names the remedy.

Placeholders in the docstring are filled from keyword arguments:

    raise NatsUnreachable(url="nats://127.0.0.1:4222", reason="connection refused")

Every message is one line, so that a terminal, a CI annotation and a log show cause and remedy together.
"""

from __future__ import annotations

import inspect
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every ``agog`` command."""

    OK = 0
    CLAIM_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3


class AgogError(Exception):
    """pytest-agog failed."""

    exit_code: Exit = Exit.CLAIM_FAILED

    def __init__(self, message: str | None = None, **details: object) -> None:
        self.details = details
        template = message if message is not None else inspect.cleandoc(type(self).__doc__ or "")
        text = template.format(**details) if message is None else template
        super().__init__(" ".join(text.split()))


class UsageError(AgogError):
    """Wrong usage."""

    exit_code = Exit.USAGE


class BadInput(AgogError):
    """The input cannot be used."""

    exit_code = Exit.USAGE


class InvalidToken(BadInput):
    """{what} {value!r} cannot be part of a subject: {reason}. Use 1 to 128 bytes without dots, spaces, '*', '>' or
    control characters."""


class ServiceError(AgogError):
    """A service is unreachable."""

    exit_code = Exit.UNREACHABLE


class NatsUnreachable(ServiceError):
    """NATS at {url} cannot be reached ({reason}). Start it (`agog up --only nats`) or give its address with --nats-url
    or NATS_URL."""


class PostgresUnreachable(ServiceError):
    """Postgres at {dsn} cannot be reached ({reason}). Start it (`agog up --only postgres`) or give its address with
    --postgres-dsn or DATABASE_URL."""


class CredentialsRefused(ServiceError):
    """NATS at {url} refused the credentials ({reason}). Give a user that may do this with --nats-creds, NATS_CREDS or
    user:password@ in the URL."""


class JetStreamDisabled(ServiceError):
    """NATS at {url} runs without JetStream. Start it with `-js` (or a jetstream block in its configuration)."""


class ServiceDidNotStart(ServiceError):
    """{service} did not start: {reason}. {remedy}"""


class StreamMissing(AgogError):
    """No stream takes {subject}. Create the streams with `agog init-streams`."""


class StreamDiffers(AgogError):
    """Stream {stream} differs from its definition: {differences}. Change it with `agog init-streams --update`."""


class PayloadTooLarge(AgogError):
    """{subject}: the message has {size} bytes with headers, the {limiter} takes {limit}. Raise that limit or publish less."""


class StoreFull(AgogError):
    """Stream {stream} cannot store {subject}: {reason}. Free disk space or raise the JetStream store limit
    (max_file_store)."""


class PublishFailed(AgogError):
    """{subject} was not acknowledged by JetStream ({reason}). Check the server's log, then publish again: the message id
    keeps a retry from storing it twice."""


class DeliverableMissing(AgogError):
    """No deliverable at {url}. Check agent, type and feature; `agog init-streams` lists what each stream holds."""


class DigestMismatch(AgogError):
    """{url}: the content has digest {actual}, the message says {expected}. The report was altered or cut; publish it
    again."""


class NoticeTooLarge(AgogError):
    """The completion notice has {tokens} tokens, the limit is {limit}; the longest field is {field!r} ({field_tokens}
    tokens). Move the detail into the report."""


class NoticeMissing(AgogError):
    """The output holds no completion notice for {agent} and {requirement}: {reason}. Print one JSON object with agent,
    req_number, status, deliverable and summary."""
