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
    """NATS at {url} refused the credentials ({reason}). Give a user that may do this with --nats-creds, NATS_CREDS,
    NATS_NKEY or user:password@ in the URL."""


class JetStreamDisabled(ServiceError):
    """NATS at {url} runs without JetStream. Start it with `-js` (or a jetstream block in its configuration)."""


class ServiceDidNotStart(ServiceError):
    """{service} did not start: {reason}. {remedy}"""


class BinaryMissing(ServiceError):
    """{name} was not found. Looked at: {looked}. Install it (`pip install {package}`) or set {variable} to its path."""


class CommandNotFound(BadInput):
    """The command {command!r} cannot be started: {reason}. Install it, correct its path or put it on PATH."""


class MaxPayloadTooSmall(ServiceError):
    """NATS at {url} takes messages of at most {limit} bytes, the streams of the contract hold messages of {needed}.
    Raise max_payload (12MB leaves room for headers), or opt out of the streams with `nats: {{streams: none}}`."""


class ServiceBusy(ServiceError):
    """{service} is in use by another run ({holder}); waited {seconds:.0f} s for its turn. Wait for that run to end; a
    run that died lets go by itself within {expiry:.0f} s."""


class TurnLost(ServiceError):
    """The lock on {service} was lost in mid-run ({reason}): another run may have used it at the same time. Run
    again."""


class StreamMissing(AgogError):
    """No stream takes {subject}. Create the streams with `agog init-streams`."""


class StreamDiffers(AgogError):
    """Stream {stream} differs from its definition: {differences}. Change it with `agog init-streams --update`."""


class PayloadTooLarge(AgogError):
    """{subject}: the message has {size} bytes with headers, the {limiter} takes {limit}. Raise that limit or publish
    less."""


class StoreFull(AgogError):
    """Stream {stream} cannot store {subject}: {reason}. Free disk space or raise the JetStream store limit
    (max_file_store)."""


class PublishFailed(AgogError):
    """{subject} was not acknowledged by JetStream ({reason}). Check the server's log, then publish again: the message
    id keeps a retry from storing it twice."""


class DeliverableMissing(AgogError):
    """No deliverable at {url}. Check agent, type and feature, or publish it first."""


class DigestMismatch(AgogError):
    """{url}: the content has digest {actual}, the message says {expected}. The report was altered or cut; publish it
    again."""


class NoticeTooLarge(AgogError):
    """The completion notice has {tokens} tokens, the limit is {limit}; the longest field is {field!r} ({field_tokens}
    tokens). Move the detail into the report."""


class NoticeMissing(AgogError):
    """The output holds no completion notice for {agent} and {requirement}: {reason}. Print one JSON object with agent,
    req_number, status, deliverable and summary."""


class CredentialsUnreadable(BadInput):
    """The credentials file {path} cannot be used ({reason}). Give a .creds file (user JWT and seed) with --nats-creds
    or NATS_CREDS."""


class NkeyUnreadable(BadInput):
    """The nkey file {path} cannot be used ({reason}). Give a file with a user's seed (it begins with SU) in
    NATS_NKEY."""


class CertificateUnreadable(BadInput):
    """The file {path} cannot be used to verify servers ({reason}). Give the authority's certificate, for instance the
    ca.pem of `agog certs`, in NATS_CA."""


class CertificateRefused(ServiceError):
    """NATS at {url} shows a certificate that does not hold ({reason}). Give the authority that signed it in NATS_CA,
    and an address that stands in the certificate."""


class TlsMissing(ServiceError):
    """NATS at {url} offers no TLS, and without it no credentials are sent. Turn TLS on at the server (`agog certs`), or
    give a nats:// address and leave NATS_CA unset."""


class NatsUrlInvalid(BadInput):
    """{url!r} is no address of a NATS server ({reason}). Write it as nats://host:port, several separated by commas."""


class JetStreamRefused(AgogError):
    """JetStream at {url} refused {what} ({reason}). Check the server's log and the limits of the account."""


class DeliverableUnreadable(AgogError):
    """{url}: the message {sequence} is no deliverable ({reason}). Publish JSON with content and metadata, as `agog
    publish` does."""


class ObjectUnreadable(AgogError):
    """{url}: the report is in object {name} of bucket {bucket}, which cannot be read ({reason}). Publish the report
    again."""


class RevisionMissing(AgogError):
    """{url} has no revision {sequence}. `agog fetch {url} --revisions` lists what there is."""


class SectionMissing(AgogError):
    """The report has no heading {heading!r}. {nearest} `agog outline` lists them all."""


class AmbiguousReplay(UsageError):
    """A sequence belongs to one stream, and {pattern} is held by {streams}. Name the agent, or replay from a time."""


class MigrationsAltered(AgogError):
    """Migration {name} was applied to {dsn} with other content than this version ships. Use a new database, or the
    version that migrated this one."""


class MigrationFailed(AgogError):
    """Migration {name} failed on {dsn}: {reason}. Nothing was changed; give a user that may create the schema
    {schema}."""


class RecorderBehind(ServiceError):
    """The recorder could not read every stream to its end within {seconds} s ({what}). Check that NATS runs and read
    its log."""


class NoticeWrong(AgogError):
    """The completion notice cannot be accepted: {problems}. Correct it and print it again."""


class UnknownWord(UsageError):
    """Nothing is called {name!r}{near} `agog explain` knows the checks {checks}, the steps {steps}, and format."""


class UnknownTheme(UsageError):
    """There is no theme {theme!r}{near} Give one of {themes} with --theme."""


class NoScenarioName(UsageError):
    """{name!r} cannot name a scenario. Use letters, digits, - and _, and begin with a letter or digit."""


class NoScenario(UsageError):
    """{path} {reason}. Give scenario files, or folders that hold some."""


class WouldOverwrite(BadInput):
    """{path} exists already. Choose another file with --out; nothing was written."""


class ReportUnwritable(BadInput):
    """The report cannot be written to {folder} ({reason}). Choose another folder with --agog-report."""


class MatchTooSlow(AgogError):
    """matches: {pattern!r} takes longer than {seconds} s on a text of {size} characters. Write it without repeats in
    repeats such as `(a+)+`, and anchor it with ^."""


class NoBundle(BadInput):
    """{path} {reason}. Give a folder that `pytest --agog-report=DIR` wrote: DIR, DIR/bundle, or a bundle in it."""


class IdentityMissing(UsageError):
    """Nobody says who speaks: {missing} not set{hint}. Set them in the environment, or publish with `--channel
    general`."""


class MessageSpooled(ServiceError):
    """Not stored yet: {count} message(s) wait in {path}, since {reason}. The next `agog comms publish` or `agog comms
    drain` delivers them; --spool-ok makes this exit 0."""


class SpoolFull(AgogError):
    """{path} holds {size} bytes, {needed} more do not fit into {limit}. Bring NATS back and run `agog comms drain`, or
    raise AGOG_SPOOL_MAX_BYTES; this message was neither stored nor spooled."""


class SpoolUnusable(AgogError):
    """The spool {path} cannot be used ({reason}). Give a folder that can be written with AGOG_SPOOL_DIR."""


class RoadmapUnwritable(BadInput):
    """The roadmap {path} cannot be written ({reason}). Let its owner run this, or correct the rights of the file and
    its folder."""


class RoadmapChanging(AgogError):
    """The roadmap {path} changed {attempts} times while it was to be updated; nothing of ours was written. Save it less
    often, then try again."""


class MemoryAway(ServiceError):
    """Memory at {dsn} cannot be used ({reason}). Work goes on without it; start Postgres or correct `dsn` in [memory]
    of agog.toml."""


class MemoryRefused(AgogError):
    """Memory at {dsn} refused {what}: {reason}. Check that its schema agog_memory is as this version made it."""


class EmbedderFailed(ServiceError):
    """The embedder {model} at {url} cannot be used ({reason}). Start it (`ollama serve`, `ollama pull {model}`) or take
    `embedder_url` out of [memory] in agog.toml; until then memory searches by words."""


class ManifestsWrong(BadInput):
    """{problems}. Nothing was changed; correct the manifests."""


class BackupUnusable(BadInput):
    """{path} cannot be restored: {reason}. Nothing was changed; give the folder of a complete backup."""


class BackupExists(BadInput):
    """{path} is there already. Give a new folder for each backup; nothing was written."""


class RestoreRefused(BadInput):
    """Something is there already: {what}. Nothing was changed; --force deletes it and puts the backup in its place."""


class RestoreStopped(AgogError):
    """Stream {stream} could not be restored ({reason}). {done} of {total} streams are restored, Postgres is as it was.
    Stop what uses the streams, then run it again with --force."""


class NoLogs(BadInput):
    """{place} holds no logs of {what}. Give the folder of `agog up --data`, with --data."""


class ComposeAway(ServiceError):
    """The logs of the containers cannot be had ({reason}). {remedy}, or read files with --data."""
