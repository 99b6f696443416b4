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
        (" + agog_nats_consumer_ack_pending", ""),  # J25
        ("max by (stream, consumer) (", "sum by (stream, consumer) ("),
        ("max by (stream, consumer) (", "min by (stream, consumer) ("),
        (', consumer="jangar-agent-comms"} > 0\n            unless', "} > 0\n            unless"),
        ("> 0\n            unless", ">= 0\n            unless"),
        ("> 0\n            unless", "> 1\n            unless"),
        ('max(up{job="agog-comms"}) == 0', 'min(up{job="agog-comms"}) == 0'),
        ('max(up{job="agog-comms"}) == 0', 'max(up{job="agog-comms"}) == 2'),
        ("            unless on () agog:consumer_lag{", "            and on () agog:consumer_lag{"),
        ('agog_part_up{part!="listener"}', "agog_part_up"),
        (
            '          or min by (part) (agog_part_up{part="listener"}) == 0',
            '          or min by (part) (agog_part_up{part="listener"}) == 2',
        ),
        ("sum(agog_orchestrator_queue_depth) > 0", "sum(agog_orchestrator_queue_depth) >= 0"),
        ("0.3 * delta", "0.0001 * delta"),
        ("0.3 * delta", "10 * delta"),
        ("0.3 * delta", "0.3 * increase"),
        ("total[20s]", "total[1m]"),
        (" or 0.1 * delta(agog_nats_stream_published_total[1m])", ""),
        ("unless on (stream, consumer) (", "and on (stream, consumer) ("),  # J26
        ("for: 40s", "for: 30s"),
        ("for: 40s", "for: 1m"),
        (', consumer="jangar-agent-comms"}[1m]', "}[1m]"),
        ("          ) > 0\n", "          ) > 1e9\n"),
        ("            + sum(rate(agog_comms_rejected_total[1m]))\n", ""),
        ("            + sum(rate(agog_comms_duplicates_total[1m]))\n", ""),
        ("          + sum by (job) (rate(agog_comms_duplicates_total[1m]))", "          "),
        ("> 0.05", "> 0.03"),
        ("> 0.05", "> 0.5"),
        ("(rate(agog_comms_sse_errors_total[1m])) > 0", "(agog_comms_sse_errors_total) > 0"),
        ('min by (part) (agog_part_up{part!="listener"})', 'max by (part) (agog_part_up{part!="listener"})'),
        ('(agog_part_up{part!="listener"}) == 0', '(agog_part_up{part!="listener"}) != 1'),
        ("          max(agog_nats_monitor_up) == 0\n          or absent(", "          absent("),
        ("max(agog_nats_monitor_up)", "min(agog_nats_monitor_up)"),
        ('consumer="jangar-agent-comms"} >= 0)', 'consumer="jangar-agent-comms"})'),
        ("          or absent(agog:consumer_lag", "          or (0 == agog:consumer_lag"),  # J26
        ('absent(up{job="agog-comms"}) or absent(up{job="agog-orchestrator"})', 'up{job="agog-comms"} == 0'),  # J26
    ],
)
def test_broken_rules_are_seen(tmp_path: Path, sound: str, broken: str) -> None:
    text = RULES.read_text()
    assert text.count(sound) == 1
    (tmp_path / RULES.name).write_text(text.replace(sound, broken))
    test = tmp_path / RULES.with_suffix(".test.yml").name
    test.write_text(RULES.with_suffix(".test.yml").read_text())
    done = subprocess.run(["promtool", "test", "rules", str(test)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 1


def test_a_faster_copy_differs_in_durations_alone() -> None:
    text = RULES.read_text()
    quick = faster(text, 60)
    assert quick.count("for: 1000ms") == text.count("for: 1m") > 0
    assert quick.count("for: 667ms") == text.count("for: 40s") > 0
    assert quick.count("[1000ms]") == text.count("[1m]") > 0
    assert quick.count("[333ms]") == text.count("[20s]") > 0
    assert quick.replace("1000ms", "1m").replace("667ms", "40s").replace("333ms", "20s") == text


def test_every_panel_asks_for_something() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert {"agog_nats_consumer_pending", "agog_comms_sse_errors_total"} <= metric_names()
