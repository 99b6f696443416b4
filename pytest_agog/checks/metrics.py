"""The claim `metrics`: a series that a service offers to Prometheus, and its value."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.evidence.telling import described, listed, short
from pytest_agog.ledger.answers import MetricsSeen, Sample
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import MetricsProbe
from pytest_agog.values import ABSENT, Bound, Strict, Where, plural

_SHOWN: Final = 8


def _texts(value: Any) -> Any:
    """Labels are texts, whatever YAML takes them for: `{le: 0.5}`."""
    if not isinstance(value, dict):
        return value
    return {key: f"{one:g}" if isinstance(one, float) else str(one) if type(one) is int else one
            for key, one in value.items()}  # fmt: skip


class MetricsArguments(Strict):
    """A series by its name and labels, and what its value must be."""

    url: Annotated[str, StringConstraints(pattern="^https?://")] | None = None
    """A whole URL; without it `/metrics` of comms, or else of the orchestrator, whichever has the series."""
    name: Annotated[str, StringConstraints(pattern="^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    """The series' name; a counter's with or without `_total`, a histogram's parts with `_count`, `_sum`, `_bucket`."""
    labels: Annotated[Where, BeforeValidator(_texts)] | None = None
    """Labels that it must have; it may have others."""
    value: Bound | None = None
    """Its value, of each one that matches; without it, it must be there and a number."""


def judge_metrics(ledger: Ledger, arguments: MetricsArguments) -> Verdict:
    """There is such a series, and each such series has the value. What is absent has none, not 0. [J26]"""
    expected = _expected(arguments)
    seen = ledger.answer(_probe(arguments).key, MetricsSeen)
    if seen is None:
        return nothing_to_judge(expected, "no metrics were read")
    if seen.reason:
        return failed(expected=expected, observed=f"no metrics: {short(seen.url)}: {short(seen.reason)}")
    found = [one for one in seen.series if _matches(one, arguments)]
    if not found:
        return failed(
            expected=expected, observed=f"there is no such series at {short(seen.url)}", nearest=_nearest(seen),
            evidence=_evidence(seen, list(seen.series)),
        )  # fmt: skip
    wrong = [one for one in found if not _holds(one, arguments.value)]
    told = "; ".join(_written(one) for one in (wrong or found)[:3])
    more = len(wrong or found) - 3
    observed = told + (f"; and {more} more" if more > 0 else "")
    return verdict(not wrong, expected=expected, observed=observed, evidence=_evidence(seen, wrong or found))


def _holds(sample: Sample, bound: Bound | None) -> bool:
    number = float(sample.value)
    if number != number:  # NaN satisfies nothing
        return False
    return bound is None or bound.holds(number)


def _matches(sample: Sample, arguments: MetricsArguments) -> bool:
    return all(pattern.holds(sample.labels.get(name, ABSENT)) for name, pattern in (arguments.labels or {}).items())


def _written(sample: Sample) -> str:
    labels = ",".join(f'{name}="{short(value)}"' for name, value in sorted(sample.labels.items()))
    number = float(sample.value)
    value = "NaN" if number != number else f"{number:.15g}"
    return f"{sample.name}{{{labels}}} {value}" if labels else f"{sample.name} {value}"


def _evidence(seen: MetricsSeen, samples: list[Sample]) -> list[Evidence]:
    if not samples:
        return []
    excerpt = "\n".join(_written(one) for one in samples[:_SHOWN])
    what = f"{short(seen.url)} · {plural(len(seen.series), 'series', 'series')} of that name"
    return [Evidence("metrics", None, what, excerpt, {"url": seen.url, "name": seen.name})]


def _nearest(seen: MetricsSeen) -> str:
    if seen.series:
        return f"of that name, with other labels: {'; '.join(_written(one) for one in seen.series[:3])}"
    return f"did you mean {listed(list(seen.close))}?" if seen.close else ""


def _expected(arguments: MetricsArguments) -> str:
    where = f" where {described(arguments.labels)}" if arguments.labels else ""
    value = f" is {arguments.value}" if arguments.value is not None else " is there, and a number"
    return f"series {short(arguments.name)}{where}{value}"


def _probe(arguments: MetricsArguments) -> MetricsProbe:
    return MetricsProbe(arguments.name, arguments.url)


def _vacuous(arguments: MetricsArguments) -> str | None:
    bound = arguments.value
    return f"value: {bound} holds for any number" if bound is not None and bound.cannot_fail else None


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "metrics",
        "A service offers a series to Prometheus, with the given value.",
        MetricsArguments,
        judge_metrics,
        "- id: counted\n"
        "  claim: Ingest counts what it stores\n"
        "  check: metrics\n"
        "  with: {name: agog_comms_ingested_total, value: {at_least: 200}}\n"
        "  within: 5s",
        probes=lambda arguments: (_probe(arguments),),
        # A value that something reached may be left again: lag grows and falls.
        growth_can_break=lambda arguments: arguments.value is not None and arguments.value.at_least is None,
        vacuous=_vacuous,
        kills=("comms.lag-without-unacked", "comms.series-appear-late"),
    ),
)
