"""`agog comms publish`, `step` and `drain`: agent messages from a shell. [C1] [C13]"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pytest_agog.cli.console import print_json, print_line, read_text
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl
from pytest_agog.errors import AgogError, BadInput, CredentialsRefused, Exit, MessageSpooled, UsageError

if TYPE_CHECKING:
    from pytest_agog.reference.comms.publishing.publisher import CommsPublisher, Published
    from pytest_agog.reference.comms.publishing.stepping import StepResult

Role = Annotated[str | None, typer.Option(envvar="AGENT_ROLE", help="system, user, assistant or tool.")]
AgentId = Annotated[str | None, typer.Option(envvar="AGENT_ID", help="Who speaks.")]
RunId = Annotated[str | None, typer.Option(envvar="RUN_ID", help="The run; a native one needs no other name.")]
RuntimeName = Annotated[
    Literal["native", "argo"] | None,
    typer.Option(help="What runs the workflow; argo in a pod of Argo Workflows, else native."),
]
Patience = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="How long an ack or a lost connection is waited for.")
]
SpoolOk = Annotated[bool, typer.Option("--spool-ok", help="Exit 0 when messages are spooled only.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Publish agent messages, or run a step that does."
    )
    group.command("publish")(publish)
    group.command("step", context_settings={"allow_interspersed_args": False})(step)
    group.command("drain")(drain)
    app.add_typer(group, name="comms")


def publish(
    text: Annotated[
        str | None, typer.Argument(metavar="[CONTENT|-]", help="What to say, unchanged; - reads stdin.")
    ] = None,
    content: Annotated[str | None, typer.Option(metavar="TEXT|-", help="The same as an option.")] = None,
    content_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Say what a file holds.")] = None,
    log_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Follow a log file while it grows.")] = None,
    until_pid: Annotated[
        int | None, typer.Option(min=1, metavar="PID", help="The log is complete once this process has ended.")
    ] = None,
    until_line: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The log is complete at the line TEXT, which is not published.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="message, tool_call, status, error, log, run-started, …; log with --log-file.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="general: the global channel only.")] = None,
    publish_general: Annotated[
        bool, typer.Option("--publish-general", help="A copy on the global channel too.")
    ] = False,
    status: Annotated[
        str | None, typer.Option(help="auto makes it of the exit code: completed for 0, else failed.")
    ] = None,
    exit_code: Annotated[int | None, typer.Option(help="How the work ended.")] = None,
    attrs_json: Annotated[str | None, typer.Option(metavar="OBJECT", help="Further attributes.")] = None,
    tool_json: Annotated[str | None, typer.Option(metavar="OBJECT", help="The tool and its call or result.")] = None,
    message_id: Annotated[str | None, typer.Option(help="The same id twice is stored once.")] = None,
    role: Role = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    runtime: RuntimeName = None,
    spool_ok: SpoolOk = False,
    patience: Patience = 5.0,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:  # fmt: skip
    """Publish one message, or a log file while it grows, and wait until JetStream has it.

    Who speaks comes from the environment: WORKFLOW_NAME, WORKFLOW_UID, WORKFLOW_NAMESPACE, WORKFLOW_STEP,
    WORKFLOW_STAGE, AGENT_ID, AGENT_ROLE, RUN_ID, CODEX_REPOSITORY, CODEX_ISSUE_NUMBER, CODEX_BRANCH.

    Exit 0: stored. Exit 3: NATS is away and the message waits in the spool (AGOG_SPOOL_DIR, else agog/spool in
    XDG_STATE_HOME), from where the next publish or `agog comms drain` delivers it. Exit 1 or 2: refused, not spooled.

    Example: agog comms publish --kind status --status auto --exit-code 0 --publish-general "Tests passed."
    """
    fields = {
        "channel": channel, "general": publish_general, "status": status, "exit_code": exit_code,
        "attrs": _object(attrs_json, "--attrs-json"), "tool": _object(tool_json, "--tool-json"),
    }  # fmt: skip
    _check_ends(log_file, until_pid, until_line, message_id)
    publisher = _publisher(nats_url, nats_creds, patience, role, agent_id, run_id, runtime)
    if log_file is not None:
        if any(given is not None for given in (text, content, content_file)):
            raise UsageError("--log-file is the content; leave out the other one. See `agog comms publish --help`.")
        work = _tail(publisher, log_file, until_pid, until_line, {"kind": kind or "log", **fields})
        return _tailed(asyncio.run(_refusals_told(work)), publisher, spool_ok, as_json)
    said = _content(text, content, content_file, needed=not any(fields[name] for name in ("status", "tool", "attrs")))
    done = asyncio.run(
        _refusals_told(_publish(publisher, said, {"kind": kind or "message", "message_id": message_id, **fields}))
    )
    stored = done.stored or not publisher.waiting
    if as_json:
        print_json({**_told(done), "stored": stored, "counts": asdict(publisher.counts)})
    elif stored:
        print_line(done.message_id)
    if not stored and not spool_ok:
        raise _spooled(publisher, sum(not copy.stored for copy in done.copies), done)
    return Exit.OK


def step(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="What to run, without a shell.")],
    role: Role = None,
    agent_id: AgentId = None,
    run_id: RunId = None,
    runtime: RuntimeName = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 3 when the command succeeded and a message was not stored.")
    ] = False,
    patience: Patience = 5.0,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
) -> int:
    """Run a command as a step: its beginning, its output and its end appear as messages, live.

    Output goes on to stdout and stderr unchanged, signals to the command's process group, and the exit status is the
    command's own (128 + n after signal n), also when nothing could be published: that is a line on stderr.

    Example: agog comms step --agent-id roy --run-id run-42 -- make test
    """
    publisher = _publisher(nats_url, nats_creds, patience, role, agent_id, run_id, runtime)
    if strict:
        publisher.speaker.address()
    result = asyncio.run(_step(publisher, command))
    if not result.trouble:
        return result.exit_code
    lost = f"{result.refused} message(s) were refused" if result.refused else ""
    kept = f"{result.waiting} wait in {publisher.spool.path} for `agog comms drain`" if result.waiting else ""
    from pytest_agog.report.text import one_line

    print(f"agog: {', '.join(filter(None, (lost, kept)))}: {one_line(result.trouble)}", file=sys.stderr)
    return result.exit_code or (Exit.UNREACHABLE if strict else Exit.OK)


def drain(
    patience: Patience = 5.0, nats_url: NatsUrl = DEFAULT_NATS, nats_creds: NatsCreds = None, as_json: Json = False
) -> int:  # fmt: skip
    """Deliver the messages that were spooled while this NATS was away, in their order.

    A message that can never be stored (too large) is set aside into a file beside the spool; then the exit status is 1.

    Example: agog comms drain --nats-url nats://127.0.0.1:4222
    """
    publisher = _publisher(nats_url, nats_creds, patience, None, None, None, None)

    async def work() -> Any:
        async with publisher:
            return await publisher.drain()

    drained = asyncio.run(work())
    if as_json:
        print_json({
            "delivered": drained.delivered, "refused": drained.refused, "spool": str(publisher.spool.path),
        })  # fmt: skip
    else:
        print_line(f"{drained.delivered} message(s) delivered")
    if drained.refused:
        raise AgogError(
            f"{drained.refused} message(s) can never be stored; {publisher.spool.refused_path} holds them with the "
            "reasons. Publish them anew, smaller, and remove that file."
        )
    return Exit.OK


def _publisher(
    url: str, creds: Path | None, patience: float, role: str | None, agent_id: str | None, run_id: str | None,
    runtime: str | None,
) -> CommsPublisher:  # fmt: skip
    from pytest_agog.reference.comms.publishing.publisher import CommsPublisher
    from pytest_agog.reference.comms.publishing.speaker import Speaker

    speaker = Speaker.from_environment(os.environ, runtime=runtime, role=role, agent_id=agent_id, run_id=run_id)
    return CommsPublisher.from_environment(os.environ, url=url, creds=creds, speaker=speaker, patience=patience)


def _object(text: str | None, option: str) -> dict[str, Any] | None:
    if text is None:
        return None
    from pydantic_core import from_json

    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadInput(f"{option} is no JSON ({error}).") from None
    if not isinstance(found, dict):
        raise BadInput(f'{option} is no JSON object; write it as \'{{"name": "value"}}\'.')
    return found


def _check_ends(log_file: Path | None, until_pid: int | None, until_line: str | None, message_id: str | None) -> None:
    if log_file is None and (until_pid is not None or until_line is not None):
        raise UsageError("--until-pid and --until-line belong to --log-file. See `agog comms publish --help`.")
    if log_file is not None and message_id is not None:
        raise UsageError("--log-file makes many messages, each with an id of its own; leave out --message-id.")


def _content(text: str | None, option: str | None, file: Path | None, *, needed: bool) -> str:
    given = [source for source in (text, option, file) if source is not None]
    if len(given) > 1:
        raise UsageError("Give the content once: as argument, --content or --content-file.")
    if file is not None:
        return read_text(str(file), "content")
    said = text if text is not None else option
    if said is None:
        if needed:
            raise UsageError("Nothing to say: give the content, - for stdin, --content-file or --log-file.")
        return ""
    return read_text("-", "content on") if said == "-" else said


async def _refusals_told(work: Any) -> Any:
    """3 means that the message is safe in the spool; refused credentials keep nothing."""
    try:
        return await work
    except CredentialsRefused as error:
        raise AgogError(str(error)) from None


async def _publish(publisher: CommsPublisher, content: str, fields: dict[str, Any]) -> Published:
    async with publisher:
        return await publisher.publish(content, **fields)


async def _tail(
    publisher: CommsPublisher, path: Path, pid: int | None, line: str | None, fields: dict[str, Any]
) -> Any:  # fmt: skip
    from pytest_agog.reference.comms.publishing.drafting import draft
    from pytest_agog.reference.comms.publishing.lines import LineFeed, Tally
    from pytest_agog.reference.comms.publishing.tailing import Tail, until_ended

    draft(publisher.speaker, "", **fields)  # what is wrong with the options is told before anything is followed
    loop, stop, tally = asyncio.get_running_loop(), asyncio.Event(), Tally()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watch = None
    if pid is not None:
        watch = asyncio.create_task(until_ended(pid))
        watch.add_done_callback(lambda _: stop.set())
    try:
        async with publisher:
            await Tail(path, until_line=line).follow(LineFeed(publisher, tally, **fields), stop)
            await tally.settle()
    finally:
        if watch is not None:
            watch.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    return tally


def _tailed(tally: Any, publisher: CommsPublisher, spool_ok: bool, as_json: bool) -> int:
    waiting = publisher.waiting
    if as_json:
        print_json(
            {
                "messages": tally.published,
                "waiting": waiting,
                "refused": tally.refused,
                "counts": asdict(publisher.counts),
            }
        )
    if tally.failure is not None:
        error = tally.failure
        raise AgogError(f"{tally.refused} message(s) were refused: {error}") from None
    if waiting and not spool_ok:
        raise _spooled(publisher, waiting)
    return Exit.OK


def _spooled(publisher: CommsPublisher, count: int, done: Published | None = None) -> MessageSpooled:
    from pytest_agog.reference.comms.publishing.delivering import Spooled

    fates = [copy.fate for copy in done.copies] if done is not None else []
    reason = next((fate.reason for fate in fates if isinstance(fate, Spooled)), publisher.trouble)
    return MessageSpooled(count=count, path=publisher.spool.path, reason=reason.rstrip("."))


async def _step(publisher: CommsPublisher, command: list[str]) -> StepResult:
    from pytest_agog.reference.comms.publishing.stepping import run_step

    numbers = {"stdout": 1, "stderr": 2}

    async def forward(name: str, data: bytes) -> None:
        if name in numbers:
            try:
                await asyncio.to_thread(_write, numbers[name], data)
            except OSError:  # the reader went away, which is its right; the messages go on
                del numbers[name]

    sys.stdout.flush()
    async with publisher:
        return await run_step(publisher, command, forward=forward)


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _told(done: Published) -> dict[str, Any]:
    from pytest_agog.reference.comms.publishing.delivering import Stored

    def copy(one: Any) -> dict[str, Any]:
        if isinstance(one.fate, Stored):
            where = {"stream": one.fate.stream, "sequence": one.fate.sequence, "duplicate": one.fate.duplicate}
        else:
            where = {"spool": str(one.fate.path), "reason": one.fate.reason}
        return {"subject": one.subject, "stored": one.stored, **where}

    return {"message_id": done.message_id, "stored": done.stored, "copies": [copy(one) for one in done.copies]}
