"""Servers that ask who connects, in every form of credentials, in plain and over TLS; and what is said of others'."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pytest_agog.errors import CertificateRefused, CredentialsRefused, TlsMissing, UsageError
from pytest_agog.ledger.access import Access, given
from pytest_agog.scenario.model import NatsService
from pytest_agog.stage.connect import close_nats, connect_nats
from pytest_agog.stage.servers.cluster import NatsCluster
from pytest_agog.stage.servers.guarding import Guard, external, guarded
from pytest_agog.stage.servers.nats import NatsOptions, NatsServer
from pytest_agog.stage.target.targets import REFERENCE
from pytest_agog.wire.users import USERS

FORMS = ("passwords", "nkeys", "jwt")


def known(guard: Guard, user: str, addresses: str) -> Access:
    found = guard.access(user, addresses)
    assert found is not None
    return found


async def comes_in(access: Access) -> None:
    await close_nats(await connect_nats(access.addresses, access=access))


@pytest.mark.parametrize("form", FORMS)
async def test_each_user_comes_in_and_nobody_else(form: str, tmp_path: Path) -> None:
    guard = guarded(
        NatsService.model_validate({"auth": "accounts", "credentials": form, "tls": True}), tmp_path / "secrets"
    )
    with NatsServer(tmp_path / "nats", NatsOptions(security=guard.server)) as server:
        assert server.url.startswith("tls://")
        for user in USERS:
            await comes_in(known(guard, user.name, server.url))
        with pytest.raises(CredentialsRefused):
            await comes_in(Access(server.url, ca=guard.ca))
        with pytest.raises(CertificateRefused):
            await comes_in(Access(server.url, user="system", password="guessed"))
        assert guard.access("stranger", server.url) is None
        await REFERENCE.prepare_streams(known(guard, "system", server.url))
        engine = await REFERENCE.deliverables(known(guard, "agents", server.url), None)
        published = await engine.publish("roy", "backend", "search", "# Report")
        assert await engine.require(published.url) == "# Report"
        await engine.close()


async def test_three_servers(tmp_path: Path) -> None:
    guard = guarded(NatsService(auth="accounts", credentials="jwt", tls=True), tmp_path / "secrets")
    with NatsCluster(tmp_path / "nats", NatsOptions(security=guard.server)) as cluster:
        for server in cluster.servers:
            await comes_in(known(guard, "agents", server.url))
        await REFERENCE.prepare_streams(known(guard, "system", cluster.url), 3)


async def test_nothing_is_sent_in_plain_to_a_server_that_was_to_speak_tls(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server, pytest.raises(TlsMissing):
        await comes_in(Access(server.url.replace("nats://", "tls://"), user="system", password="secret"))


def test_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    guard = guarded(NatsService(auth="accounts", credentials="nkeys", tls=True), tmp_path / "secrets")
    with NatsServer(tmp_path / "nats", NatsOptions(security=guard.server)):
        files = [tmp_path / "nats" / "nats.conf", *(tmp_path / "secrets").rglob("*.nk")]
        assert len(files) == 1 + len(USERS)
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_what_commands_find(tmp_path: Path) -> None:
    access = Access("nats://a:1,nats://b:2", user="agents", password="p@ss", ca=tmp_path / "ca.pem")
    assert access.url == "nats://agents:p%40ss@a:1,nats://agents:p%40ss@b:2"
    assert access.environment() == {
        "NATS_CA": str(tmp_path / "ca.pem"), "NATS_USER": "agents", "NATS_INBOX_PREFIX": "_INBOX_agents"
    }  # fmt: skip
    assert "p@ss" not in repr(access)
    assert given("nats://127.0.0.1:4222").environment() == {}


def test_a_foreign_server_with_accounts_needs_credentials_that_nobody_gave() -> None:
    with pytest.raises(UsageError, match=r"services.nats.auth.*is external.*--agog-backend=embedded"):
        external(NatsService(auth="accounts"), "nats://u:secret@nats.example:4222", None)
    with pytest.raises(UsageError, match=r"no tls:// address"):
        external(NatsService(tls=True), "nats://nats.example:4222", None)
    open_one = external(NatsService(), "nats://system:pw@nats.example:4222", None)
    assert known(open_one, "agents", "").url == "nats://system:pw@nats.example:4222"
