"""`agog certs` and `agog creds`: files that a server and clients work with at once, and no secret on the screen."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_agog.security.state import load
from pytest_agog.stage.machine.binaries import nats_server
from tests.cli.conftest import Agog, Done

FORMS = ("passwords", "nkeys", "jwt")


def secrets_in(folder: Path) -> list[str]:
    """Everything that must not be seen."""
    state = load(folder)
    holders = [secret for one in state.users.values() for secret in (one.current, one.former) if secret is not None]
    found = [value for one in holders for value in (one.password, one.seed) if value]
    if state.authority is not None:
        found += [state.authority.operator, state.authority.account]
    return found


def quiet(done: Done, folder: Path) -> Done:
    """It has told no secret."""
    assert done.code == 0, done.err
    assert not [secret for secret in secrets_in(folder) if secret in done.out + done.err]
    return done


def accepted(configuration: Path) -> bool:
    """Whether nats-server takes it."""
    return (
        subprocess.run([nats_server(), "-t", "-c", configuration], capture_output=True, check=False, cwd="/").returncode
        == 0
    )


def documents(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "secrets.yaml").read_text()
    assert "Never commit" in text
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("form", FORMS)
def test_a_server_can_be_started_with_what_is_written(agog: Agog, tmp_path: Path, form: str) -> None:
    tls, folder = tmp_path / "tls", tmp_path / "with space" / "creds"
    assert agog("certs", tls, "--host", "localhost", "--host", "127.0.0.1").code == 0
    told = quiet(agog("creds", folder, "--form", form, "--tls", tls, "--json"), folder).json
    assert accepted(Path(told["files"]["server"]))
    assert set(told["users"]) == {"system", "agents", "jangar"}
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tls / "server-key.pem").stat().st_mode) == 0o600
    # The file of variables is for shells.
    shown = subprocess.run(
        ["sh", "-c", f"set -a; . '{told['users']['agents']['environment']}'; env"], capture_output=True, text=True,
        check=True, env={},
    ).stdout.splitlines()  # fmt: skip
    assert f"NATS_CA={tls / 'ca.pem'}" in shown
    assert any(line.startswith("NATS_URL=tls://") for line in shown)
    secret = Path(told["users"]["agents"]["secret"])
    assert secret.is_file()
    if form != "passwords":
        assert f"NATS_{'NKEY' if form == 'nkeys' else 'CREDS'}={secret}" in shown


@pytest.mark.parametrize("form", FORMS)
def test_a_change_has_two_steps(agog: Agog, tmp_path: Path, form: str) -> None:
    quiet(agog("creds", tmp_path, "--form", form), tmp_path)
    server = (tmp_path / "nats-server.conf").read_bytes()
    before = (tmp_path / "users.conf").read_bytes()
    first = secrets_in(tmp_path)
    told = quiet(agog("creds", tmp_path, "--rotate", "agents"), tmp_path)
    assert "SIGHUP" in told.out
    both = secrets_in(tmp_path)
    assert set(first) < set(both)
    assert agog("creds", tmp_path, "--rotate", "agents").code == 2
    quiet(agog("creds", tmp_path, "--retire", "agents"), tmp_path)
    assert len(secrets_in(tmp_path)) == len(first)
    assert accepted(tmp_path / "nats-server.conf")
    assert (tmp_path / "users.conf").read_bytes() != before
    assert (tmp_path / "nats-server.conf").read_bytes() == server, "it is the operator's to change"


@pytest.mark.parametrize("form", FORMS)
def test_secrets_of_kubernetes(agog: Agog, tmp_path: Path, form: str) -> None:
    words = ("--kubernetes", "--namespace", "messaging", "--mirror", "argo", "--mirror", "jangar")
    quiet(agog("creds", tmp_path, "--form", form, "--url", "nats://nats.messaging:4222", *words), tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600
    found = {one["metadata"]["name"]: one for one in documents(tmp_path)}
    assert set(found) == {"nats-system", "nats-agents", "nats-jangar"}
    for name, one in found.items():
        assert (one["apiVersion"], one["kind"], one["metadata"]["namespace"]) == ("v1", "Secret", "messaging")
        mirrored = one["metadata"].get("annotations", {})
        listed = mirrored.get("reflector.v1.k8s.emberstack.com/reflection-auto-namespaces")
        assert listed == (None if name == "nats-system" else "argo,jangar")
        data = {key: base64.b64decode(value).decode() for key, value in one["data"].items()}
        user = name.removeprefix("nats-")
        if form == "passwords":
            assert data["NATS_URL"] == f"nats://{user}:{data['NATS_PASSWORD']}@nats.messaging:4222"
        else:
            assert data["NATS_URL"] == "nats://nats.messaging:4222"
            key = f"{user}.nk" if form == "nkeys" else "user.creds"
            suffix = "nk" if form == "nkeys" else "creds"
            assert data[key] == (tmp_path / f"{user}.{suffix}").read_text()


def test_nothing_is_overwritten_unasked(agog: Agog, tmp_path: Path) -> None:
    quiet(agog("creds", tmp_path), tmp_path)
    first = secrets_in(tmp_path)
    refused = agog("creds", tmp_path)
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert secrets_in(tmp_path) == first
    quiet(agog("creds", tmp_path, "--form", "nkeys", "--force"), tmp_path)
    assert not (tmp_path / "agents.password").exists()
    assert agog("certs", tmp_path, "--host", "h").code == 0
    key = (tmp_path / "server-key.pem").read_bytes()
    assert agog("certs", tmp_path, "--host", "h").code == 2
    assert (tmp_path / "server-key.pem").read_bytes() == key
    assert agog("certs", tmp_path, "--host", "h", "--force").code == 0
    assert (tmp_path / "server-key.pem").read_bytes() != key


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("creds", "DIR", "--form", "tokens"), "passwords, nkeys, jwt"),
        (("creds", "DIR", "--rotate", "agents"), "agog creds"),
        (("creds", "DIR", "--rotate", "agents", "--retire", "agents"), "two steps"),
        (("creds", "DIR", "--rotate", "agents", "--form", "jwt"), "--form"),
        (("creds", "DIR", "--tls", "DIR"), "agog certs"),
        (("creds", "DIR", "--kubernetes", "--namespace", "Not/One"), "namespace"),
        (("creds", "DIR", "--kubernetes", "--mirror", "a,b"), "namespace"),
        (("creds", "DIR", "--namespace", "nats"), "--kubernetes"),
        (("creds", "DIR", "--mirror", "argo"), "--kubernetes"),
        (("creds", "DIR", "--url", ""), "no address of a NATS server"),
        (("creds", "DIR", "--url", "not a url"), "no address of a NATS server"),
        (("creds", "DIR", "--url", "http://nats:4222"), "http is none of nats, tls"),
        (("creds", "DIR", "--url", "nats://nats:port"), "no address of a NATS server"),
        (("creds", "DIR", "--url", "nats://a:4222,,nats://b:4222"), "no address of a NATS server"),
        (("creds", "DIR", "--url", "nats://me:mine@nats:4222"), "its own credentials"),
        (("certs", "DIR", "--host", "a b"), "cannot stand in a certificate"),
        (("certs", "DIR"), "--host"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(agog: Agog, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = agog(*(str(tmp_path / "x") if word == "DIR" else word for word in arguments))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert told in done.err
    assert not (tmp_path / "x").exists(), "nothing has been issued"


def test_a_namespace_is_copied_to_once(agog: Agog, tmp_path: Path) -> None:
    words = ("--kubernetes", "--namespace", "nats", "--mirror", "argo", "--mirror", "nats", "--mirror", "argo")
    quiet(agog("creds", tmp_path, *words), tmp_path)
    agents = next(one for one in documents(tmp_path) if one["metadata"]["name"] == "nats-agents")
    assert set(agents["metadata"]["annotations"].values()) == {"true", "argo"}


def test_a_wrong_namespace_does_not_rotate(agog: Agog, tmp_path: Path) -> None:
    quiet(agog("creds", tmp_path), tmp_path)
    before = secrets_in(tmp_path)
    assert agog("creds", tmp_path, "--rotate", "agents", "--kubernetes", "--namespace", "Bad_").code == 2
    assert secrets_in(tmp_path) == before


def test_hosts_stand_in_the_certificate(agog: Agog, tmp_path: Path) -> None:
    from cryptography import x509

    hosts = ["nats.example", "127.0.0.1", "::1", "*.nats.svc"]
    words = [word for host in hosts for word in ("--host", host)]
    made = agog("certs", tmp_path, *words, "--days", "30", "--json").json
    certificate = x509.load_pem_x509_certificate(Path(made["certificate"]).read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["nats.example", "*.nats.svc"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    authority = x509.load_pem_x509_certificate(Path(made["ca"]).read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days in (30, 31)
    assert json.dumps(made).count("PRIVATE") == 0
