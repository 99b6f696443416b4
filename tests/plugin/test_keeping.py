"""`--agog-keep` leaves services up, and says where they are and how to end them."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pytest_agog.stage.connect import connect_nats
from tests.plugin.processes import Started, wait_until
from tests.plugin.projects import ONE

BOTH = ONE.replace("services: {nats: {streams: none}}", "services: {postgres: {}}").replace("name: one", "name: both")


@pytest.fixture(params=[[], ["-n", "1"]], ids=["alone", "in a worker"])
def run(project: Path, request: pytest.FixtureRequest) -> Iterator[Started]:
    (project / "both.yaml").write_text(BOTH)
    (project / "one.yaml").write_text(ONE)
    started = Started(project, "--agog-scenario=.", "--agog-keep", *request.param)
    yield started
    started.end()


def test_services_stay_and_can_be_ended(run: Started) -> None:
    output = run.output()
    assert run.process.returncode == 0
    told = output[output.index("left up by --agog-keep:") :]
    names = sorted(run.marked().values())
    assert (names.count("nats-server"), "postgres" in names) == (2, True)
    addresses = re.findall(r"nats://\S+", told)
    assert len(addresses) == 2

    async def reachable(url: str) -> None:
        client = await connect_nats(url)
        await client.close()

    for address in addresses:
        asyncio.run(reachable(address))
    dsn = re.search(r"postgresql://\S+", told)
    assert dsn is not None
    with psycopg.connect(dsn[0]) as connection:
        assert connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone() == (0,)
    command = re.search(r"end them with: (kill .*)", told)
    assert command is not None
    subprocess.run(["sh", "-c", command[1]], check=False)
    assert wait_until(lambda: not run.marked())
    # A server that was just ending may have written a file after `rm` had passed.
    subprocess.run(["sh", "-c", command[1].partition("; ")[2]], check=True)
    assert run.folders() == []
