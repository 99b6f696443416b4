"""`agog creds`: credentials for the three users of NATS, and how they are changed. [C10]"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pytest_agog.cli.certs import Exists
from pytest_agog.cli.console import print_json, print_line
from pytest_agog.cli.options import Json
from pytest_agog.errors import UsageError

if TYPE_CHECKING:
    from pytest_agog.security.issuing import Issued

_FORMS = ("passwords", "nkeys", "jwt")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("creds")(creds)


def creds(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written, mode 0600.")],
    form: Annotated[
        str | None, typer.Option("--form", help="passwords, nkeys or jwt.", show_default="passwords")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Where clients find the server; nats://127.0.0.1:4222 when not given.")
    ] = None,
    tls: Annotated[Path | None, typer.Option("--tls", help="Folder of `agog certs`: the server speaks TLS.")] = None,
    rotate: Annotated[
        str | None, typer.Option("--rotate", metavar="USER", help="Give USER a second credential; both are valid.")
    ] = None,
    retire: Annotated[
        str | None, typer.Option("--retire", metavar="USER", help="End USER's older credential after --rotate.")
    ] = None,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Write Secrets for the users too: secrets.yaml. Never commit it.")
    ] = False,
    namespace: Annotated[str | None, typer.Option("--namespace", help="Of the Secrets.", show_default="nats")] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            "--mirror", help="A namespace that gets copies of agents' and jangar's Secrets; may be given often."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Issue anew what is there. Old credentials end.")] = False,
    as_json: Json = False,
) -> None:
    """Issue credentials for system, agents and jangar, and a configuration of nats-server that knows them.

    Secrets go to files only. NATS_URL may hold user:password; NATS_NKEY names a seed's file, NATS_CREDS a credentials
    file, NATS_CA the authority's certificate, NATS_USER the user where nothing else tells it. DIR/USER.env holds them.
    A change takes --rotate, SIGHUP to the server, the new file to whoever uses it, --retire, SIGHUP.

    Example: agog creds .agog/nats --form nkeys --tls .agog/tls
    """
    from pytest_agog.security.kubernetes import check_namespaces, write_secrets
    from pytest_agog.security.state import load

    if not kubernetes and (namespace is not None or mirror):
        raise UsageError("--namespace and --mirror are about Secrets of Kubernetes. Give --kubernetes with them.")
    space = "nats" if namespace is None else namespace
    check_namespaces(space, mirror or ())
    if rotate is not None or retire is not None:
        settled = {"--form": form, "--url": url, "--tls": tls, "--force": force or None}
        issued, files = _change(folder, rotate, retire, settled)
    else:
        issued, files = _issue(folder, form or "passwords", url, tls, force=force)
    if kubernetes:
        known = load(folder)
        ca = Path(known.ca) if known.ca else None
        files["secrets"] = write_secrets(issued, known.url, ca, space, mirror or ())
    _tell(issued, files, reload=rotate is not None or retire is not None, as_json=as_json)


def _change(
    folder: Path, rotate: str | None, retire: str | None, settled: Mapping[str, object]
) -> tuple[Issued, dict[str, Path]]:
    """One step of a change; `settled` are options that only say something when credentials are issued."""
    from pytest_agog.security import rotating
    from pytest_agog.security.server_files import write_users

    if rotate is not None and retire is not None:
        raise UsageError("--rotate and --retire are two steps of one change. Give one of them.")
    for name, value in settled.items():
        if value is not None:
            raise UsageError(f"{name} has been settled when the credentials were issued. Leave it out.")
    issued = rotating.rotate(folder, rotate) if rotate is not None else rotating.retire(folder, retire or "")
    return issued, {"users": write_users(issued)}


def _issue(
    folder: Path, form: str, url: str | None, tls: Path | None, *, force: bool
) -> tuple[Issued, dict[str, Path]]:
    from pytest_agog.security import server_files
    from pytest_agog.security.issuing import checked, issue
    from pytest_agog.security.state import FILE

    known = next((one for one in ("passwords", "nkeys", "jwt") if one == form), None)
    if known is None:
        raise UsageError(f"--form {form!r} is none of {', '.join(_FORMS)}.")
    for name in (FILE, server_files.SERVER, server_files.USERS):
        if not force and (folder / name).exists():
            raise Exists(path=folder / name)
    certificates = server_files.certificates_in(tls) if tls is not None else None
    default = "tls://127.0.0.1:4222" if certificates is not None else "nats://127.0.0.1:4222"
    address = default if url is None else checked(url)
    issued = issue(folder, known, url=address, ca=certificates.ca if certificates is not None else None)
    users = server_files.write_users(issued)
    return issued, {"server": server_files.write_server(folder, certificates), "users": users}


def _tell(issued: Issued, files: dict[str, Path], *, reload: bool, as_json: bool) -> None:
    from pytest_agog.security.server_files import USERS

    users: dict[str, Any] = {
        name: {
            "login": identity.user,
            "secret": identity.nkey_file or identity.creds_file or issued.folder / f"{name}.password",
            "environment": issued.folder / f"{name}.env",
        }
        for name, identity in issued.identities.items()
    }
    if as_json:
        print_json({"form": issued.form, "users": users, "files": files, "reload": reload})
        return
    for name, told in users.items():
        print_line(f"{name}: {told['secret']} (variables: {told['environment']})")
    if "server" in files:
        print_line(f"configuration of nats-server: {files['server']}")
    if "secrets" in files:
        print_line(f"Secrets of Kubernetes, never to be committed: {files['secrets']}")
    if reload:
        print_line(f"send the server SIGHUP, so that it reads {issued.folder / USERS} anew")
