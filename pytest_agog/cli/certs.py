"""`agog certs`: a certificate authority for development, and a server's certificate. [C10]"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pytest_agog.cli.console import print_json, print_line
from pytest_agog.cli.options import Json
from pytest_agog.errors import BadInput


class Exists(BadInput):
    """{path} exists already. Give --force to replace it (whoever uses it needs the new one then), or another folder."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("certs")(certs)


def certs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    host: Annotated[
        list[str],
        typer.Option("--host", help="A name or address by which clients reach the server; may be given often."),
    ],
    days: Annotated[float, typer.Option("--days", help="How long the certificates hold.", min=0.01, max=3650)] = 365,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Replace files that are there; clients trust the authority before it too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an authority and a server certificate for development: ca.pem, server.pem, server-key.pem (mode 0600).

    Clients verify the server by NATS_CA=DIR/ca.pem. The authority's key is not kept: a further certificate comes with
    an authority of its own.

    Example: agog certs .agog/tls --host localhost --host 127.0.0.1
    """
    from pytest_agog.security import certificates

    former = folder / certificates.CA
    known = former.read_bytes() if renew and former.is_file() else b""
    if not force and not renew:
        for name in (certificates.CA, certificates.CERTIFICATE, certificates.KEY):
            if (folder / name).exists():
                raise Exists(path=folder / name)
    made = certificates.certify(folder.absolute(), host, days, former=known)
    if as_json:
        print_json({"ca": made.ca, "certificate": made.certificate, "key": made.key, "hosts": host, "days": days})
        return
    print_line(f"authority for clients (NATS_CA): {made.ca}")
    print_line(f"certificate of the server: {made.certificate}")
    print_line(f"its key, for the server alone: {made.key}")
