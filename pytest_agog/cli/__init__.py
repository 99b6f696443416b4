"""The `agog` command. Each module holds a group of commands and registers them.

Exit codes: 0 success, 1 a claim failed or work was rejected, 2 wrong usage or bad input, 3 a service is unreachable,
130 interrupted. Errors go to stderr as one line with cause and remedy.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final, NoReturn

import typer

from pytest_agog import __version__
from pytest_agog.errors import AgogError, Exit

GROUPS: Final = (
    "up", "serve", "deliverables", "comms", "doctor", "authoring", "plays", "verify", "backfill", "gate", "dashboard",
    "listen", "plan", "orchestrate", "submit", "apply", "backup", "logs", "compose", "certs", "creds",
)  # fmt: skip
"""Modules of this package, each with `register(app)`; imported when the command runs, and light themselves."""
INTERRUPTED: Final = 130


def _show_version(value: bool) -> None:
    if value:
        print(f"agog {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Verify multi-agent systems on NATS JetStream and Postgres.

    Example: agog doctor
    """


def build() -> typer.Typer:
    """The app with all groups."""
    app = typer.Typer(
        name="agog", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(_root)
    for group in GROUPS:
        importlib.import_module(f"{__name__}.{group}").register(app)
    return app


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Whatever goes wrong ends as one line on stderr."""
    try:
        result = build()(
            args=list(sys.argv[1:] if arguments is None else arguments), prog_name="agog", standalone_mode=False
        )
        sys.stdout.flush()
    except AgogError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as end:
        # What the parser makes of a broken pipe that a command met.
        if isinstance(end.__context__, BrokenPipeError):
            return _reader_gone()
        raise
    except typer.Abort:
        return INTERRUPTED
    except OSError as error:
        _drop_what_cannot_be_written()
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", Exit.USAGE)
    except Exception as error:
        if not callable(getattr(error, "format_message", None)):
            if os.environ.get("AGOG_DEBUG"):
                _show(error)
            return _fail(
                f"internal error: {type(error).__name__}: {error}. Set AGOG_DEBUG=1 to see where.", Exit.CLAIM_FAILED
            )
        return _fail(*_usage(error))
    return result if isinstance(result, int) else Exit.OK


def _reader_gone() -> int:
    """The reader went away (`agog … | head`), which is its right."""
    _drop_what_cannot_be_written()
    return Exit.OK


def _drop_what_cannot_be_written() -> None:
    """Otherwise Python tries once more at exit, and complains."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: Any) -> tuple[str, int]:
    """What the command line parser says of wrong usage, on one line."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "agog"
    message = error.format_message()
    if not message:  # no arguments at all: the help was the answer
        return "", Exit.USAGE
    return f"{message.rstrip('.')}. See `{command} --help`.", Exit.USAGE


def _show(error: Exception) -> None:
    """Where it happened, for whoever mends it; a traceback may hold secrets like any other text."""
    import traceback

    from pytest_agog.masking import mask

    print(mask("".join(traceback.format_exception(error))), file=sys.stderr)


def _fail(message: str, code: int) -> int:
    from pytest_agog.report.text import one_line

    if message:
        print(f"agog: {one_line(message)}", file=sys.stderr)
    return int(code)


def main() -> NoReturn:
    """The entry point."""
    # Whoever calls us with a closed stdout or stderr (`>&-`) wants to hear nothing; with a closed stdin, has no input.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: PTH123, SIM115 - as long as the process
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A report may hold what the terminal's encoding has no form for; that is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run())
