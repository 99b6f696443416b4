"""Secrets of Kubernetes for the users of the contract, which a reflector may copy into other namespaces. [C10]"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.security.files import write
from pytest_agog.security.issuing import Identity, Issued

FILE: Final = "secrets.yaml"
_REFLECTOR: Final = "reflector.v1.k8s.emberstack.com"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_CREDS: Final = "user.creds"
"""The name that the workflow template under deploy/argo/ looks for."""
_MIRRORED: Final = ("agents", "jangar")
"""`system` may delete streams; it stays where it was made."""
_WARNING: Final = """\
# Secrets of NATS. Apply them (`kubectl apply -f` and this file), then delete the file.
# Never commit it: base64 is no encryption.
"""


class BadNamespace(BadInput):
    """{name!r} cannot be a namespace of Kubernetes. Use 1 to 63 small letters, digits and hyphens."""


def check_namespaces(namespace: str, mirror: Sequence[str]) -> None:
    """See that names are names, before anything is issued.

    Raises:
        BadNamespace: a namespace is none.
    """
    for name in (namespace, *mirror):
        if _NAME.fullmatch(name) is None:
            raise BadNamespace(name=name)


def write_secrets(issued: Issued, url: str, ca: Path | None, namespace: str, mirror: Sequence[str]) -> Path:
    """`secrets.yaml`, mode 0600: for each user `nats-USER` in `namespace`, for agents and jangar with the annotations
    that have a reflector copy it into the namespaces of `mirror`.

    Raises:
        BadNamespace: a namespace is none.
        OSError: a file cannot be read or written.
    """
    import yaml

    check_namespaces(namespace, mirror)
    mirror = [name for name in dict.fromkeys(mirror) if name != namespace]
    documents = [
        _secret(user, identity, url, ca, namespace, mirror if user in _MIRRORED else ())
        for user, identity in issued.identities.items()
    ]
    text = yaml.safe_dump_all(documents, sort_keys=False, width=10_000, explicit_start=True)
    return write(issued.folder / FILE, _WARNING + text)


def _secret(
    user: str, identity: Identity, url: str, ca: Path | None, namespace: str, mirror: Sequence[str]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": f"nats-{user}",
        "namespace": namespace,
        "labels": {"app.kubernetes.io/part-of": "agog"},
    }
    if mirror:
        listed = ",".join(mirror)
        metadata["annotations"] = {
            f"{_REFLECTOR}/reflection-allowed": "true",
            f"{_REFLECTOR}/reflection-allowed-namespaces": listed,
            f"{_REFLECTOR}/reflection-auto-enabled": "true",
            f"{_REFLECTOR}/reflection-auto-namespaces": listed,
        }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": {name: base64.b64encode(value).decode() for name, value in _data(identity, url, ca).items()},
    }


def _data(identity: Identity, url: str, ca: Path | None) -> dict[str, bytes]:
    """Keys that are variables are for `envFrom`; those with a dot are files for a volume."""
    found = {"NATS_URL": identity.url(url).encode(), "NATS_USER": identity.user.encode()}
    if identity.password is not None:
        found["NATS_PASSWORD"] = identity.password.encode()
    if identity.nkey_file is not None:
        found[identity.nkey_file.name] = identity.nkey_file.read_bytes()
    if identity.creds_file is not None:
        found[_CREDS] = identity.creds_file.read_bytes()
    if ca is not None:
        found["ca.pem"] = ca.read_bytes()
    return found
