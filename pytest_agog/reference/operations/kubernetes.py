"""What Kubernetes has of the manifests, as `kubectl get streams,consumers` tells it. [C12]"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from pytest_agog.masking import mask
from pytest_agog.reference.operations import nack
from pytest_agog.reference.operations.manifests import Manifests, Wanted

_PATIENCE: Final = 20.0
"""Seconds for one kubectl."""
_RESOURCES: Final = "streams.jetstream.nats.io,consumers.jetstream.nats.io"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Kubernetes said."""

    context: str
    """Empty when nobody could be asked."""
    told: str
    """What was found, or why nobody was asked."""
    drift: tuple[str, ...] = ()
    """What is missing, not ready, or another than its manifest."""

    @property
    def asked(self) -> bool:
        """Whether there was a context to ask."""
        return bool(self.context)


def ask(wanted: Manifests) -> Answer:
    """Look for every manifest with kubectl. Without kubectl or without a context the answer says so."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return Answer("", "kubectl is not installed, so Kubernetes was not asked")
    context = _run(kubectl, "config", "current-context")
    if context.returncode != 0 or not context.stdout.strip():
        return Answer("", "kubectl has no context, so Kubernetes was not asked")
    name = context.stdout.strip()
    found = _run(kubectl, "get", _RESOURCES, "--all-namespaces", "-o", "json", "--request-timeout=10s")
    if found.returncode != 0:
        lines = found.stderr.strip().splitlines() or [f"exit {found.returncode}"]
        reason = f"kubectl get streams,consumers failed: {mask(lines[-1])}"
        return Answer(name, reason, (reason,))
    try:
        items = json.loads(found.stdout)["items"]
        drift = tuple(_compare(wanted, items))
    except (ValueError, KeyError, TypeError):
        reason = "kubectl get streams,consumers wrote no list"
        return Answer(name, reason, (reason,))
    total = len(wanted.streams) + len(wanted.consumers)
    return Answer(name, f"{total - len(drift)} of {total} resources are there and ready", drift)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}")


def _compare(wanted: Manifests, items: list[dict[str, Any]]) -> list[str]:
    there: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for item in items:
        spec = item.get("spec") or {}
        name = str(spec.get("name") or spec.get("durableName"))
        there.setdefault((str(item.get("kind")), str(spec.get("streamName") or name), name), []).append(item)
    found = []
    for each in (*wanted.streams, *wanted.consumers):
        items = there.get((each.kind, each.stream, each.name), [])
        # Several namespaces may have one of that name; kustomize may have put ours into another than it states.
        own = next((item for item in items if _resource(item) == each.resource), items[0] if items else None)
        problem = _problem(each, own)
        if problem:
            found.append(f"{each.label}: {problem}")
    return found


def _resource(item: dict[str, Any]) -> str:
    """`namespace/name`."""
    meta = item.get("metadata") or {}
    return f"{meta.get('namespace', 'default')}/{meta.get('name')}"


def _problem(wanted: Wanted, item: dict[str, Any] | None) -> str:
    if item is None:
        return "no such resource"
    resource = _resource(item)
    conditions = (item.get("status") or {}).get("conditions") or []
    ready = next((each for each in conditions if each.get("type") == "Ready"), None)
    if ready is None or ready.get("status") != "True":
        reason = mask(str((ready or {}).get("message") or (ready or {}).get("reason") or "NACK has not said anything"))
        return f"{resource} is not ready ({reason})"
    try:
        model = nack.KINDS[wanted.kind].model_validate(item)
    except ValidationError:
        return f"{resource} is no {wanted.kind} of {nack.API_VERSION}"
    live = model.spec.config()
    differing = sorted(name for name in live.keys() | wanted.config.keys() if live.get(name) != wanted.config.get(name))
    return f"{resource} differs from its manifest in {', '.join(differing)}" if differing else ""
