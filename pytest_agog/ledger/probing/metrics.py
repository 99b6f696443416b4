"""Scrapes an address as Prometheus does, and keeps the series that a claim asks for."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.ledger.answers import MetricsSeen, Sample
from pytest_agog.ledger.probing.sites import Sites
from pytest_agog.masking import mask

if TYPE_CHECKING:
    import httpx

    from pytest_agog.ledger.probes import MetricsProbe

PATH: Final = "/metrics"
_LARGEST: Final = 16_000_000
_MOST: Final = 10_000
"""Series of one name. Of more, some would not be compared, and a claim about all would be no proof."""
_PATIENCE: Final = 5.0
"""Seconds for the whole answer, however it trickles in."""
_CLOSE: Final = 5
_ACCEPT: Final = {"Accept": "text/plain;version=0.0.4"}


def names_of(name: str) -> tuple[str, ...]:
    """What a series may be called: counters end in `_total`, and people leave that out."""
    return (name, name.removesuffix("_total") if name.endswith("_total") else f"{name}_total")


async def look(probe: MetricsProbe, sites: Sites, client: httpx.AsyncClient) -> MetricsSeen:
    """The series of the probe's name; without a URL at the first of the target's services that has it."""
    if probe.url is not None:
        return await _scrape(probe, client, probe.url, {})
    token = {"Authorization": f"Bearer {sites.token}"} if sites.token is not None else {}
    bases = [base for base in (sites.main, sites.orchestrator) if base is not None]
    answers: list[MetricsSeen] = []
    for base in bases:
        answers.append(await _scrape(probe, client, base.rstrip("/") + PATH, token))
        if answers[-1].series:
            return answers[-1]
    read = [answer for answer in answers if not answer.reason]
    none = MetricsSeen(probe.key, "", probe.name, reason="this play has no service with metrics")
    return (read or answers or [none])[-1 if not read else 0]


async def _scrape(
    probe: MetricsProbe, client: httpx.AsyncClient, url: str, headers: dict[str, str]
) -> MetricsSeen:  # fmt: skip
    shown = mask(url)

    def nothing(reason: str) -> MetricsSeen:
        return MetricsSeen(probe.key, shown, probe.name, reason=mask(reason))

    try:
        async with (
            asyncio.timeout(_PATIENCE),
            client.stream("GET", url, headers={**_ACCEPT, **headers}) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST:
                    return nothing(f"the answer is larger than {_LARGEST // 10**6} MB; not read")
    except TimeoutError:
        return nothing(f"no answer: it was not complete within {_PATIENCE:g} s")
    except Exception as error:  # whatever it is, it is what the claim is told
        return nothing(f"no answer: {' '.join(str(error).split()) or type(error).__name__}")
    if response.status_code != 200:
        return nothing(f"it answers with status {response.status_code}")
    try:
        # In a thread: hundreds of thousands of series take seconds, in which others go on observing.
        return await asyncio.to_thread(_seen, probe, shown, bytes(body))
    except (ValueError, KeyError, IndexError) as error:
        return nothing(f"this is no text that Prometheus reads: {error}")


def _seen(probe: MetricsProbe, url: str, body: bytes) -> MetricsSeen:
    samples = list(_samples(body.decode()))
    wanted = names_of(probe.name)
    found = [one for one in samples if one.name == wanted[0]] or [one for one in samples if one.name == wanted[1]]
    if len(found) > _MOST:
        told = f"{len(found)} series have that name; {_MOST} at most are compared"
        return MetricsSeen(probe.key, url, probe.name, reason=told)
    series = tuple(
        Sample(one.name, {mask(key): mask(value) for key, value in one.labels.items()}, repr(float(one.value)))
        for one in found
    )
    names = sorted({one.name for one in samples})
    parts = [name for name in names if name.startswith(f"{probe.name}_")]
    close = () if series else tuple([*parts, *difflib.get_close_matches(probe.name, names, _CLOSE)][:_CLOSE])
    return MetricsSeen(probe.key, url, probe.name, series, close)


def _samples(text: str) -> Iterator[Any]:
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(text):
        yield from family.samples
