"""`agog doctor --report`: Miki's full report, printed or published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agog.cli.console import print_json, print_line, print_text
from pytest_agog.errors import Exit, ServiceError

if TYPE_CHECKING:
    from pytest_agog.cli.diagnosis import Finding
    from pytest_agog.reference.operations.reporting.model import Report


def report(
    nats_url: str,
    nats_creds: Path | None,
    postgres_dsn: str | None,
    *,
    findings: Sequence[Finding],
    monitor_url: str | None,
    project: str | None,
    compose: Sequence[Path],
    publish: str | None,
    as_json: bool,
) -> int:
    """Look, and print the report as Markdown or JSON; with `publish`, publish it and print the completion notice.

    Raises:
        BadInput: a compose file is none, or the feature cannot be part of a subject.
        ServiceError: it is to be published, and NATS is unreachable.
    """
    from pytest_agog.reference.operations.reporting.markdown import markdown

    verdicts = judged(compose) if compose else None

    async def work() -> tuple[Report, Any]:
        from pytest_agog.reference.operations.reporting import gathering, publishing

        link, why = await gathering.connected(nats_url, nats_creds)
        try:
            made = await gathering.gather(
                link, nats_url=nats_url, monitor_url=monitor_url, postgres=_address(postgres_dsn), project=project,
                why_no_link=why, compose=verdicts,
                checks=[(one.check, one.outcome, one.found, one.remedy) for one in findings],
            )  # fmt: skip
            if publish is None:
                return made, None
            if link is None:
                raise ServiceError(why)
            return made, await publishing.publish(link, made, publish)
        finally:
            if link is not None:
                await link.close()

    made, notice = asyncio.run(work())
    if notice is not None:
        print_line(notice.to_json())
    elif as_json:
        print_json(as_document(made))
    else:
        print_text(markdown(made))
    return Exit.CLAIM_FAILED if made.unwell else Exit.OK


def as_document(made: Report) -> dict[str, Any]:
    """The report for machines."""
    from dataclasses import asdict

    from pytest_agog.reference.operations.reporting.markdown import summary

    return {"ok": not made.unwell, "summary": summary(made), "unwell": made.unwell, **asdict(made)}


def judged(compose: Sequence[Path]) -> list[str]:
    """What the rules find in compose files, a line each; notes are left out."""
    from pytest_agog.cli.compose import read
    from pytest_agog.stacks.judging import judge

    return [one.one_line for one in judge(read(list(compose))).findings]


def _address(dsn: str | None) -> tuple[str, int] | None:
    """Host and port that a connection string names; None for a socket in a folder."""
    if dsn is None:
        return None
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except ProgrammingError:
        return None
    host = str(parts.get("host") or "127.0.0.1").split(",")[0]
    port = str(parts.get("port") or "5432").split(",")[0]
    return None if host.startswith("/") or not port.isdigit() else (host, int(port))
