"""[X3] `agog doctor`: is everything there that the system needs, and if not, what to do about it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pytest_agog.cli.console import print_json, print_line
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl, PostgresDsn
from pytest_agog.errors import Exit, UsageError

if TYPE_CHECKING:
    from pytest_agog.cli.diagnosis import Finding

_MARKS = {"ok": ("✓", "green"), "failed": ("✗", "red"), "unreachable": ("✗", "red"), "note": ("-", "yellow")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    postgres_dsn: PostgresDsn = None,
    full: Annotated[
        bool,
        typer.Option("--report", help="The full report in Markdown: containers, mounts, network, streams, metrics."),
    ] = False,
    publish: Annotated[
        str | None, typer.Option(metavar="FEATURE", help="Publish the report as Miki's deliverable; prints the notice.")
    ] = None,
    compose: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Judge this compose file in the report; repeatable.")
    ] = None,
    project: Annotated[str | None, typer.Option(help="Containers of this compose project only.")] = None,
    nats_monitor_url: Annotated[
        str | None, typer.Option(metavar="URL", help="NATS monitoring; port 8222 of the server's host by default.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Look at NATS, JetStream, the streams, Postgres, ports and containers; each line comes with its remedy.

    Exit 3 when a service is unreachable, 1 when something required is wrong, 0 otherwise. Ports, containers and a
    Postgres that nobody named are notes: scenarios bring their own servers.

    With --report also at containers, mounts, connections, consumers and resource use; exit 1 when anything is wrong.

    Example: agog doctor --nats-url nats://127.0.0.1:4222 --postgres-dsn postgresql://postgres@127.0.0.1/agog
    """
    from pytest_agog.cli.diagnosis import diagnose

    if not full and (publish or compose or project or nats_monitor_url):
        raise UsageError("--publish, --compose, --project and --nats-monitor-url belong to the report. Add --report.")
    findings = asyncio.run(diagnose(nats_url, nats_creds, postgres_dsn))
    if full:
        from pytest_agog.cli.reporting import report

        return report(
            nats_url, nats_creds, postgres_dsn, findings=findings, monitor_url=nats_monitor_url, project=project,
            compose=compose or (), publish=publish, as_json=as_json,
        )  # fmt: skip
    code = _exit_code(findings)
    if as_json:
        print_json({
            "ok": code == Exit.OK,
            "checks": [
                {"check": f.check, "outcome": f.outcome, "found": f.found, "remedy": f.remedy or None} for f in findings
            ],
        })  # fmt: skip
    else:
        for finding in findings:
            _print(finding)
    return code


def _exit_code(findings: list[Finding]) -> Exit:
    outcomes = {finding.outcome for finding in findings}
    if "unreachable" in outcomes:
        return Exit.UNREACHABLE
    return Exit.CLAIM_FAILED if "failed" in outcomes else Exit.OK


def _print(finding: Finding) -> None:
    text = f"{finding.check}: {finding.found}"
    if finding.remedy and not finding.found.endswith((".", finding.remedy)):
        text += "."
    if finding.remedy:
        text += f" {finding.remedy}"
    mark, colour = _MARKS[finding.outcome]
    if not sys.stdout.isatty():
        print_line(f"[{finding.outcome}] {text}")
        return
    from rich.console import Console
    from rich.text import Text

    from pytest_agog.report.text import one_line

    Console().print(Text.assemble((mark, colour), " ", one_line(text)))
