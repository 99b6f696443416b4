"""The report as text: complete, and nothing in it is obeyed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from pytest_agog.reference.operations.reporting import containers
from pytest_agog.reference.operations.reporting.markdown import escaped, markdown, summary
from pytest_agog.reference.operations.reporting.measuring import consumer, figures
from pytest_agog.reference.operations.reporting.model import (
    ConsumerSeen,
    Containers,
    ContainerSeen,
    Measured,
    MountSeen,
    Reached,
    Report,
    Streams,
    StreamSeen,
)
from pytest_agog.reference.operations.reporting.publishing import notice
from pytest_agog.wire.notices import check_size, parse

HOSTILE = "<img src=x onerror=alert(1)> | `x` [a](http://evil.example) @everyone *b* https://evil.example"
REPORT = Report(
    "2026-01-31T10:00:00Z",
    Containers((
        ContainerSeen("nats", "nats:2.10-alpine", "running", "healthy", 0, 0, cpu="1.2%", memory="20MiB / 1GiB"),
        ContainerSeen(
            "backend", HOSTILE, "exited", "", 137, 4,
            mounts=(MountSeen("backend", "bind", "/gone", "/work", writable=True, problem="its source is not there"),),
        ),
    )),
    (
        Reached("this host", "NATS (127.0.0.1:4222)", well=True),
        Reached("backend", "nats:4222", well=False, detail="refused"),
    ),
    Streams((StreamSeen("ERRORS", 3, 4096, 1, 3, (ConsumerSeen("orchestrator", 1, 2, 0),)),)),
    Measured((("connections", "3"),)),
    checks=(("streams", "ok", "all are there", ""),),
    compose=("compose.yaml:4: secret-in-file: x. y",),
)  # fmt: skip


def test_it_has_everything_that_a_report_must_have() -> None:
    text = markdown(REPORT)
    for heading in ("Container status", "Volume mounts", "Network connectivity", "NATS streams", "Performance metrics"):
        assert f"## {heading}\n" in text
    assert "| nats | nats:2.10-alpine | running | healthy | - | 0 |" in text
    assert "| 137 | 4 |" in text
    assert "its source is not there" in text
    assert "NOT reached: refused" in text
    assert "| ERRORS | orchestrator | 3 | 1 | 2 | 0 |" in text
    assert "1.2% | 20MiB / 1GiB" in text


def test_what_needs_somebody_is_told_first() -> None:
    assert len(REPORT.unwell) == 4
    assert summary(REPORT) == "1 of 2 containers run, 1 stream holds 3 messages. 4 things need somebody."


def test_one_thing_and_what_is_not_known_are_told_as_they_are() -> None:
    one = dataclasses.replace(
        REPORT, containers=Containers(reason="docker does not answer: is it running?."), streams=Streams(reason="away"),
        compose=(),
    )  # fmt: skip
    assert summary(one) == "Streams are not known. 1 thing needs somebody."
    assert "running?.\n" in markdown(one)


@pytest.mark.parametrize(
    ("told", "well"),
    [
        ({"HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}}, False),
        ({"Config": {"Healthcheck": {"Test": ["CMD", "true"]}, "Labels": {"com.docker.compose.service": "w"}}}, False),
        ({"Config": {"Healthcheck": {"Test": ["NONE"]}, "Labels": {"com.docker.compose.service": "job"}}}, True),
        ({"Config": {"Healthcheck": {"Test": ["CMD", "true"]}}}, True),
        ({"Config": {"Healthcheck": {"Test": ["CMD", "true"]},
                     "Labels": {"com.docker.compose.service": "web", "com.docker.compose.oneoff": "True"}}}, True),
    ],
)  # fmt: skip
def test_a_service_that_was_stopped_is_not_well_and_a_job_that_is_done_is(told: dict[str, Any], well: bool) -> None:
    ended = {"Status": "exited", "ExitCode": 0, "Health": {"Status": "healthy"}}
    seen = containers.parse({"Name": "/one", "State": ended, **told})
    assert (seen.is_well, seen.health) == (well, "")
    report = dataclasses.replace(REPORT, containers=Containers((seen,)), reached=(), compose=None)
    assert report.unwell == ([] if well else ["container one: exited, exit code 0, and it is to run on"])


def test_names_of_others_stay_text() -> None:
    text = markdown(REPORT)
    for active in ("<img", "](http", "`x`", "@everyone", "*b*", "https://evil"):
        assert active not in text
    row = next(line for line in text.splitlines() if line.startswith("| backend |") and "137" in line)
    assert row.count("|") == 7
    assert "\n" not in escaped("a\nb\x1b[31m\u202e")
    assert "\x1b" not in escaped("\x1b[31m")


def test_what_is_not_known_is_said() -> None:
    unknown = dataclasses.replace(
        REPORT, containers=Containers(reason="no engine"), streams=Streams(reason="NATS is away"), reached=(),
        measured=Measured(reason="it does not answer"), compose=None,
    )  # fmt: skip
    text = markdown(unknown)
    assert text.count("Not known: no engine.") == 2
    assert "Not known: NATS is away" in text
    assert "Of NATS not known: it does not answer." in text


def test_a_container_as_the_engine_tells_of_it() -> None:
    told = {
        "Id": "f00", "Name": "/shop-nats", "RestartCount": 2,
        "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "unhealthy"}},
        "Config": {"Image": "nats:2", "ExposedPorts": {"4222/tcp": {}, "9/udp": {}}},
        "NetworkSettings": {
            "Networks": {"b": {}, "a": {}},
            "Ports": {
                "4222/tcp": [{"HostIp": "0.0.0.0", "HostPort": "4223"}, {"HostIp": "::", "HostPort": "4223"}],
                "8222/tcp": None,
            },
        },
        "Mounts": [
            {"Type": "volume", "Name": "data", "Source": "/var/lib/x", "Destination": "/data", "RW": True},
            {"Type": "bind", "Source": "/nowhere/at/all", "Destination": "/etc/x", "RW": False},
        ],
    }  # fmt: skip
    seen = containers.parse(json.loads(json.dumps(told)), {"f00": ("0.5%", "1MiB")})
    assert (seen.name, seen.health, seen.restarts, seen.is_well) == ("shop-nats", "unhealthy", 2, False)
    assert (seen.networks, seen.listens, seen.published) == (("a", "b"), (4222, 8222), (("127.0.0.1", 4223, 4222),))
    assert [(mount.source, mount.writable, mount.problem) for mount in seen.mounts] == [
        ("data", True, ""), ("/nowhere/at/all", False, "its source is not there"),
    ]  # fmt: skip
    assert (seen.cpu, seen.memory) == ("0.5%", "1MiB")


def test_lag_counts_what_is_not_acknowledged() -> None:
    assert consumer({"name": "c", "num_pending": 2, "num_ack_pending": 3}).lag == 5


def test_figures_stand_without_their_documents() -> None:
    assert ("connections", "0 (0 since the start)") in figures({}, {})


def test_the_notice_is_small_and_names_what_needs_somebody() -> None:
    many = tuple(dataclasses.replace(REPORT.containers.found[1], name=f"agogsaas-container-{at}") for at in range(50))
    made = notice(
        dataclasses.replace(REPORT, containers=Containers(many)), "infra", "agog.deliverables.miki.devops.infra"
    )
    assert check_size(made.to_json()) <= 200
    assert parse(made.raw).deliverable == "nats://agog.deliverables.miki.devops.infra"
    assert made.raw["files_modified"] == []
    assert made.raw["containers_affected"][0] == "agogsaas-container-0"
    assert made.status == "COMPLETE"
