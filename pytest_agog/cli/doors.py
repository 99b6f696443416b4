"""Options of the services that listen with HTTP: who may come in, and how often."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    import asyncio

    from pytest_agog.reference.doors.settings import DoorSettings

TOKEN: Final = "AGOG_HTTP_TOKEN"  # noqa: S105 - its name, not the token
VARIABLES: Final = (
    TOKEN, "AGOG_HTTP_TOKEN_FILE", "AGOG_HTTP_RATE_LIMIT", "AGOG_HTTP_READERS", "AGOG_HTTP_ALL_READERS",
    "AGOG_HTTP_TRUSTED_PROXIES", "AGOG_HTTP_OPEN_METRICS",
)  # fmt: skip
"""What these options are called in the environment. The token itself stands nowhere else, or in a file."""

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="AGOG_HTTP_TOKEN_FILE",
        help="File of tokens, one a line; HTTP then demands one. Read again when it changes. Or AGOG_HTTP_TOKEN.",
    ),
]
RateLimit = Annotated[
    str | None,
    typer.Option(
        "--rate-limit", envvar="AGOG_HTTP_RATE_LIMIT", help="Requests of one client: 50/s, 300/m, 1000/h or off."
    ),
]
Readers = Annotated[
    str | None,
    typer.Option("--readers", envvar="AGOG_HTTP_READERS", help="Readers of events of one client at a time, or off."),
]
AllReaders = Annotated[
    str | None,
    typer.Option("--all-readers", envvar="AGOG_HTTP_ALL_READERS", help="Readers of events at a time, or off."),
]
TrustedProxies = Annotated[
    str,
    typer.Option(
        "--trusted-proxies",
        envvar="AGOG_HTTP_TRUSTED_PROXIES",
        help="Proxies whose X-Forwarded-For is believed: addresses and networks, with commas.",
    ),
]
OpenMetrics = Annotated[
    bool,
    typer.Option("--open-metrics", envvar="AGOG_HTTP_OPEN_METRICS", help="/metrics needs no token."),
]


def door(
    token_file: Path | None,
    rate_limit: str | None,
    readers: str | None,
    all_readers: str | None,
    proxies: str,
    *,
    open_metrics: bool,
) -> DoorSettings:
    """What the options and the environment's token say; an empty variable says nothing.

    Raises:
        BadInput: a token file that cannot be read, or something that is no token.
        UsageError: another option that cannot be read.
    """
    from pytest_agog.reference.doors.settings import read_settings

    return read_settings(
        token_file=token_file, tokens=os.environ.get(TOKEN, ""), rate_limit=rate_limit or None,
        readers=readers or None, all_readers=all_readers or None, proxies=proxies, open_metrics=open_metrics,
    )  # fmt: skip


def reload_on_hangup(loop: asyncio.AbstractEventLoop, settings: DoorSettings) -> None:
    """SIGHUP has the token file read again. Without tokens the signal does what it always does."""
    if settings.keyring is not None:
        loop.add_signal_handler(signal.SIGHUP, settings.keyring.reload)


def handed_on(environment: Mapping[str, str], token_file: Path | None = None) -> dict[str, str]:
    """The variables of the environment that a service which is started in turn needs, as a part's `env`."""
    found = {name: environment[name] for name in VARIABLES if environment.get(name)}
    if token_file is not None:
        found["AGOG_HTTP_TOKEN_FILE"] = str(token_file.absolute())
    return {name: value.replace("${", "$${") for name, value in found.items()}
