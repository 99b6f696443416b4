"""nats-server's configuration in files: the users in one that is ours, everything else in one that is yours. [C10]

`users.conf` is written anew with every change of a credential. `nats-server.conf` includes it and is written once, so
that whoever runs the server may change it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.security.certificates import CA, CERTIFICATE, KEY, Certificates
from pytest_agog.security.files import write
from pytest_agog.security.issuing import Issued
from pytest_agog.wire.streams import SERVER_MAX_PAYLOAD

USERS: Final = "users.conf"
SERVER: Final = "nats-server.conf"
_STORE: Final = 10**15
"""Bytes. The streams have limits of their own; the server's, a share of the disk, refuses them on a small one."""


class NoCertificates(BadInput):
    """{folder} holds no certificates ({missing} is missing). Make some with `agog certs {folder} --host NAME`."""


def certificates_in(folder: Path) -> Certificates:
    """Those that `agog certs` made.

    Raises:
        NoCertificates: they are not there.
    """
    found = Certificates(*(folder.absolute() / name for name in (CA, CERTIFICATE, KEY)))
    for path in (found.ca, found.certificate, found.key):
        if not path.is_file():
            raise NoCertificates(folder=folder, missing=path.name)
    return found


def write_users(issued: Issued) -> Path:
    """Who may come in. Mode 0600: with passwords it holds them.

    Raises:
        OSError: it cannot be written.
    """
    head = "# Written by agog with every change of a credential; the server reads it anew on SIGHUP.\n"
    return write(issued.folder / USERS, head + _keys(issued.server))


def write_server(folder: Path, certificates: Certificates | None) -> Path:
    """A configuration that a server can be started with at once: JetStream, limits, users, TLS.

    Without TLS it listens on this machine only, since passwords would cross the network in plain.

    Raises:
        OSError: it cannot be written.
    """
    folder = folder.absolute()
    settings: dict[str, Any] = {
        "listen": "0.0.0.0:4222" if certificates is not None else "127.0.0.1:4222",
        "http": "127.0.0.1:8222",
        "max_payload": SERVER_MAX_PAYLOAD,
        "jetstream": {"store_dir": str(folder / "data"), "max_file_store": _STORE},
        **(certificates.server if certificates is not None else {}),
    }
    head = "# Written once by agog; yours to change. Start it with `nats-server -c` and this file.\n"
    return write(folder / SERVER, f'{head}{_keys(settings)}include "./{USERS}"\n')


def _keys(settings: Mapping[str, Any]) -> str:
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in settings.items())
