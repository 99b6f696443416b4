"""Agent comms and the orchestrator as fixtures."""

from __future__ import annotations

import json
import sys

import httpx
import pytest

from pytest_agog import factories
from pytest_agog.session.addresses import Nats
from pytest_agog.session.components import Service

AGENT = (
    "import json, os, pathlib, sys; json.load(sys.stdin); "
    "pathlib.Path(os.environ['AGENT_OUTPUT_DIR'], 'deliverables', 'r.md').write_text('# Lots: built and tried.'); "
    "print(json.dumps({'agent': 'roy', 'req_number': os.environ['AGOG_REQUIREMENT'], 'status': 'COMPLETE', "
    "'deliverable': 'nats://' + os.environ['AGOG_SUBJECT'], 'summary': 'Built it'}))"
)
with_roy = factories.agog_orchestrator_proc(
    config={"agents": {"roy": {"run": [sys.executable, "-c", AGENT]}}, "orchestrator": {"review": False}}
)


@pytest.mark.usefixtures("agog_nats")
def test_comms_answers_and_comes_back(agog_comms: Service) -> None:
    assert httpx.get(f"{agog_comms.url}/readyz", trust_env=False).status_code == 200
    agog_comms.component.kill()
    agog_comms.component.restart()
    assert httpx.get(f"{agog_comms.url}/agents/general", trust_env=False).status_code == 200


async def test_an_orchestrator_has_work_done(with_roy: Service, agog_nats: Nats) -> None:
    client = await agog_nats.connect()
    done = await client.subscribe("agog.orchestration.events.workflow.completed")
    work = {"id": "REQ-1", "title": "Lots", "assignedAgent": "roy"}
    await client.jetstream().publish("integration.orchestrator.requirement", json.dumps(work).encode())
    message = await done.next_msg(timeout=30)
    assert json.loads(message.data)["reqNumber"] == "REQ-1"
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{with_roy.url}/api/orchestrator")).json()["completed"] == 1
    await client.close()


def test_without_settings_it_only_decides(agog_orchestrator: Service) -> None:
    assert httpx.get(f"{agog_orchestrator.url}/readyz", trust_env=False).json()["connected"] is True
