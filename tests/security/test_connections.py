"""Servers and clients that do not trust each other say so in one line with a remedy; no secret is sent in plain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agog.errors import (
    AgogError,
    CertificateRefused,
    CertificateUnreadable,
    CredentialsRefused,
    CredentialsUnreadable,
    NatsUnreachable,
    NkeyUnreadable,
    TlsMissing,
)
from pytest_agog.reference.deliverables.connecting import connect
from pytest_agog.reference.deliverables.credentials import Credentials, without_user
from pytest_agog.security import signing
from pytest_agog.security.certificates import certify
from pytest_agog.security.issuing import Form, issue
from pytest_agog.security.state import load
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.wire import users
from tests.security.conftest import Guarded


async def _told(url: str, environ: dict[str, str], creds: Path | None = None) -> AgogError:
    with pytest.raises(AgogError) as caught:
        await connect(url, credentials=Credentials.found(url, creds, environ))
    assert "\n" not in str(caught.value)
    return caught.value


async def test_each_user_has_its_own_inbox(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for user in ("system", "agents", "jangar"):
        async with guarded.linked(user) as link:
            assert link.nc.new_inbox().startswith(f"_INBOX_{user}.")
    assert caplog.text == ""


async def test_another_authority_is_not_trusted(guarded: Guarded, tmp_path: Path) -> None:
    other = certify(tmp_path / "other", ["127.0.0.1"])
    error = await _told(guarded.server.url, guarded.environment("agents") | {"NATS_CA": str(other.ca)})
    assert isinstance(error, CertificateRefused)
    assert "NATS_CA" in str(error)


async def test_without_an_authority_nothing_is_trusted(guarded: Guarded) -> None:
    environ = guarded.environment("agents")
    del environ["NATS_CA"]
    for url in (environ["NATS_URL"], environ["NATS_URL"].replace("tls://", "nats://")):
        error = await _told(url, environ)
        assert isinstance(error, CertificateRefused)
        assert "unable to get local issuer certificate" in str(error)


@pytest.mark.parametrize(
    ("hosts", "days", "reason"), [(["nats.example"], 1.0, "127.0.0.1"), (["127.0.0.1"], -1.0, "expired")]
)
async def test_a_certificate_of_another_name_or_time(
    tmp_path: Path, hosts: list[str], days: float, reason: str
) -> None:
    certificates = certify(tmp_path / "tls", hosts, days)
    with NatsServer(tmp_path / "nats", options=NatsOptions(security=certificates.server)) as server:
        error = await _told(server.url, {"NATS_CA": str(certificates.ca)})
    assert isinstance(error, CertificateRefused)
    assert reason in str(error)


async def test_a_server_without_tls_gets_no_credentials(tmp_path: Path, guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("passwords")
    with NatsServer(tmp_path / "plain", options=NatsOptions(security=guarded.issued.server)) as plain:
        identity = guarded.issued.identities["agents"]
        asked = plain.url.replace("nats://", "tls://")
        for url, environ in ((asked, {}), (plain.url, {"NATS_CA": str(guarded.certificates.ca)})):
            error = await _told(identity.url(url), environ)
            assert isinstance(error, TlsMissing)
            assert identity.password is not None
            assert identity.password not in str(error)
        # The server has seen a connection end, and no attempt to log in.
        assert "authentication" not in plain.log_tail().lower()


async def test_nobody_comes_in_without_credentials_or_with_wrong_ones(guarded: Guarded, tmp_path: Path) -> None:
    environ = {"NATS_CA": str(guarded.certificates.ca)}
    address = guarded.server.url
    assert isinstance(await _told(address, environ), CredentialsRefused)
    guess = address.replace("tls://", "tls://agents:guess@")
    error = await _told(guess, environ)
    assert isinstance(error, CredentialsRefused)
    assert "guess" not in str(error)
    other = issue(tmp_path / "others", guarded.issued.form).identities["agents"]
    assert isinstance(await _told(other.url(address), environ | other.environment()), CredentialsRefused)


async def test_a_jwt_that_has_ended(guard: Callable[[Form], Guarded], tmp_path: Path) -> None:
    guarded = guard("jwt")
    authority = load(guarded.folder).authority
    assert authority is not None
    key = signing.new_key("user")
    jwt = signing.user_jwt(
        signing.Key(authority.account.encode()), key.public, "agents", users.AGENTS.publish, users.AGENTS.subscribe,
        expires=1_700_000_000,
    )  # fmt: skip
    creds = tmp_path / "ended.creds"
    creds.write_text(signing.credentials(jwt, key.seed))
    error = await _told(guarded.server.url, {"NATS_CA": str(guarded.certificates.ca)}, creds)
    assert isinstance(error, CredentialsRefused)


async def test_files_that_are_none(guard: Callable[[Form], Guarded], tmp_path: Path) -> None:
    guarded = guard("nkeys")
    empty = tmp_path / "empty"
    empty.touch()
    account = tmp_path / "account.nk"
    account.write_text(signing.new_key("account").seed)
    url = guarded.server.url
    wrong: list[tuple[dict[str, str], type[AgogError], str]] = [
        ({"NATS_CA": str(tmp_path / "absent")}, CertificateUnreadable, "No such file"),
        ({"NATS_CA": str(empty)}, CertificateUnreadable, "no certificate"),
        ({"NATS_NKEY": str(empty)}, NkeyUnreadable, "no seed"),
        ({"NATS_NKEY": str(tmp_path / "absent")}, NkeyUnreadable, "No such file"),
        ({"NATS_NKEY": str(account)}, NkeyUnreadable, "not of a user"),
        ({"NATS_CREDS": str(empty)}, CredentialsUnreadable, "no user JWT"),
    ]
    for environ, kind, reason in wrong:
        error = await _told(url, environ)
        assert isinstance(error, kind), error
        assert reason in str(error)


async def test_a_server_that_is_away_is_unreachable_over_tls_too(guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("nkeys")
    environ = guarded.environment("agents")
    guarded.server.stop()
    assert isinstance(await _told(guarded.server.url, environ), NatsUnreachable)


async def test_a_link_outlives_a_restart_of_the_server(guarded: Guarded) -> None:
    async with guarded.linked("agents") as link:
        await link.request("$JS.API.STREAM.NAMES")
        await asyncio.to_thread(guarded.server.kill)
        await asyncio.to_thread(guarded.server.restart)
        assert b'"streams"' in (await link.request("$JS.API.STREAM.NAMES", within=30)).data


def test_what_the_environment_says() -> None:
    found = Credentials.found("nats://h", environ={"NATS_NKEY": "/x/agents.nk", "NATS_CA": "/ca"})
    assert (found.nkey, found.ca, found.user, found.inbox_prefix) == (
        Path("/x/agents.nk"), Path("/ca"), "agents", "_INBOX_agents",
    )  # fmt: skip
    # A URL with a user, and a file that is given, stand above the environment.
    shown = Credentials.found("nats://jangar-3:x@h", environ={"NATS_NKEY": "/x/agents.nk"})
    assert (shown.nkey, shown.inbox_prefix) == (None, "_INBOX_jangar")
    assert Credentials.found("nats://h", Path("/a.creds"), {"NATS_CREDS": "/b.creds"}).creds == Path("/a.creds")
    assert Credentials.found("nats://h", environ={"NATS_USER": "roy"}).inbox_prefix == "_INBOX"
    assert without_user("tls://a:b@h:1, token@h:2,h:3") == "tls://h:1,h:2,h:3"
