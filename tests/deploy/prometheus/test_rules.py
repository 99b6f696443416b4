"""The shipped rules, configuration and dashboard, as Prometheus's own tools judge them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.deploy.prometheus.scraping import CONFIGURATION, DASHBOARD, RULES, faster, metric_names, need_prometheus


@pytest.fixture(autouse=True)
def _tools() -> None:
    need_prometheus()


def _promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_sound() -> None:
    _promtool("check", "rules", str(RULES))
    _promtool("check", "config", str(CONFIGURATION))


def test_alerts_fire_when_they_must_and_only_then() -> None:
    _promtool("test", "rules", str(RULES.with_suffix(".test.yml")))


@pytest.mark.parametrize(
    ("sound", "broken"),
    [
        (' + agog_nats_consumer_ack_pending{stream="agent-comms"}', ""),  # J25
        ("(max(agog_nats_monitor_up) or vector(0)) == 0", "max(agog_nats_monitor_up) == 0"),  # J26
        ('absent(up{job="agog-comms"}) or absent(up{job="agog-orchestrator"})', 'up{job="agog-comms"} == 0'),  # J26
        ("          ) > 0\n", "          ) > 1e9\n"),
    ],
    ids=["pending alone", "absent compared", "target absent compared", "stall though it is ingested"],
)
def test_broken_rules_are_seen(tmp_path: Path, sound: str, broken: str) -> None:
    text = RULES.read_text()
    assert sound in text
    (tmp_path / RULES.name).write_text(text.replace(sound, broken))
    test = tmp_path / RULES.with_suffix(".test.yml").name
    test.write_text(RULES.with_suffix(".test.yml").read_text())
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1


def test_a_faster_copy_differs_in_durations_alone() -> None:
    quick = faster(RULES.read_text(), 60)
    assert "for: 1000ms" in quick
    assert "[1000ms]" in quick
    assert "1m" not in quick.replace("1ms", "")
    assert quick.replace("1000ms", "1m") == RULES.read_text()


def test_every_panel_asks_for_something() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {"agog_nats_consumer_pending", "agog_comms_sse_errors_total"} <= metric_names()
