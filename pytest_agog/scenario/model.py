"""The scenario format, as one typed model. JSON Schema, reference page, `agog new` and `agog explain` come from it.

Docstrings under the fields are what users read in their editor.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, field_validator

from pytest_agog.errors import InvalidToken
from pytest_agog.scenario.orchestrator_steps import ListenerService, OrchestratorService
from pytest_agog.values import Bound, DataFile, DataPath, Duration, Size, Strict
from pytest_agog.wire import subjects

MIN_PAYLOAD: Final = 1_000
"""Bytes; below that JetStream's own replies do not fit."""
MAX_PAYLOAD: Final = 2**26
"""Bytes; nats-server refuses more."""
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=128)]
"""A name that can stand in a test id and as one token of a subject."""


def _word(value: object) -> object:
    """Numbers as text: `[sleep, 3]`, and a whole-scalar `${n}` that keeps its variable's type."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Word = Annotated[str, BeforeValidator(_word), WithJsonSchema({"type": ["string", "number"]})]
"""Text that is handed on as text: a command's argument, an environment variable, a header."""


def _subject_token(value: str) -> str:
    try:
        return subjects.token(value)
    except InvalidToken as error:
        raise ValueError(str(error)) from None


Token = Annotated[str, AfterValidator(_subject_token)]
"""Any text that can stand as one token of a subject."""


def _payload(size: int) -> int:
    if not MIN_PAYLOAD <= size <= MAX_PAYLOAD:
        raise ValueError(f"a server takes payloads of {MIN_PAYLOAD:,} to {MAX_PAYLOAD:,} bytes, not {size:,}")
    return size


# --- services ---------------------------------------------------------------------------------------------------------
class NatsService(Strict):
    """A nats-server with JetStream."""

    max_payload: Annotated[Size, AfterValidator(_payload)] = 12_000_000
    """The largest message that the server takes, headers included."""
    servers: Literal[1, 3] = 1
    """3 is a cluster; streams then have three replicas."""
    streams: Literal["wire", "none"] = "wire"
    """`wire` creates all streams of the contract; `none` leaves the server empty."""
    sync_interval: Literal["always"] | Duration = 120.0
    """How often JetStream flushes to disk; `always` before each ack."""
    store_limit: Size | None = None
    """JetStream's file store limit (max_file_store)."""
    auth: Literal["none", "accounts"] = "none"
    """`accounts` asks who connects: the harness, orchestrator and listener are `system`, agents and `run` steps are
    `agents`, comms is `jangar`. Each may do no more than it needs to."""
    credentials: Literal["passwords", "nkeys", "jwt"] = "passwords"
    """How users show who they are with `auth: accounts`; `jwt` stands for credentials files."""
    tls: bool = False
    """Encryption; the harness signs the server's certificate, and everything that connects verifies it."""


class PostgresService(Strict):
    """A Postgres database, cloned from a migrated template."""


class CommsService(Strict):
    """The target's agent comms: ingest, events API and pages."""

    instances: int = Field(default=1, ge=1, le=4)
    """How many of them run side by side on one consumer and one database."""
    workers: int = Field(default=1, ge=1, le=8)
    """Ingest workers in each."""
    token: bool = False
    """Its events and pages demand a token, which is made for the play: it is in AGOG_HTTP_TOKEN of comms and commands,
    and the harness's own readers, pages and requests use it."""
    env: dict[str, Word] = Field(default_factory=dict)
    """Further environment variables of each, such as `{AGOG_HTTP_RATE_LIMIT: 3/m}`."""


class Services(Strict):
    """What to bring up, and how. Without it: NATS with all streams, Postgres when something needs it."""

    nats: NatsService = NatsService()
    """The nats-server, or a cluster of three."""
    postgres: PostgresService | None = None
    """Bring up Postgres even when nothing seems to need it."""
    comms: CommsService | None = None
    """Bring up agent comms even when nothing seems to need it, and how."""
    orchestrator: OrchestratorService | None = None
    """Bring up the orchestrator even when nothing seems to need it, and how."""
    listener: ListenerService | None = None
    """Bring up the host listener even without an orchestrator, and how."""
    components: tuple[Literal["deliverables", "comms", "orchestrator", "listener"], ...] = ()
    """Parts of the target to bring up even when nothing seems to need them."""

    @field_validator("nats", "postgres", "comms", "orchestrator", "listener", mode="before")
    @classmethod
    def _nothing_is_defaults(cls, value: Any) -> Any:
        """`postgres:` with nothing after it asks for Postgres as much as `postgres: {}` does."""
        return {} if value is None else value


# --- agents -----------------------------------------------------------------------------------------------------------
class Generate(Strict):
    """A report made up from a seed: headings and paragraphs, always the same for the same numbers."""

    tokens: int = Field(ge=50, le=2_000_000)
    """How many tokens it has, within 1 %."""
    seed: int = 0
    """Another seed, another text."""


class GeneratedReport(Strict):
    """A report that is made up."""

    generate: Generate
    """How long it is, and from which seed."""


class Agent(Strict):
    """How an agent behaves when the chain or the host listener runs it.

    Spawns are counted over the whole play: first those that fail, then those that hang, block and reject.
    """

    report: DataFile | GeneratedReport | None = None
    """Its report: a file, or `{generate: {tokens: 8000, seed: 7}}`."""
    notice: dict[str, Any] = Field(default_factory=dict)
    """Fields of its completion notice that differ from the default."""
    run: Annotated[list[Word], Field(min_length=1)] | None = None
    """A real command, started without a shell in the scenario's folder; `python` is the harness's own interpreter."""
    timeout: Duration = 120.0
    """After this long its process group is killed."""
    fails: int = Field(default=0, ge=0)
    """The first n spawns exit 1 without a report."""
    hangs: int = Field(default=0, ge=0)
    """The next n spawns never end; they are killed when their time is up."""
    blocks: int = Field(default=0, ge=0)
    """The next n spawns say BLOCKED, with a blocker."""
    rejects: int = Field(default=0, ge=0)
    """The next n spawns say REJECTED as their verdict, with a blocker."""
    prints: DataFile | None = None
    """Its standard output instead of the notice alone, after substitution of ${notice}, ${url} and the variables."""


# --- steps ------------------------------------------------------------------------------------------------------------
class Turn(Strict):
    """One agent's turn in a chain."""

    agent: Name
    """Who."""
    task: Token
    """The task; also the type in the deliverable's subject."""
    fetches: tuple[str, ...] = ()
    """What a scripted agent reads before it works: `agent`, or `agent#Heading` for one section."""


class Chain(Strict):
    """Agents hand work on, one after the other, without an orchestrator."""

    feature: Token
    """What they work on; it is the requirement in their notices."""
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    """Who works, in order."""
    retries: int = Field(default=0, ge=0, le=100)
    """How often a failed turn is tried again."""


class Publish(Strict):
    """Publish one message, by JetStream with PubAck unless `core: true`."""

    subject: str = Field(min_length=1)
    """Where."""
    json_: Any = Field(default=None, alias="json")
    """A JSON payload."""
    text: str | None = None
    """A text payload."""
    base64: str | None = None
    """A binary payload."""
    file: DataFile | None = None
    """The payload is this file's bytes."""
    headers: dict[str, Word] = Field(default_factory=dict)
    """Headers; none are added."""
    times: int = Field(default=1, ge=1, le=1_000_000)
    """How often."""
    core: bool = False
    """Core NATS: nobody acknowledges."""


class Run(Strict):
    """Run a command, without a shell, in the scenario's folder."""

    command: Annotated[list[Word], Field(min_length=1)]
    """The command and its arguments; `python` and `agog` are the harness's own."""
    as_: Name | None = Field(default=None, alias="as")
    """Its name in the checks `process`; the command's first word otherwise."""
    expect_exit: int = 0
    """The exit status that makes the step pass."""
    timeout: Duration = 60.0
    """After this long its process group is killed and the step fails."""
    stdin: str | None = None
    """Text on its standard input."""
    env: dict[str, Word] = Field(default_factory=dict)
    """Further environment variables."""
    user: Literal["agents", "system", "jangar", "nobody"] = "agents"
    """With `auth: accounts`: the user of NATS whose credentials it finds in its environment."""


class Wait(Strict):
    """Wait until a check holds."""

    until: Annotated[dict[str, Any], Field(min_length=1, max_length=1)]
    """`{CHECK: {arguments}}`, any check."""
    within: Duration = 10.0
    """How long at most; then the step fails."""


class Kill(Strict):
    """Kill a component."""

    component: Literal["nats", "postgres", "comms", "orchestrator", "listener"]
    """What."""
    signal: Literal["KILL", "TERM", "INT", "STOP"] = "KILL"
    """How."""
    server: int | None = Field(default=None, ge=1, le=4)
    """Which server of a cluster, or which instance of a component; all of them otherwise."""


class Restart(Strict):
    """Start a component again on the same address with the same data; one that still runs is stopped first."""

    component: Literal["nats", "postgres", "comms", "orchestrator", "listener"]
    """What."""
    server: int | None = Field(default=None, ge=1, le=4)
    """Which server of a cluster, or which instance of a component; all of them otherwise."""


# --- claims -----------------------------------------------------------------------------------------------------------
def _savings(bound: Bound) -> Bound:
    given = [bound.equals, bound.at_least, bound.at_most, *(bound.between or ())]
    for number in given:
        if number is not None and number > 1:
            raise ValueError(f"nothing saves more than 100%; write {number:g}% for {number:g} hundredths")
    return bound


Savings = Annotated[Bound, AfterValidator(_savings)]
"""*n* of a share that is saved: at most everything, and below zero when more is spent."""


class TokenClaims(Strict):
    """Claims about token savings; each is a test `tokens.…`."""

    spawn_savings: Savings | None = None
    """1 - notices / inline."""
    net_savings: Savings | None = None
    """1 - (notices + fetched) / inline."""
    notice: Bound | None = None
    """Tokens of the largest single notice."""


class TokenClaim(Strict):
    """The arguments of a token check, as `tokens:` gives them."""

    value: Bound
    """What the number must be."""


class ProofEntry(Strict):
    """One claim of the checklist; each is one test."""

    id: Name
    """Its name in test ids."""
    claim: str = Field(min_length=1)
    """What must be true, in words."""
    check: str
    """Which check judges it."""
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    """The check's arguments."""
    within: Duration = 0.0
    """How long after the play it may take to become true."""
    holds_for: Duration = 0.0
    """How long it must stay true."""
    kills: tuple[str, ...] = ()
    """Faults that must turn it red."""


class ScenarioModel(Strict):
    """What happens, and what must then be true."""

    agog: Literal[1]
    """Version of the format."""
    name: Name
    """Its name on the command line and in reports."""
    summary: str = ""
    """One sentence for people."""
    tags: tuple[Name, ...] = ()
    """Become pytest marks."""
    vars: dict[str, Any] = Field(default_factory=dict)
    """Variables for ${name}."""
    matrix: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    """One run per combination of these values."""
    services: Services = Services()
    """What to bring up, and how."""
    agents: dict[Name, Agent] = Field(default_factory=dict)
    """How agents behave. The seven of the contract exist without being declared."""
    steps: list[dict[str, Any]] = Field(default_factory=list)
    """What happens, in order; each step is one key, its verb."""
    tokens: TokenClaims = TokenClaims()
    """Claims about token savings."""
    proof: list[ProofEntry] = Field(default_factory=list)
    """The checklist."""


__all__ = [
    "Agent",
    "Chain",
    "DataFile",
    "DataPath",
    "Generate",
    "GeneratedReport",
    "Kill",
    "ListenerService",
    "Name",
    "NatsService",
    "OrchestratorService",
    "PostgresService",
    "ProofEntry",
    "Publish",
    "Restart",
    "Run",
    "ScenarioModel",
    "Services",
    "TokenClaim",
    "TokenClaims",
    "Turn",
    "Wait",
]
