"""A credential is changed while its user publishes all the time: nothing is lost, at last the old one is refused."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agog.errors import CredentialsRefused
from pytest_agog.reference.deliverables.connecting import Link
from pytest_agog.reference.deliverables.streams import init_streams
from pytest_agog.security.certificates import certify
from pytest_agog.security.issuing import Form
from pytest_agog.security.rotating import NothingToRetire, StillBoth, UnknownUser, retire, rotate
from pytest_agog.security.state import NothingIssued
from tests.security.conftest import PATIENCE, Guarded
from tests.security.test_parts import agog

SUBJECT = "argo.workflow.ns.flow.uid-1.agent.roy.message"


class Publisher:
    """Publishes one numbered message after the other, each with its PubAck, on whatever link it has."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.acked = 0
        self._stop = False

    async def run(self) -> None:
        while not self._stop:
            # What was in flight when the connection ended is sent again: the id keeps it from being stored twice.
            body, headers = b'{"id": "%d", "content": "x"}' % self.acked, {"Nats-Msg-Id": str(self.acked)}
            link = self.link
            try:
                answer = await link.request(SUBJECT, body, headers, within=PATIENCE)
            except CredentialsRefused:
                if link is self.link:
                    raise
                continue  # it was in flight on the link that was replaced meanwhile
            assert b'"stream":"agent-comms"' in answer.data, answer.data
            self.acked += 1

    def stop(self) -> None:
        self._stop = True

    async def goes_on(self) -> None:
        """It has published more from now on."""
        wanted = self.acked + 20
        async with asyncio.timeout(PATIENCE):
            while self.acked < wanted:  # noqa: ASYNC110 - it has better things to do than to tell
                await asyncio.sleep(0.005)


async def _refused(guarded: Guarded, environment: dict[str, str]) -> CredentialsRefused:
    """Poll until the server has read its configuration; nothing tells."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                link = await guarded.link("agents", environment)
            except CredentialsRefused as error:
                return error
            await link.close()
            await asyncio.sleep(0.02)


async def _let_in(guarded: Guarded, environment: dict[str, str]) -> Link:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await guarded.link("agents", environment)
            except CredentialsRefused:
                await asyncio.sleep(0.02)


async def test_nothing_is_lost(guarded: Guarded, tmp_path: Path) -> None:
    old = guarded.environment("agents")
    for name in ("NATS_NKEY", "NATS_CREDS"):
        if name in old:  # the file itself changes; here is what somebody has kept
            old[name] = str(shutil.copy(old[name], tmp_path / Path(old[name]).name))
    async with guarded.linked("system") as system:
        await init_streams(system)
        publisher = Publisher(await guarded.link("agents"))
        work = asyncio.create_task(publisher.run())
        await publisher.goes_on()

        issued = rotate(guarded.folder, "agents")
        guarded.reload(issued)
        fresh = await _let_in(guarded, guarded.environment("agents", issued))
        await publisher.goes_on()
        still = await guarded.link("agents", old)  # both are valid
        await still.close()
        if guarded.issued.form == "passwords":
            # A URL stands in an environment: its user is started anew. A file is read with each connection.
            publisher.link, fresh = fresh, publisher.link

        ended = retire(guarded.folder, "agents")
        guarded.reload(ended)
        refusal = await _refused(guarded, old)
        await publisher.goes_on()
        publisher.stop()
        await work
        assert "refused the credentials" in str(refusal)
        stored = (await system.request("$JS.API.STREAM.INFO.agent-comms", b'{"subjects_filter": ">"}')).data
        assert f'"messages":{publisher.acked},'.encode() in stored
        await publisher.link.close()
        await fresh.close()


async def test_a_link_takes_the_certificate_of_a_new_authority(guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("nkeys")
    async with guarded.linked("system") as system, guarded.linked("agents") as agents:
        await init_streams(system)
        await agents.request(SUBJECT, b'{"id": "before", "content": "x"}')
        former = guarded.certificates.ca.read_bytes()
        certify(guarded.certificates.ca.parent, ["localhost", "127.0.0.1"])
        assert guarded.certificates.ca.read_bytes() != former
        guarded.server.restart()
        for link in (agents, system):  # both had verified the server by the former authority
            assert b"agent-comms" in (await link.request(SUBJECT, b'{"id": "a", "content": "x"}', within=PATIENCE)).data


async def test_with_both_authorities_nobody_is_refused_in_between(guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("nkeys")
    ca = guarded.certificates.ca
    environment = guarded.whole_environment("system")
    words = ["certs", str(ca.parent), "--host", "localhost", "--host", "127.0.0.1", "--renew"]
    assert (await asyncio.to_thread(agog, environment, *words)).returncode == 0
    assert ca.read_bytes().count(b"BEGIN CERTIFICATE") == 2
    async with guarded.linked("agents"):  # the server still shows the former certificate
        pass
    guarded.server.restart()
    async with guarded.linked("agents"):
        pass
    assert (await asyncio.to_thread(agog, environment, *words)).returncode == 0
    assert ca.read_bytes().count(b"BEGIN CERTIFICATE") == 2, "only the newest of the former ones is kept"
    assert (await asyncio.to_thread(agog, environment, *words[:-1], "--force")).returncode == 0
    assert ca.read_bytes().count(b"BEGIN CERTIFICATE") == 1


async def test_who_keeps_the_old_password_is_told(guard: Callable[[Form], Guarded]) -> None:
    guarded = guard("passwords")
    async with guarded.linked("agents") as link:
        await link.request("$JS.API.STREAM.NAMES")
        rotate(guarded.folder, "agents")
        guarded.reload(retire(guarded.folder, "agents"))
        link.timeout = 1.0
        with pytest.raises(CredentialsRefused, match="refused the credentials"):
            await asyncio.wait_for(_ask_on(link), PATIENCE)


async def _ask_on(link: Link) -> None:
    """Until the server has read its configuration."""
    while True:
        await link.request("$JS.API.STREAM.NAMES")


def test_wrong_use_is_told(guarded: Guarded, tmp_path: Path) -> None:
    with pytest.raises(NothingToRetire, match="--rotate agents"):
        retire(guarded.folder, "agents")
    with pytest.raises(UnknownUser, match="system, agents, jangar"):
        rotate(guarded.folder, "root")
    with pytest.raises(NothingIssued, match="agog creds"):
        rotate(tmp_path, "agents")
    rotate(guarded.folder, "agents")
    with pytest.raises(StillBoth, match="--retire agents"):
        rotate(guarded.folder, "agents")


def test_a_broken_file_does_not_tell_its_secrets(guarded: Guarded) -> None:
    file = guarded.folder / "issued.json"
    secret = guarded.issued.identities["agents"].password or "S"
    file.write_text(file.read_text().replace('"login": "agents"', '"login": 7'))
    with pytest.raises(NothingIssued) as caught:
        rotate(guarded.folder, "agents")
    assert "users.agents" in str(caught.value)
    assert secret == "S" or secret not in str(caught.value)
