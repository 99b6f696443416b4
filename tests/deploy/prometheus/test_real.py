"""A real Prometheus, with the shipped files, looks at the real services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.prometheus.lag_alert import drill
from tests.deploy.prometheus.scraping import (
    Prometheus,
    dashboard_queries,
    metric_names,
    need_prometheus,
    prometheus,
    until,
)
from tests.deploy.prometheus.system import System, system

FACTOR = 10.0
"""A minute of the rules is three seconds here."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Prometheus]]:
    need_prometheus()
    folder = tmp_path_factory.mktemp("prometheus")
    with system(folder) as whole, prometheus(folder / "prometheus", whole.targets, FACTOR) as scraping:
        until(scraping.scraped, "every target is scraped")
        yield whole, scraping


def test_every_series_of_dashboard_and_rules_is_there(running: tuple[System, Prometheus]) -> None:
    _, scraping = running
    names = metric_names()
    assert len(names) > 20

    def unseen() -> set[str]:
        return names - set(scraping.get("label/__name__/values"))

    until(lambda: not unseen(), f"the series {sorted(unseen())}", 20)


def test_every_query_of_the_dashboard_has_an_answer(running: tuple[System, Prometheus]) -> None:
    """Series of a name may be there, and yet none with the labels that a query names."""
    _, scraping = running
    queries = dashboard_queries()
    assert len(queries) > 20

    def unanswered() -> list[str]:
        return [one for one in queries if not scraping.query(one.replace("[1m]", f"[{60 / FACTOR:g}s]"))]

    until(lambda: not unanswered(), f"an answer to {unanswered()}", 20)


def test_lag_alert_fires_when_ingest_is_killed_and_clears(running: tuple[System, Prometheus]) -> None:
    whole, scraping = running
    drill(whole, scraping, minute=60 / FACTOR)


def test_lag_alert_fires_when_ingest_hangs(running: tuple[System, Prometheus], tmp_path: Path) -> None:
    import signal

    whole, scraping = running
    whole.comms.kill(signal.SIGSTOP)
    try:
        whole.publish(150, f"hanging-{tmp_path.name}")
        until(lambda: "AgogConsumerLag" in scraping.firing(), "the lag alert", 60)
    finally:
        whole.comms.kill(signal.SIGCONT)
    until(lambda: not scraping.firing(), "all alerts clear", 60)
