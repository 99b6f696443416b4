"""Who speaks: the identity that every message carries, as workflow engines hand it over in the environment. [C1]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pytest_agog.errors import BadInput, IdentityMissing
from pytest_agog.wire.comms import ARGO, NATIVE, Role, uid_of_run

Runtime = Literal["native", "argo"]
PREFIXES: Final[dict[Runtime, str]] = {"native": NATIVE, "argo": ARGO}
ROLES: Final = get_args(Role)
DEFAULT_ROLE: Final = "assistant"
NATIVE_NAMESPACE: Final = "default"
"""Where a native run belongs when nobody says otherwise; runs outside of Kubernetes know no namespaces."""
VARIABLES: Final = {
    "agent_id": "AGENT_ID",
    "role": "AGENT_ROLE",
    "workflow_uid": "WORKFLOW_UID",
    "workflow_name": "WORKFLOW_NAME",
    "workflow_namespace": "WORKFLOW_NAMESPACE",
    "run_id": "RUN_ID",
    "step_id": "WORKFLOW_STEP",
    "stage": "WORKFLOW_STAGE",
    "repository": "CODEX_REPOSITORY",
    "issue_number": "CODEX_ISSUE_NUMBER",
    "branch": "CODEX_BRANCH",
}
"""Each field and the variable that it comes from; an empty variable counts as none."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One agent in one run. What is None is not known, and not sent."""

    runtime: Runtime = "native"
    agent_id: str | None = None
    role: str = DEFAULT_ROLE
    workflow_uid: str | None = None
    workflow_name: str | None = None
    """Whole, with its dots."""
    workflow_namespace: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    stage: str | None = None
    repository: str | None = None
    issue_number: int | str | None = None
    branch: str | None = None

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, runtime: str | None = None, **given: str | None
    ) -> Speaker:  # fmt: skip
        """What `environ` says, where `given` (fields by name) does not say otherwise.

        Without `runtime` it is argo in a pod of Argo Workflows (which sets ARGO_TEMPLATE), native elsewhere. A native
        run may be named by RUN_ID alone: then that is its uid and its name (a digest of it where it has dots, blanks or
        what else cannot stand in a subject), and its namespace is `default`.

        Raises:
            BadInput: the role or the runtime is none.
        """
        found = {name: given.get(name) or environ.get(variable) or None for name, variable in VARIABLES.items()}
        kind = runtime or ("argo" if environ.get("ARGO_TEMPLATE") else "native")
        if kind not in PREFIXES:
            raise BadInput(f"there is no runtime {kind!r}; give native or argo.")
        role = found.pop("role") or DEFAULT_ROLE
        if role not in ROLES:
            raise BadInput(f"there is no role {role!r}; give one of {', '.join(ROLES)} with --role or AGENT_ROLE.")
        number = found.pop("issue_number")
        if kind == "native":
            found["workflow_uid"] = found["workflow_uid"] or uid_of_run(found["run_id"] or "") or None
            found["workflow_name"] = found["workflow_name"] or found["workflow_uid"]
            if found["workflow_uid"]:
                found["workflow_namespace"] = found["workflow_namespace"] or NATIVE_NAMESPACE
        return cls(
            runtime="argo" if kind == "argo" else "native",
            role=role,
            issue_number=int(number) if number and number.isascii() and number.isdigit() else number,
            **found,
        )

    @property
    def prefix(self) -> str:
        """What the subjects of this runtime begin with."""
        return PREFIXES[self.runtime]

    def address(self) -> tuple[str, str, str, str]:
        """Namespace, name, uid and agent: what the subject of a run needs.

        Raises:
            IdentityMissing: one is unknown; the message names every variable to set.
        """
        parts = (self.workflow_namespace, self.workflow_name, self.workflow_uid, self.agent_id)
        names = ("workflow_namespace", "workflow_name", "workflow_uid", "agent_id")
        missing = [VARIABLES[name] for name, value in zip(names, parts, strict=True) if not value]
        if missing:
            hint = " (or RUN_ID alone for the workflow's)" if self.runtime == "native" and len(missing) > 1 else ""
            raise IdentityMissing(missing=", ".join(missing), hint=hint)
        namespace, name, uid, agent = parts
        return namespace or "", name or "", uid or "", agent or ""
