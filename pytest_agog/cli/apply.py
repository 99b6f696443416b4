"""`agog apply`: a server agrees with manifests, or the drift is told. [C12]"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_agog.cli.console import print_json, print_line, print_table
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl
from pytest_agog.errors import Exit, UsageError
from pytest_agog.masking import mask
from pytest_agog.values import plural

if TYPE_CHECKING:
    from pytest_agog.reference.operations.applying import Outcome
    from pytest_agog.reference.operations.kubernetes import Answer
    from pytest_agog.reference.operations.manifests import Manifests
    from pytest_agog.reference.operations.plan import Change, Wishes

_DONE = {"create": "created", "update": "updated", "delete": "deleted"}
_DRIFT = {"create": "missing", "update": "differs", "delete": "extra", "extra": "extra", "refused": "differs"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("apply")(apply)


def apply(
    further: Annotated[list[Path] | None, typer.Argument(metavar="PATH", help="Further manifests.")] = None,
    manifests: Annotated[
        list[Path] | None,
        typer.Option("-f", "--filename", help="Manifests: files, or folders with all that is in them."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Report drift and change nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Delete durable consumers that no manifest names. Never deletes a stream.")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Lower limits even if stored messages are dropped by that.")
    ] = False,
    replicas: Annotated[
        int | None, typer.Option("--replicas", help="Copies of each stream, instead of the manifests'.", min=1, max=5)
    ] = None,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Ask `kubectl get streams,consumers` too, where there is a context.")
    ] = False,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:
    """Make streams and consumers as NACK's manifests have them (jetstream.nats.io/v1beta2).

    With --check: exit 1 when something differs, 0 when nothing does. Otherwise exit 1 when something could not be
    changed: what would lose messages or a consumer's position is refused. Needs the user `system`.

    Example: agog apply -f deploy/nack --check --replicas 1
    """
    from pytest_agog.reference.operations.manifests import load
    from pytest_agog.reference.operations.plan import Wishes

    paths = [*(manifests or []), *(further or [])]
    if not paths:
        raise UsageError("No manifest is named. Give files or folders with -f.")
    wanted = load(paths, replicas=replicas)
    wishes = Wishes(prune=prune, allow_loss=allow_loss)
    if check:
        changes = asyncio.run(_check(nats_url, nats_creds, wanted, wishes))
        cluster = _ask(wanted) if kubernetes else None
        return _tell_drift(wanted, changes, cluster, as_json=as_json)
    outcomes = asyncio.run(_apply(nats_url, nats_creds, wanted, wishes))
    cluster = _ask(wanted) if kubernetes else None
    return _tell_outcomes(wanted, outcomes, cluster, as_json=as_json)


async def _check(url: str, creds: Path | None, wanted: Manifests, wishes: Wishes) -> list[Change]:
    from pytest_agog.reference.deliverables.connecting import connect
    from pytest_agog.reference.operations.applying import look
    from pytest_agog.reference.operations.plan import plan

    link = await connect(url, creds=creds)
    try:
        return plan(wanted, await look(link, wanted), wishes)
    finally:
        await link.close()


async def _apply(url: str, creds: Path | None, wanted: Manifests, wishes: Wishes) -> list[Outcome]:
    from pytest_agog.reference.deliverables.connecting import connect
    from pytest_agog.reference.operations import applying

    link = await connect(url, creds=creds)
    try:
        return await applying.apply(link, wanted, wishes)
    finally:
        await link.close()


def _ask(wanted: Manifests) -> Answer:
    from pytest_agog.reference.operations import kubernetes

    return kubernetes.ask(wanted)


def _tell_drift(wanted: Manifests, changes: list[Change], cluster: Answer | None, *, as_json: bool) -> int:
    drifted = bool(changes) or bool(cluster and cluster.drift)
    if as_json:
        print_json({
            "drift": drifted, **_counts(wanted),
            "changes": [{**_document(change), "is": _drift(change)} for change in changes],
            **_kubernetes_document(cluster),
        })  # fmt: skip
    else:
        if changes:
            print_table(
                ("what", "is", "drift", "manifest"),
                [(change.label, _drift(change), change.told, change.place) for change in changes],
            )
        else:
            print_line(f"no drift: {_agree(wanted)}")
        _tell_others(wanted, cluster)
    return Exit.CLAIM_FAILED if drifted else Exit.OK


def _tell_outcomes(wanted: Manifests, outcomes: list[Outcome], cluster: Answer | None, *, as_json: bool) -> int:
    right = all(outcome.done or outcome.change.action == "extra" for outcome in outcomes)
    right = right and not (cluster and cluster.drift)
    if as_json:
        print_json({
            "ok": right, **_counts(wanted),
            "changes": [
                {**_document(outcome.change), "is": _became(outcome), "reason": mask(outcome.reason) or None}
                for outcome in outcomes
            ],
            **_kubernetes_document(cluster),
        })  # fmt: skip
    else:
        if outcomes:
            print_table(
                ("what", "is", "why"),
                [(outcome.change.label, _became(outcome), _why(outcome)) for outcome in outcomes],
            )
        else:
            print_line(f"nothing to do: {_agree(wanted)}")
        _tell_others(wanted, cluster)
    return Exit.OK if right else Exit.CLAIM_FAILED


def _drift(change: Change) -> str:
    return "missing" if change.action == "refused" and not change.differences else _DRIFT[change.action]


def _became(outcome: Outcome) -> str:
    action = outcome.change.action
    return _DONE[action] if outcome.done else "extra" if action == "extra" else "refused"


def _why(outcome: Outcome) -> str:
    told = outcome.change.told
    return told if outcome.done or outcome.reason in told else f"{told}; {mask(outcome.reason)}"


def _agree(wanted: Manifests) -> str:
    streams, consumers = plural(len(wanted.streams), "stream"), plural(len(wanted.consumers), "consumer")
    return f"{streams} and {consumers} are as their manifests have them"


def _tell_others(wanted: Manifests, cluster: Answer | None) -> None:
    for line in wanted.skipped:
        print_line(f"not looked at: {line}")
    for line in wanted.notes:
        print_line(f"note: {line}")
    if cluster is None:
        return
    where = f"kubernetes ({cluster.context})" if cluster.asked else "kubernetes"
    print_line(f"{where}: {cluster.told}")
    for line in cluster.drift if len(cluster.drift) > 1 or cluster.drift != (cluster.told,) else ():
        print_line(f"{where}: {line}")


def _counts(wanted: Manifests) -> dict[str, Any]:
    return {
        "streams": len(wanted.streams), "consumers": len(wanted.consumers), "skipped": list(wanted.skipped),
        "notes": list(wanted.notes),
    }  # fmt: skip


def _document(change: Change) -> dict[str, Any]:
    return {
        "what": change.kind.lower(), "stream": change.stream, "name": change.name, "place": change.place or None,
        "told": mask(change.told),
        "differences": [
            {"field": each.field, "wanted": each.wanted, "found": each.found} for each in change.differences
        ],
    }  # fmt: skip


def _kubernetes_document(cluster: Answer | None) -> dict[str, Any]:
    if cluster is None:
        return {}
    return {
        "kubernetes": {
            "context": cluster.context or None, "told": cluster.told, "drift": list(cluster.drift),
        }
    }  # fmt: skip
