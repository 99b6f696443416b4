"""The drill: ingest is killed, messages wait, the lag alert fires; ingest is started, and it clears.

With the durations as they are shipped it takes some minutes: python -m tests.deploy.prometheus.lag_alert
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.deploy.prometheus.scraping import Prometheus, prometheus, until
from tests.deploy.prometheus.system import System, system


def drill(whole: System, scraping: Prometheus, minute: float) -> dict[str, float]:
    """Seconds until the alert fired after the kill, and until all was silent after the start.

    `minute` is how long a minute of the rules lasts here, in seconds.
    """
    whole.publish(150, "before")
    end = time.monotonic() + 2.5 * minute
    seen: set[str] = set()

    def observed() -> bool:
        seen.update(scraping.firing())
        return time.monotonic() > end

    until(observed, "a healthy system was observed", 3 * minute + 30)
    assert seen == set(), "alerts on a healthy system"
    whole.comms.kill()
    began = time.monotonic()
    whole.publish(150, f"waiting-{began}")
    until(lambda: "AgogConsumerLag" in scraping.firing(), "the lag alert", 2 * minute + 60)
    fired = time.monotonic() - began
    assert scraping.query('agog:consumer_lag{stream="agent-comms"}')[0]["value"][1] == "150"
    whole.comms.start()
    began = time.monotonic()
    until(lambda: "AgogConsumerLag" not in scraping.states(), "the lag alert clears", 2 * minute + 60)
    cleared = time.monotonic() - began
    until(lambda: not scraping.firing(), "all alerts clear", 3 * minute + 60)
    return {"fired": fired, "cleared": cleared, "silent": time.monotonic() - began}


def main() -> None:
    """The drill with real minutes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        system(Path(folder)) as whole,
        prometheus(Path(folder) / "prometheus", whole.targets, 1) as scraping,
    ):
        until(scraping.scraped, "every target is scraped")
        print({name: round(seconds, 1) for name, seconds in drill(whole, scraping, 60).items()})  # noqa: T201


if __name__ == "__main__":
    main()
