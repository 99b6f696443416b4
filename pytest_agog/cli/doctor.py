"""[X3] `agog doctor`: is everything there that the system needs, and if not, what to do about it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from pytest_agog.cli.console import print_json, print_line
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl, PostgresDsn
from pytest_agog.errors import Exit

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
    as_json: Json = False,
) -> int:
    """Look at NATS, JetStream, the streams, Postgres, ports and containers; each line comes with its remedy.

    Exit 3 when a service is unreachable, 1 when something required is wrong, 0 otherwise. Ports, containers and a
    Postgres that nobody named are notes: scenarios bring their own servers.

    Example: agog doctor --nats-url nats://127.0.0.1:4222 --postgres-dsn postgresql://postgres@127.0.0.1/agog
    """
    from pytest_agog.cli.diagnosis import diagnose

    findings = asyncio.run(diagnose(nats_url, nats_creds, postgres_dsn))
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
