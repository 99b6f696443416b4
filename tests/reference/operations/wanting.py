"""What manifests want of a server, and what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.operations.applying import Outcome, look
from pytest_agog.reference.operations.manifests import Manifests, load
from pytest_agog.reference.operations.plan import Change, Wishes, plan

NACK = Path(__file__).parents[3] / "deploy" / "nack"


def ours(replicas: int | None = 1) -> Manifests:
    return load([NACK], replicas=replicas)


def stream(tmp_path: Path, **spec: Any) -> Manifests:
    """One stream ORDERS."""
    path = tmp_path / "orders.yaml"
    fields = {"name": "ORDERS", "subjects": ["orders.>"], "storage": "file", **spec}
    body = "".join(f"  {name}: {value}\n" for name, value in fields.items())
    path.write_text(
        f"apiVersion: jetstream.nats.io/v1beta2\nkind: Stream\nmetadata: {{name: orders}}\nspec:\n{body}", "utf-8"
    )
    return load([path])


async def drift(link: Link, wanted: Manifests, **wishes: bool) -> list[Change]:
    return plan(wanted, await look(link, wanted), Wishes(**wishes))


def told(changes: list[Change]) -> dict[str, str]:
    return {change.label: f"{change.action}: {change.told}" for change in changes}


def became(outcomes: list[Outcome]) -> dict[str, bool]:
    return {outcome.change.label: outcome.done for outcome in outcomes}
