"""Everything that the report tells of, looked at side by side. Looking changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import AgogError
from pytest_agog.reference.operations.reporting import containers, measuring, reaching
from pytest_agog.reference.operations.reporting.model import Report, Streams

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_agog.reference.deliverables.connecting import Link

_NATS_PORT: Final = 4222
_POSTGRES_PORT: Final = 5432


async def gather(
    link: Link | None,
    *,
    nats_url: str,
    monitor_url: str | None = None,
    postgres: tuple[str, int] | None = None,
    project: str | None = None,
    why_no_link: str = "",
    checks: Sequence[tuple[str, str, str, str]] = (),
    compose: Sequence[str] | None = None,
) -> Report:
    """The report as of now. Without `link` its streams are not known, because of `why_no_link`."""
    targets = reaching.addresses([("NATS", nats_url)], _NATS_PORT)
    if postgres is not None:
        targets.append(("Postgres", postgres[0], postgres[1] or _POSTGRES_PORT))
    monitor = monitor_url or measuring.monitor_of(nats_url)
    seen, measured, streams = await asyncio.gather(
        containers.look(project), measuring.measures(monitor), _streams(link, why_no_link)
    )
    here, across = await asyncio.gather(
        reaching.from_here([*targets, *reaching.published(seen.found)]), reaching.between(seen.found)
    )
    return Report(
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        seen, (*here, *across), streams, measured, tuple(checks), tuple(compose) if compose is not None else None,
    )  # fmt: skip


async def _streams(link: Link | None, why: str) -> Streams:
    return Streams(reason=why or "NATS is not connected") if link is None else await measuring.streams(link)


async def connected(nats_url: str, creds: Path | None) -> tuple[Link | None, str]:
    """A link to NATS, or None with the reason."""
    from pytest_agog.reference.deliverables.connecting import connect

    try:
        return await connect(nats_url, creds=creds), ""
    except AgogError as error:
        return None, str(error)
