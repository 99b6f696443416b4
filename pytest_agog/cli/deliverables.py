"""`agog init-streams`, `publish`, `fetch`, `outline` and `notice`: the deliverable engine from a shell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pytest_agog.cli.console import pairs, print_json, print_line, print_table, print_text, read_text, write_text
from pytest_agog.cli.options import DEFAULT_NATS, Json, NatsCreds, NatsUrl
from pytest_agog.errors import (
    AgogError,
    BadInput,
    DeliverableMissing,
    Exit,
    NoticeTooLarge,
    NoticeWrong,
    ServiceError,
    UsageError,
)
from pytest_agog.wire import subjects

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.engine import DeliverableEngine
    from pytest_agog.reference.deliverables.stored import Report, Revision
    from pytest_agog.reference.deliverables.streams import StreamOutcome
    from pytest_agog.wire.notices import Notice

T = TypeVar("T")
Address = Annotated[list[str], typer.Argument(metavar="URL | AGENT TYPE FEATURE", help="Which deliverable.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init-streams")(init_streams)
    app.command("publish")(publish)
    app.command("fetch")(fetch)
    app.command("outline")(outline)
    app.command("notice")(notice)


def with_engine(
    url: str, creds: Path | None, work: Callable[[DeliverableEngine], Awaitable[T]], **options: Any
) -> T:  # fmt: skip
    """Run `work` with an engine connected to `url`."""
    from pytest_agog.reference.deliverables.engine import DeliverableEngine

    async def whole() -> T:
        async with await DeliverableEngine.connect(url, creds=creds, **options) as engine:
            return await work(engine)

    return asyncio.run(whole())


def init_streams(
    update: Annotated[bool, typer.Option("--update", help="Change streams that differ from their definition.")] = False,
    replicas: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=5,
            help="Copies of each stream. Without it new ones get 3 in a cluster, else 1; others keep theirs.",
        ),
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TYPE", help="A further agent and its type of deliverable.")
    ] = None,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:
    """Create all streams and durable consumers; what is there already stays as it is.

    A stream that differs is reported field by field, and changed only with --update. Exit 1 when one is not as defined
    in the end.

    Example: agog init-streams --nats-url nats://127.0.0.1:4222 --agent ada=security
    """
    agents = pairs(agent or (), "--agent")
    outcomes = with_engine(
        nats_url, nats_creds, lambda engine: engine.init_streams(update=update, replicas=replicas, agents=agents)
    )
    right = all(outcome.as_defined for outcome in outcomes)
    if as_json:
        print_json({"ok": right, "streams": [_outcome(outcome) for outcome in outcomes]})
    else:
        rows = [(outcome.name, outcome.action, _detail(outcome)) for outcome in outcomes]
        rows += [
            (f"  {outcome.name}.{consumer.name}", consumer.action, _detail(consumer))
            for outcome in outcomes
            for consumer in outcome.consumers
        ]
        print_table(("stream", "is", "difference"), rows)
        if not right and not update:
            print_line("Change what differs with: agog init-streams --update")
    return Exit.OK if right else Exit.CLAIM_FAILED


def _outcome(outcome: StreamOutcome) -> dict[str, Any]:
    def part(item: Any) -> dict[str, Any]:
        differences = [
            {"field": d.field, "expected": d.expected, "actual": d.actual, "fixed": d.fixed} for d in item.differences
        ]
        return {"name": item.name, "action": item.action, "differences": differences, "reason": item.reason}

    return {**part(outcome), "consumers": [part(consumer) for consumer in outcome.consumers]}


def _detail(item: Any) -> str:
    return "; ".join([*(str(difference) for difference in item.differences), *([item.reason] if item.reason else [])])


def publish(
    agent: Annotated[str, typer.Argument(help="Who wrote the report.")],
    task_type: Annotated[str, typer.Argument(metavar="TYPE", help="research, critique, backend, …")],
    feature: Annotated[str, typer.Argument(help="What it is about; one word of a subject.")],
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The report as Markdown (UTF-8); - reads stdin.")],
    meta: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Further metadata; may be repeated.")
    ] = None,
    inline: Annotated[
        bool, typer.Option("--inline", help="Refuse a report that does not fit a message; no object store.")
    ] = False,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:
    """Publish a report and print its URL once JetStream holds it. The same report twice is stored once.

    Exit 1 when it is not stored (no stream, store full, too large with --inline), 2 for a file or name that cannot be
    used, 3 when NATS cannot be reached or refuses the credentials.

    Example: agog publish cynthia research customer-search report.md
    """
    content = read_text(file, "report")
    if not content.strip():
        raise BadInput(f"report {file} is empty. Publish a report with content.")
    metadata = pairs(meta or (), "--meta")
    done = with_engine(
        nats_url, nats_creds, lambda engine: engine.publish(agent, task_type, feature, content, metadata),
        object_store=not inline,
    )  # fmt: skip
    if as_json:
        print_json({
            "subject": done.subject, "url": done.url, "stream": done.stream, "sequence": done.sequence,
            "duplicate": done.duplicate,
        })  # fmt: skip
    else:
        print_line(done.url)
    return Exit.OK


def fetch(
    address: Address,
    section: Annotated[
        str | None, typer.Option(metavar="HEADING", help="Only this section, with its subsections.")
    ] = None,
    revision: Annotated[int | None, typer.Option(metavar="SEQ", help="The revision with this sequence.")] = None,
    revisions: Annotated[bool, typer.Option("--revisions", help="List the revisions instead.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file instead of stdout.")] = None,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:
    """Print the latest report, verified against its digest; byte for byte when stdout is no terminal.

    Exit 1 when there is no such report, revision or section, or when its content is not what was published.

    Example: agog fetch nats://agog.deliverables.cynthia.research.customer-search --section "Risks"
    """
    if revisions:
        return _list_revisions(address, nats_url, nats_creds, as_json)
    found = with_engine(nats_url, nats_creds, lambda engine: _read(engine, address, revision))
    text = found.content
    if section is not None:
        from pytest_agog.reference.deliverables.outline import section as cut

        text = cut(text, section)
    if out is not None:
        write_text(out, text)
    if as_json:
        print_json({**_about(found), "section": section, "content": None if out is not None else text})
    elif out is None:
        print_text(text)
    return Exit.OK


async def _read(engine: DeliverableEngine, address: list[str], revision: int | None) -> Report:
    if revision is not None:
        return await engine.revision(*address, sequence=revision)
    found = await engine.report(*address)
    if found is None:
        url = address[0] if len(address) == 1 else subjects.to_url(subjects.deliverable(*address))
        raise DeliverableMissing(url=url)
    return found


def _about(found: Report | Revision) -> dict[str, Any]:
    about = {
        "url": found.url, "stream": found.stream, "sequence": found.sequence, "time": found.time.isoformat(),
        "digest": found.digest,
    }  # fmt: skip
    metadata = getattr(found, "metadata", None)
    return about if metadata is None else {**about, "metadata": metadata}


def _list_revisions(address: list[str], nats_url: str, nats_creds: Path | None, as_json: bool) -> int:
    found = with_engine(nats_url, nats_creds, lambda engine: engine.revisions(*address))
    if as_json:
        print_json([{**_about(revision), "size": revision.size} for revision in found])
    else:
        rows = [(r.sequence, r.time.isoformat(timespec="seconds"), r.size, r.digest or "none") for r in found]
        print_table(("sequence", "time", "bytes", "digest"), rows, numbers=(0, 2))
    return Exit.OK if found else Exit.CLAIM_FAILED


def outline(
    address: Address, nats_url: NatsUrl = DEFAULT_NATS, nats_creds: NatsCreds = None, as_json: Json = False
) -> int:  # fmt: skip
    """List a report's headings with the tokens that fetching each section costs.

    Example: agog outline nats://agog.deliverables.cynthia.research.customer-search
    """
    from pytest_agog import tokens
    from pytest_agog.reference.deliverables.outline import outline as headings

    found = with_engine(nats_url, nats_creds, lambda engine: _read(engine, address, None))
    parts, total = headings(found.content), tokens.count(found.content)
    if as_json:
        listed = [
            {"level": p.level, "title": p.title, "path": p.path, "line": p.line, "tokens": p.tokens} for p in parts
        ]
        print_json({**_about(found), "tokens": total, "headings": listed})
    else:
        rows: list[tuple[int, int | str, str]] = [(p.tokens, p.line, "  " * (p.level - 1) + p.title) for p in parts]
        print_table(("tokens", "line", "heading"), [*rows, (total, "", "(the whole report)")], numbers=(0, 1))
    return Exit.OK


def notice(
    agent: Annotated[str, typer.Option("--agent", "-a", help="Who did the work.")],
    requirement: Annotated[
        str | None, typer.Option("--requirement", "-r", help="req_number; in a chain the feature.")
    ] = None,
    deliverable: Annotated[
        str | None, typer.Option("--deliverable", "-d", metavar="URL", help="URL of the full report.")
    ] = None,
    summary: Annotated[str | None, typer.Option("--summary", "-s", help="A sentence or two.")] = None,
    status: Annotated[str, typer.Option(help="COMPLETE, BLOCKED or FAILED.")] = "COMPLETE",
    next_agent: Annotated[str | None, typer.Option(help="Who should go on.")] = None,
    verdict: Annotated[
        str | None, typer.Option(help="APPROVED, APPROVED_WITH_CONDITIONS or REJECTED (critics).")
    ] = None,
    file: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="A file that was modified; repeatable.")
    ] = None,
    blocker: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="What stands in the way; repeatable.")
    ] = None,
    parse: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Find the notice in an agent's output instead.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Also: consistent, at most 200 tokens, and its URL resolves.")
    ] = False,
    nats_url: NatsUrl = DEFAULT_NATS,
    nats_creds: NatsCreds = None,
    as_json: Json = False,
) -> int:
    """Create the completion notice that an agent returns instead of its report, or find one in its output.

    A notice over 200 tokens is refused; the error names the longest field. With --parse FILE the last notice of
    --agent for --requirement in the text is printed; exit 1 with the reason when there is none.

    Example: agog notice -a roy -r REQ-042 -d nats://agog.deliverables.roy.backend.REQ-042 -s "API and tests done."
    """
    fields = {
        "files_modified": file or None,
        "next_agent": next_agent,
        "critique_verdict": verdict,
        "blockers": blocker,
    }
    if parse is None:
        made, text = _create(agent, requirement, status, deliverable, summary, fields)
    elif any(value is not None for value in (deliverable, summary, *fields.values())):
        raise UsageError("--parse reads a notice; leave out the options that create one. See `agog notice --help`.")
    else:
        made, text = _parse(parse, agent, requirement)
    problems = _problems(made, text, nats_url, nats_creds) if check else []
    if as_json:
        from pytest_agog import tokens

        print_json({"notice": made.raw, "tokens": tokens.count(text), "problems": problems})
        return Exit.CLAIM_FAILED if problems else Exit.OK
    if problems:
        raise NoticeWrong(problems="; ".join(problem.removesuffix(".") for problem in problems))
    print_text(text + "\n")
    return Exit.OK


def _parse(path: str, agent: str, requirement: str | None) -> tuple[Notice, str]:
    from pytest_agog.wire import notices

    parsed = notices.parse_output(read_text(path, "output"), agent=agent, requirement=requirement)
    return parsed.notice, parsed.text


def _create(
    agent: str,
    requirement: str | None,
    status: str,
    deliverable: str | None,
    summary: str | None,
    fields: dict[str, Any],
) -> tuple[Notice, str]:
    from pytest_agog.wire import notices

    if requirement is None or deliverable is None or summary is None:
        named = {"--requirement": requirement, "--deliverable": deliverable, "--summary": summary}
        absent = ", ".join(name for name, value in named.items() if value is None)
        raise UsageError(f"Missing option {absent}. See `agog notice --help`.")
    made = notices.create(agent, requirement, status, deliverable, summary, **fields)
    text = made.to_json()
    notices.check_size(text)
    return made, text


def _problems(made: Notice, text: str, nats_url: str, nats_creds: Path | None) -> list[str]:
    """Everything that makes the notice worth nothing, one line each."""
    from pytest_agog.wire import notices

    found = notices.inconsistencies(made)
    try:
        notices.check_size(text)
    except NoticeTooLarge as error:
        found.append(str(error))
    try:
        agent, _, _ = subjects.parse_deliverable(made.deliverable)
    except BadInput as error:
        return [*found, str(error)]
    if agent.casefold() != made.agent.casefold():
        found.append(f"{made.deliverable} is a deliverable of {agent}, not of {made.agent}")
    try:
        with_engine(nats_url, nats_creds, lambda engine: engine.require(made.deliverable))
    except ServiceError:
        raise  # whether the URL resolves is then unknown
    except AgogError as error:
        found.append(str(error))
    return found
