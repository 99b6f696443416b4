"""What a restore meets: what is there already, streams that gather from others, added tables, odd names."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from nats.js.api import StreamSource

from pytest_agog.errors import (
    AgogError,
    RestoreRefused,
)
from pytest_agog.reference.deliverables.streams import init_streams
from tests.reference.operations.systems import (
    System,
    everything,
    filled,
    holds,
    init,
    tables,
)


async def test_nothing_is_overwritten_unasked(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    await init(there)
    await filled(there)
    before, rows = await everything(there.link), tables(there)
    with pytest.raises(RestoreRefused, match=r"stream RESULTS \(29 messages\).*schema workflow_comms"):
        await there.restore(tmp_path / "copy")
    assert (await everything(there.link), tables(there)) == (before, rows)
    await there.restore(tmp_path / "copy", force=True)
    assert await everything(there.link) == await everything(here.link)
    assert tables(there) == tables(here)


async def test_streams_and_tables_that_nobody_used_are_no_obstacle(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    await init(there)
    await init_streams(there.link)
    await there.restore(tmp_path / "copy")
    assert tables(there) == tables(here)


async def test_what_the_backup_does_not_hold_stays(tmp_path: Path, here: System, there: System) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    js = there.link.nc.jetstream()
    await js.add_stream(name="theirs", subjects=["theirs"])
    await js.publish("theirs", b"kept")
    await there.restore(tmp_path / "copy", force=True)
    assert (await js.get_msg("theirs", 1)).data == b"kept"


async def test_when_a_stream_cannot_come_back_postgres_stays_as_it_was(
    tmp_path: Path, here: System, there: System
) -> None:
    await filled(here)
    await here.backup(tmp_path / "copy")
    js = there.link.nc.jetstream()
    await js.add_stream(name="in_the_way", subjects=["results.roy.>"])
    await init(there)
    with pytest.raises(AgogError, match=r"RESULTS could not be restored .*Postgres is as it was"):
        await there.restore(tmp_path / "copy")
    assert there.rows("SELECT count(*) FROM workflow_comms.agent_messages") == [(0,)]


async def test_what_gathers_from_others_gathers_nothing_twice(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    await js.add_stream(name="ORIGIN", subjects=["origin.>"])
    await js.add_stream(name="GATHERS", sources=[StreamSource(name="ORIGIN")])
    await js.add_stream(name="MIRRORS", mirror=StreamSource(name="ORIGIN"))
    for number in range(5):
        await js.publish("origin.x", b"%d" % number)
    await holds(here.link, GATHERS=5, MIRRORS=5)
    contents = await here.backup(tmp_path / "copy")
    assert [each.name for each in contents.streams] == ["GATHERS", "MIRRORS", "ORIGIN"]
    for _ in range(2):  # on an empty server, and over what is there
        restored = await there.restore(tmp_path / "copy", force=True)
        assert [each.name for each in restored.streams] == ["ORIGIN", "GATHERS", "MIRRORS"]
        assert [each.anew for each in restored.streams] == [(), (), ()]
        # What comes next is gathered behind what is gathered again, if anything is.
        await there.link.nc.jetstream().publish("origin.x", b"next")
        await holds(there.link, GATHERS=6, MIRRORS=6)


async def test_an_origin_that_nothing_is_known_of_is_named(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    await js.add_stream(name="ORIGIN", subjects=["origin.>"])
    await js.add_stream(name="GATHERS", subjects=["own.>"], sources=[StreamSource(name="ORIGIN")])
    await js.publish("own.x", b"")
    await here.backup(tmp_path / "copy")
    restored = await there.restore(tmp_path / "copy")
    assert {each.name: each.anew for each in restored.streams} == {"ORIGIN": (), "GATHERS": ("ORIGIN",)}


async def test_tables_that_somebody_added_come_back_with_their_numbers(tmp_path: Path, here: System) -> None:
    """Odd names, partitions, and numbers that a sequence gives."""
    assert here.dsn is not None
    with psycopg.connect(here.dsn) as connection:
        connection.execute("""CREATE TABLE workflow_comms."odd "";../%me" (id serial PRIMARY KEY, "a b" text)""")
        connection.execute(
            """INSERT INTO workflow_comms."odd "";../%me" ("a b") VALUES (E'\\t\\n\\\\.'), (NULL), ('x')"""
        )
        connection.execute("CREATE TABLE workflow_comms.parted (k int) PARTITION BY RANGE (k)")
        connection.execute(
            "CREATE TABLE workflow_comms.part PARTITION OF workflow_comms.parted FOR VALUES FROM (0) TO (9)"
        )
        connection.execute("INSERT INTO workflow_comms.parted VALUES (3)")
    before = here.rows("""SELECT * FROM workflow_comms."odd "";../%me" ORDER BY id""")
    contents = await here.backup(tmp_path / "copy")
    rows = {table.name: table.rows for schema in contents.schemas for table in schema.tables}
    assert (rows["parted"], rows['odd ";../%me']) == (1, 3)
    restored = await here.restore(tmp_path / "copy", force=True)
    assert (restored.rows, restored.notes) == (sum(rows.values()), ())
    assert here.rows("""SELECT * FROM workflow_comms."odd "";../%me" ORDER BY id""") == before
    assert here.rows("SELECT k FROM workflow_comms.parted") == [(3,)]
    assert here.rows("""INSERT INTO workflow_comms."odd "";../%me" DEFAULT VALUES RETURNING id""") == [(4,)]


async def test_what_a_database_cannot_have_is_named_and_not_counted(
    tmp_path: Path, here: System, there: System
) -> None:
    assert here.dsn is not None
    with psycopg.connect(here.dsn) as connection:
        connection.execute("CREATE TABLE workflow_comms.extra (id serial)")
        connection.execute("INSERT INTO workflow_comms.extra DEFAULT VALUES")
    contents = await here.backup(tmp_path / "copy")
    restored = await there.restore(tmp_path / "copy")
    assert restored.rows == sum(table.rows for schema in contents.schemas for table in schema.tables) - 1
    assert restored.notes == ("workflow_comms.extra (1 row): this Postgres cannot have that table",)


async def test_odd_names_of_streams_go_and_come(tmp_path: Path, here: System, there: System) -> None:
    js = here.link.nc.jetstream()
    for number, name in enumerate(["ünï", "a%2Fb", "-rf", "~", "$odd", "x" * 200]):
        await js.add_stream(name=name, subjects=[f"odd.{number}"])
        await js.publish(f"odd.{number}", name.encode())
    await here.backup(tmp_path / "copy")
    await there.restore(tmp_path / "copy")
    assert await everything(there.link) == await everything(here.link)
