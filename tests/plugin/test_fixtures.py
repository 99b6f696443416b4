"""The fixtures as users meet them: in plain and async tests, side by side, and when a test fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_agog import factories
from pytest_agog.session.addresses import Nats, Postgres
from pytest_agog.session.handles import DeliverableFixture, LedgerFixture, Player
from pytest_agog.stage.servers.nats import NatsServer
from tests.plugin.projects import MATRIX, ONE, Run

small_nats = factories.agog_nats_proc(max_payload=1_000_000, streams=False)
cluster = factories.agog_nats_proc(servers=3, streams=False)
SHARED = """\
from pytest_agog import factories

nats = factories.agog_nats_proc(scope="module")
postgres = factories.agog_postgres_proc(scope="session")

def test_one(nats, postgres):
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE shared (url text)")
        connection.execute("INSERT INTO shared VALUES (%s)", (nats.url,))

def test_two(nats, postgres):
    with postgres.connect() as connection:
        assert connection.execute("SELECT url FROM shared").fetchall() == [(nats.url,)]
"""
SCENARIO = """\
agog: 1
name: text
steps:
  - chain: {feature: search, turns: [{agent: cynthia, task: research}, {agent: sylvia, task: critique}]}
proof:
  - {id: notices, claim: Every notice leads to a report, check: notice, with: {resolves: true}}
  - {id: wrong, claim: There is a third spawn, check: message, with: {subject: test.z}}
"""


async def test_clients_belong_to_the_loop_of_the_test(agog_nats: Nats) -> None:
    client = await agog_nats.connect()
    stream = client.jetstream()
    ack = await stream.publish("results.roy.REQ-1", b"{}")
    assert (ack.stream, ack.seq) == ("RESULTS", 1)
    await client.close()


def test_a_server_is_killed_and_comes_back_with_its_data(
    agog_nats: Nats, agog_deliverables: DeliverableFixture
) -> None:
    published = agog_deliverables.sync.publish("cynthia", "research", "search", "# Research\n")
    assert isinstance(agog_nats.server, NatsServer)
    agog_nats.server.kill()
    assert not agog_nats.server.alive
    agog_nats.server.restart()
    assert agog_deliverables.sync.fetch("cynthia", "research", "search") == "# Research\n"
    assert published.url == "nats://agog.deliverables.cynthia.research.search"


async def test_the_engine_in_an_async_test(agog_deliverables: DeliverableFixture, agog_ledger: LedgerFixture) -> None:
    engine = await agog_deliverables.connect()
    await engine.publish("roy", "backend", "search", "# Backend\n")
    await engine.close()
    [message] = agog_ledger.messages("agog.deliverables.roy.>")
    assert (message.stream, message.sequence) == ("agog_features_backend", 1)


async def test_the_ledger_has_core_messages_too(agog_nats: Nats, agog_ledger: LedgerFixture) -> None:
    client = await agog_nats.connect()
    await client.publish("some.subject", b"x")
    await client.flush()
    await client.close()
    assert [message.stream for message in agog_ledger.messages("some.>")] == [None]
    assert agog_ledger.ledger.subjects() == ["some.subject"]


@pytest.mark.parametrize("text", ["a", "b"])
def test_each_test_has_a_database_of_its_own(agog_postgres: Postgres, text: str) -> None:
    with agog_postgres.connect() as connection:
        connection.execute("CREATE TABLE mine (text text)")
        connection.execute("INSERT INTO mine VALUES (%s)", (text,))
        assert connection.execute("SELECT text FROM mine").fetchall() == [(text,)]
        assert connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone() == (0,)


async def test_a_factory_with_options(small_nats: Nats) -> None:
    client = await small_nats.connect()
    assert client.max_payload == 1_000_000
    assert (await client.jetstream().account_info()).streams == 0
    await client.close()


def test_what_a_module_shares(run: Run) -> None:
    Path("test_shared.py").write_text(SHARED)
    assert run("test_shared.py", "-W", "error").parseoutcomes() == {"passed": 2}


def test_play_text(agog_play: Player) -> None:
    result = agog_play(SCENARIO)
    assert result.failure is None
    assert [(one.claim.id, one.verdict.outcome) for one in result.judgements] == [
        ("notices", "passed"), ("wrong", "failed"),
    ]  # fmt: skip
    assert len(result.ledger.messages("agog.deliverables.>")) == 2


async def test_play_a_file_beside_a_running_loop(agog_play: Player, agog_nats: Nats, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(ONE)
    client = await agog_nats.connect()
    result = await agog_play.playing(tmp_path / "one.yaml")
    assert [one.verdict.outcome for one in result.judgements] == ["passed", "passed"]
    await client.flush()
    await client.close()


def test_play_every_combination_of_a_matrix(agog_play: Player) -> None:
    assert [result.scenario.title for result in agog_play.all(MATRIX)] == ["sized[small]", "sized[large]"]
    small, _ = agog_play.load(MATRIX)
    assert agog_play(small).judgements[0].verdict.passed
    with pytest.raises(ValueError, match=r"the matrix makes 2 scenarios; play them with agog_play\.all"):
        agog_play(MATRIX)


async def test_a_cluster_has_addresses_that_any_client_takes(cluster: Nats) -> None:
    import nats

    client = await nats.connect(cluster.urls)
    assert (len(cluster.urls), client.is_connected) == (3, True)
    await client.close()


# --- what fixtures leave behind ---------------------------------------------------------------------------------------
FAILS = """\
from pathlib import Path

from pytest_agog.session.run import run_of

def test_fails(agog_nats, agog_postgres, agog_deliverables, agog_ledger, agog_play, request):
    agog_deliverables.sync.publish("cynthia", "research", "search", "# Research")
    Path("servers").write_text(f"{agog_nats.server.pid} {run_of(request.config).postgres().server.pid}")
    assert False
"""


def test_a_test_that_fails_leaves_nothing(run: Run) -> None:
    Path("test_fails.py").write_text(FAILS)
    assert run("test_fails.py", "-W", "error", "--basetemp=base").parseoutcomes() == {"failed": 1}
    servers = [int(word) for word in Path("servers").read_text().split()]
    assert [pid for pid in servers if psutil.pid_exists(pid)] == []
    assert [path.name for path in Path("base").iterdir() if path.name.startswith("agog-")] == []


# --- servers that run already -----------------------------------------------------------------------------------------
@pytest.fixture
def outside(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "outside") as server:
        yield server


NOPROC = """\
from pytest_agog import factories

agog_nats = factories.agog_nats_noproc()
agog_postgres = factories.agog_postgres_noproc()

async def test_nats(agog_nats, agog_ledger):
    assert agog_nats.server is None
    client = await agog_nats.connect()
    await client.publish("x.y", b"1")
    await client.flush()
    await client.close()
    assert len(agog_ledger.messages("x.y")) == 1

def test_postgres(agog_postgres):
    with agog_postgres.connect() as connection:
        assert connection.execute("SELECT count(*) FROM workflow_comms.agent_messages").fetchone() == (0,)
"""


def test_servers_that_run_already(run: Run, outside: NatsServer, agog_postgres: Postgres) -> None:
    Path("test_noproc.py").write_text(NOPROC)
    arguments = ["test_noproc.py", "-o", "asyncio_mode=auto", "--agog-postgres-dsn", agog_postgres.dsn]
    databases = names(agog_postgres)
    result = run(*arguments, f"--agog-nats-url={outside.url}", "-W", "error")
    assert result.parseoutcomes() == {"passed": 2}
    assert outside.alive
    assert names(agog_postgres) == databases


def names(postgres: Postgres) -> set[str]:
    with postgres.connect() as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'agog_test_%'").fetchall()
    return {str(name) for (name,) in found}


def test_no_address_is_told_with_the_remedy(run: Run) -> None:
    Path("test_noproc.py").write_text(NOPROC)
    result = run("test_noproc.py", "-o", "asyncio_mode=auto")
    assert set(result.parseoutcomes()) == {"errors"}
    result.stdout.fnmatch_lines_random([
        "*no NATS address: give agog_nats_noproc(url=*), --agog-nats-url or AGOG_NATS_URL",
        "*no Postgres address: give agog_postgres_noproc(dsn=*), --agog-postgres-dsn or AGOG_POSTGRES_DSN",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*Traceback*")


def test_fixtures_say_what_is_wrong_with_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGOG_BACKEND", "cloud")
    Path("test_one.py").write_text("def test_one(agog_nats): pass\n")
    result = run("test_one.py")
    assert result.parseoutcomes() == {"errors": 1}
    result.stdout.fnmatch_lines(["*--agog-backend=cloud: expected one of*"])


def test_a_run_without_scenarios_imports_next_to_nothing(run_apart: Run) -> None:
    Path("test_imports.py").write_text(
        "import sys\n"
        "def test_imports():\n"
        "    ours = {name for name in sys.modules if name.startswith('pytest_agog.')}\n"
        "    assert len(ours) < 15, ours\n"
        "    heavy = {'asyncio', 'pydantic', 'nats', 'psycopg', 'yaml', 'rich', 'httpx', 'concurrent.futures'}\n"
        "    assert not heavy & sys.modules.keys()\n"
    )
    plugins = [word for name in ("asyncio", "anyio", "xdist", "cacheprovider") for word in ("-p", f"no:{name}")]
    assert run_apart("test_imports.py", *plugins).parseoutcomes()["passed"] == 1
