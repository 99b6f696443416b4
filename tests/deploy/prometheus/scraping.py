"""A real Prometheus for tests, with the shipped configuration and rules, made faster by a factor."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/prometheus/agog-rules.yml"
CONFIGURATION = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD = ROOT / "deploy/grafana/agog.json"
REMEDY = "install Prometheus, which brings promtool (Debian: apt-get install prometheus)"


def need_prometheus() -> None:
    """Skip or fail the test that runs on a machine without Prometheus."""
    lacking = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if not lacking:
        return
    told = f"{' and '.join(lacking)} is not on the path; {REMEDY}"
    if "prometheus" in re.split(r"[,\s]+", os.environ.get("AGOG_REQUIRE", "")):
        pytest.fail(told)
    pytest.skip(told)


def faster(rules: str, factor: float) -> str:
    """The shipped rules with every duration divided by `factor`; nothing else is changed."""

    def shorter(found: re.Match[str]) -> str:
        seconds = float(found[2]) * {"s": 1, "m": 60, "h": 3600}[found[3]]
        return f"{found[1]}{max(1, round(seconds * 1000 / factor))}ms{found[4]}"

    return re.sub(r"(\[|for: )(\d+)([smh])(\]|$)", shorter, rules, flags=re.MULTILINE)


class Prometheus:
    """Runs, and answers questions."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **asked: str) -> Any:
        query = f"?{urllib.parse.urlencode(asked)}" if asked else ""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        return list(self.get("query", query=expression)["result"])

    def firing(self) -> set[str]:
        return {one["labels"]["alertname"] for one in self.get("alerts")["alerts"] if one["state"] == "firing"}

    def states(self) -> dict[str, str]:
        return {one["labels"]["alertname"]: one["state"] for one in self.get("alerts")["alerts"]}

    def scraped(self) -> bool:
        """Whether every target answered, and every rule was looked at."""
        targets = self.get("targets")["activeTargets"]
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        return (
            bool(targets)
            and all(one["health"] == "up" for one in targets)
            and all(not one["lastEvaluation"].startswith("0001") for one in rules)
        )


def until(condition: Callable[[], bool], what: str, patience: float = 60.0) -> None:
    """Poll from outside what nothing notifies of."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {patience:g} s: {what}")


@contextmanager
def prometheus(folder: Path, targets: dict[str, str], factor: float) -> Iterator[Prometheus]:
    """Scrapes `targets` (job to address) by the shipped files, `factor` times as fast."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = CONFIGURATION.read_text()
    for job, address in targets.items():
        configuration = re.sub(
            rf"(job_name: {job}\b.*?targets: \[\")[^\"]*", rf"\g<1>{address}", configuration, flags=re.DOTALL
        )
    interval = round(5000 / factor)
    configuration = configuration.replace("_interval: 5s", f"_interval: {interval}ms")
    (folder / "prometheus.yml").write_text(configuration)
    (folder / RULES.name).write_text(faster(RULES.read_text(), factor))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", "--query.lookback-delta=30s",
        ],
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    one = Prometheus(f"http://127.0.0.1:{port}")

    def up() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            with urllib.request.urlopen(f"{one.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until(up, "Prometheus is ready")
        yield one
    finally:
        process.kill()
        process.wait()
        log.close()


def dashboard_queries() -> list[str]:
    """What the dashboard's panels ask."""
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def metric_names() -> set[str]:
    """All series that dashboard and rules ask for, and Prometheus does not make itself."""
    return set(re.findall(r"\b(?:agog|process)_\w+", " ".join([*dashboard_queries(), _expressions()])))


def _expressions() -> str:
    import yaml

    groups = yaml.safe_load(RULES.read_text())["groups"]
    return " ".join(rule["expr"] for group in groups for rule in group["rules"])
