"""Who spoke in a run: what the caller says, else what messages of the run that arrived live say, else its names."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, LiteralString

from pytest_agog.errors import BadInput
from pytest_agog.wire.comms import run_subject, uid_of_run
from pytest_agog.wire.comms_rows import MAX_KEY_BYTES

if TYPE_CHECKING:
    from psycopg import AsyncConnection

DEFAULT_NAMESPACE: Final = "default"
DEFAULT_AGENT: Final = "codex"
_LIVE: Final[LiteralString] = """
    SELECT workflow_uid, workflow_name, workflow_namespace, agent_id, run_id, step_id, stage
    FROM workflow_comms.agent_messages
    WHERE channel IS DISTINCT FROM 'general'
      AND (run_id = %(run_id)s
           OR (%(run_id)s::text IS NULL OR run_id IS NULL)
              AND workflow_uid = %(workflow_uid)s
              AND workflow_namespace = coalesce(%(workflow_namespace)s, workflow_namespace))
      AND agent_id = coalesce(%(agent_id)s, agent_id)
    GROUP BY 1, 2, 3, 4, 5, 6, 7
    ORDER BY min(seq) DESC
    LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the caller knows of a run. What is None is taken from live messages of the run, or made of its name."""

    run_id: str | None = None
    workflow_uid: str | None = None
    workflow_name: str | None = None
    workflow_namespace: str | None = None
    agent_id: str | None = None
    step_id: str | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks, complete: fit for a subject of the run."""

    run_id: str | None
    uid: str
    workflow: str
    namespace: str
    agent_id: str
    step_id: str | None = None
    stage: str | None = None

    @property
    def run(self) -> str:
        """What names the run: its id, else its workflow."""
        return self.run_id or f"{self.namespace}/{self.uid}"


def named_after(identity: Identity, folder: str) -> Identity:
    """`identity`; where it names neither run nor workflow, the folder's name is the run's.

    Raises:
        BadInput: a part of it cannot be stored.
    """
    known = replace(identity, **{part.name: getattr(identity, part.name) or None for part in fields(identity)})
    if known.run_id is None and known.workflow_uid is None:
        known = replace(known, run_id=folder)
    for part in fields(known):
        value = getattr(known, part.name)
        if value is None:
            continue
        option = "--" + part.name.replace("_", "-")
        try:
            size = len(value.encode("utf-8"))
        except UnicodeEncodeError:
            raise BadInput(f"{option} is no valid Unicode text. Give another one.") from None
        if "\0" in value or size > MAX_KEY_BYTES:
            raise BadInput(f"{option} holds a NUL or more than {MAX_KEY_BYTES} bytes. Give another one.")
    return known


async def complete(connection: AsyncConnection, identity: Identity) -> Speaker:
    """What `identity` leaves open, from live messages of the run: rows and keys then agree with theirs. [J22]

    Where those disagree (several agents in one run), nothing is taken for that part: the caller must say it.

    Raises:
        InvalidToken: a part cannot stand in a subject.
        BadInput: several agents spoke in the run, and nobody says whose file this is.
    """
    live = await _live(connection, identity)
    agents = sorted({row.agent_id for row in live if row.agent_id is not None})
    if identity.agent_id is None and DEFAULT_AGENT in agents:
        identity = replace(identity, agent_id=DEFAULT_AGENT)
    if identity.agent_id is None and len(agents) > 1:
        raise BadInput(f"several agents spoke in this run ({', '.join(agents[:5])}). Say whose files with --agent-id.")
    run_id = identity.run_id or _agreed(live, "run_id")
    uid = identity.workflow_uid or _agreed(live, "workflow_uid") or uid_of_run(run_id or "")
    speaker = Speaker(
        run_id=run_id,
        uid=uid,
        workflow=identity.workflow_name or _agreed(live, "workflow_name") or uid,
        namespace=identity.workflow_namespace or _agreed(live, "workflow_namespace") or DEFAULT_NAMESPACE,
        agent_id=identity.agent_id or _agreed(live, "agent_id") or DEFAULT_AGENT,
        step_id=identity.step_id or _agreed(live, "step_id"),
        stage=identity.stage or _agreed(live, "stage"),
    )
    run_subject(speaker.namespace, speaker.workflow, speaker.uid, speaker.agent_id, "message")
    return speaker


async def _live(connection: AsyncConnection, identity: Identity) -> list[Identity]:
    known = {part.name: getattr(identity, part.name) for part in fields(identity)}
    found = await (await connection.execute(_LIVE, known)).fetchall()
    return [
        Identity(
            workflow_uid=uid, workflow_name=name, workflow_namespace=namespace, agent_id=agent, run_id=run,
            step_id=step, stage=stage,
        )
        for uid, name, namespace, agent, run, step, stage in found
    ]  # fmt: skip


def _agreed(live: list[Identity], part: str) -> str | None:
    said: set[str] = {getattr(row, part) for row in live} - {None}
    return said.pop() if len(said) == 1 else None
