"""The fact that answers what a service offers to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one moment."""

    name: str
    labels: dict[str, str]
    value: str
    """As a number is written; also `nan`, `inf` and `-inf`."""


@dataclass(frozen=True, slots=True)
class MetricsSeen:
    """The series of a name that an address tells of."""

    probe: str
    url: str
    """Masked; of several that were asked, the one that had the series, else the last."""
    name: str
    series: tuple[Sample, ...] = ()
    close: tuple[str, ...] = ()
    """Names that are like it, when there is none."""
    reason: str = ""
    """Why nothing could be read; empty when it could."""
    kind: Literal["metrics.seen"] = "metrics.seen"
