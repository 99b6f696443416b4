"""Claims about what surrounds the wire: `file`, `process`, `http`."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from pytest_agog.checks.base import Check, Evidence, Verdict, failed, nothing_to_judge, verdict
from pytest_agog.checks.bounds import Count, Whole
from pytest_agog.checks.evidence import differing
from pytest_agog.checks.evidence.telling import clock, close_names, described, excerpt, listed, short, unmet
from pytest_agog.ledger.answers import FileSeen, HttpSeen
from pytest_agog.ledger.facts import ProcessExited, ProcessOutput, ProcessStarted
from pytest_agog.ledger.ledger import Ledger, Observation
from pytest_agog.ledger.probes import FileProbe, HttpProbe, Probe
from pytest_agog.values import ABSENT, DataFile, Strict, Where, format_size, look_up, plural

Text = Annotated[str, StringConstraints(min_length=1)]
_HEADERS: Final = "$headers."


def _inside(path: str) -> str:
    """A path that stays below the folder that it begins in; where links lead shows when it is looked up."""
    if path.startswith("/") or "\\" in path or "\0" in path:
        raise ValueError(f"{path!r} is no path relative to the scenario; agents write below $AGENT_OUTPUT_DIR/")
    below = posixpath.normpath(path.removeprefix("$AGENT_OUTPUT_DIR/"))
    if below == ".." or below.startswith(("../", "/")):
        raise ValueError(f"{path!r} leaves the folder that it begins in")
    return path


class FileArguments(Strict):
    """A file that the play makes, and what it must be."""

    path: Annotated[Text, AfterValidator(_inside)]
    """Relative to the scenario, or `$AGENT_OUTPUT_DIR/…`."""
    exists: bool = True
    """Whether it is there."""
    contains: Text | None = None
    """This text stands in it."""
    equals: DataFile | None = None
    """It is this file, byte for byte."""

    @model_validator(mode="after")
    def _there_to_read(self) -> FileArguments:
        if not self.exists and (self.contains is not None or self.equals is not None):
            raise ValueError("a file that does not exist has no content; leave out contains and equals")
        return self


class ProcessArguments(Strict):
    """A process that the play started, and what came of it. Of several with one name the last counts."""

    name: Text
    """An agent's name, a step's `as`, or the command's first word."""
    exit: Whole | None = None
    """Its exit status, or minus the number of the signal that ended it."""
    running: bool | None = None
    """Whether it still runs."""
    output_contains: Text | None = None
    """This text stands in its standard output or standard error."""


class HttpArguments(Strict):
    """A request, and what its answer must be."""

    path: Annotated[str, StringConstraints(pattern="^/")] | None = None
    """A path on the target's HTTP service."""
    url: Annotated[str, StringConstraints(pattern="^https?://")] | None = None
    """A whole URL, instead of a path."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The request's method."""
    headers: dict[str, str] = Field(default_factory=dict)
    """The request's headers, such as `{Accept: text/html}`."""
    access: Literal["given", "none", "wrong"] = Field(default="given", alias="token")
    """Where services demand a token: the play's own goes with a path; `none` or a wrong one shows what happens then."""
    status: Count | None = None
    """The answer's status; without it, any below 400."""
    json_: Where | None = Field(default=None, alias="json")
    """What stands in the answer's JSON; `$headers.Name` is a header."""
    contains: Text | None = None
    """This text stands in the answer's body."""

    @model_validator(mode="after")
    def _one_target(self) -> HttpArguments:
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path or url")
        if self.url is not None and self.access != "given":
            raise ValueError("no token of the play goes to a whole URL; give a path, or leave out token")
        return self

    @property
    def probe(self) -> HttpProbe:
        """The request."""
        return HttpProbe(self.path or self.url or "", self.method, tuple(self.headers.items()), self.access)


# --- file -------------------------------------------------------------------------------------------------------------
def judge_file(ledger: Ledger, arguments: FileArguments) -> Verdict:
    """The file is there, or not, and its bytes are as given."""
    expected = _file_expected(arguments)
    seen = ledger.answer(FileProbe(arguments.path).key, FileSeen)
    if seen is None or seen.reason:
        why = f": {short(seen.reason)}" if seen is not None else ""
        return nothing_to_judge(expected, f"{short(arguments.path)} was not looked up{why}")
    if not seen.exists or seen.payload is None:
        return verdict(not seen.exists and not arguments.exists, expected=expected, observed=_no_file(seen))
    data = ledger.payloads[seen.payload]
    evidence = [
        Evidence(
            "file", None, f"{short(arguments.path)} · {format_size(len(data))}",
            excerpt(data[:20_000].decode("utf-8", "replace")),
            {"path": arguments.path, "size": len(data), "sha256": seen.payload},
        )
    ]  # fmt: skip
    problems = [] if arguments.exists else ["it is there"]
    if arguments.contains is not None and arguments.contains.encode() not in data:
        problems.append(f"'{short(arguments.contains)}' does not stand in its {len(data):,} bytes")
    if arguments.equals is not None:
        other = ledger.answer(FileProbe(arguments.equals).key, FileSeen)
        if other is None or other.payload is None:
            problems.append(f"{arguments.equals} was not there to compare with")
        elif ledger.payloads[other.payload] != data:
            wanted = ledger.payloads[other.payload]
            problems.append(f"it differs from {arguments.equals}: {differing.difference(data, wanted)}")
            evidence.append(Evidence("file", None, "both files", differing.side_by_side(data, wanted)))
    observed = "; ".join(problems) or f"{format_size(len(data))}, as claimed"
    return verdict(not problems, expected=expected, observed=observed, evidence=evidence)


def _no_file(seen: FileSeen) -> str:
    return "it is there, but cannot be read" if seen.exists else "it is not there"


def _file_expected(arguments: FileArguments) -> str:
    if not arguments.exists:
        return f"no file {short(arguments.path)}"
    parts = [f"a file {short(arguments.path)}"]
    if arguments.contains is not None:
        parts.append(f"that contains '{short(arguments.contains)}'")
    if arguments.equals is not None:
        parts.append(f"equal to {arguments.equals} byte for byte")
    return ", ".join(parts)


def _file_probes(arguments: FileArguments) -> Sequence[Probe]:
    paths = [arguments.path, *([arguments.equals] if arguments.equals is not None else [])]
    return tuple(FileProbe(path) for path in paths)


# --- process ----------------------------------------------------------------------------------------------------------
@dataclass
class _Process:
    started: Observation[ProcessStarted]
    exited: Observation[ProcessExited] | None = None
    output: list[ProcessOutput] = field(default_factory=list)


def _processes(ledger: Ledger) -> dict[str, list[_Process]]:
    def collect() -> dict[str, list[_Process]]:
        facts: list[Observation[Any]] = [
            *ledger.of(ProcessStarted),
            *ledger.of(ProcessOutput),
            *ledger.of(ProcessExited),
        ]
        found: dict[str, list[_Process]] = {}
        for observation in sorted(facts, key=lambda item: item.index):
            fact = observation.fact
            if isinstance(fact, ProcessStarted):
                found.setdefault(fact.name, []).append(_Process(observation))
            elif fact.name in found:
                last = found[fact.name][-1]
                if isinstance(fact, ProcessOutput):
                    last.output.append(fact)
                else:
                    last.exited = observation
        return found

    return ledger.derived("processes", collect)


def judge_process(ledger: Ledger, arguments: ProcessArguments) -> Verdict:
    """The last process of that name ended, or runs, and printed, as given."""
    known = _processes(ledger)
    expected = _process_expected(arguments)
    if arguments.name not in known:
        close = close_names(arguments.name, known)
        return nothing_to_judge(
            expected,
            f"no process {short(arguments.name)} was started; there were: {listed(sorted(known), 12)}",
            nearest=f"did you mean {listed(close)}?" if close else "",
        )
    runs = known[arguments.name]
    process = runs[-1]
    texts: dict[str, str] = {}
    for fact in process.output:
        texts[fact.stream] = texts.get(fact.stream, "") + ledger.payloads.text(fact.payload)
    problems = []
    if arguments.exit is not None:
        if process.exited is None:
            problems.append("it still runs")
        elif not arguments.exit.holds(process.exited.fact.exit):
            problems.append(f"it {_ended(process)}")
    if arguments.running is not None and arguments.running != (process.exited is None):
        problems.append("it still runs" if process.exited is None else f"it {_ended(process)}")
    if arguments.output_contains is not None and not _printed(ledger, process, arguments.output_contains):
        problems.append(f"'{short(arguments.output_contains)}' does not stand in its output")
    return verdict(
        not problems,
        expected=expected,
        observed="; ".join(dict.fromkeys(problems)) or f"it {_ended(process)}",
        evidence=_process_evidence(process, texts, len(runs)),
    )


def _printed(ledger: Ledger, process: _Process, text: str) -> bool:
    for stream in ("stdout", "stderr"):
        whole = b"".join(ledger.payloads.original(fact.payload) for fact in process.output if fact.stream == stream)
        if text.encode() in whole:
            return True
    return False


def _ended(process: _Process) -> str:
    if process.exited is None:
        return "runs"
    fact = process.exited.fact
    how = f"was ended by signal {-fact.exit}" if fact.exit < 0 else f"ended with exit status {fact.exit}"
    return f"{how} after {fact.seconds:.2f} s" + (" (it took too long and was killed)" if fact.timed_out else "")


def _process_expected(arguments: ProcessArguments) -> str:
    parts = [f"process {short(arguments.name)}"]
    if arguments.exit is not None:
        parts.append(f"ends with exit status {arguments.exit}")
    if arguments.running is not None:
        parts.append("still runs" if arguments.running else "no longer runs")
    if arguments.output_contains is not None:
        parts.append(f"prints '{short(arguments.output_contains)}'")
    return (
        " ".join(parts[:2]) + "".join(f" and {part}" for part in parts[2:]) if parts[1:] else f"{parts[0]} is started"
    )


def _process_evidence(process: _Process, texts: Mapping[str, str], runs: int) -> list[Evidence]:
    fact = process.started.fact
    of = f", the last of {runs} starts" if runs > 1 else ""
    told = [
        Evidence(
            "process",
            process.started.at,
            f"{short(' '.join(fact.command))} · {clock(process.started.at)} · it {_ended(process)}{of}",
            details={"name": fact.name, "exit": process.exited.fact.exit if process.exited else None},
        )
    ]
    for stream, text in texts.items():
        if text.strip():
            tail = "\n".join(text.rstrip().splitlines()[-8:])
            told.append(
                Evidence("output", None, f"the end of its {stream} ({format_size(len(text))})", excerpt(tail[-3000:]))
            )
    return told  # fmt: skip


# --- http -------------------------------------------------------------------------------------------------------------
def judge_http(ledger: Ledger, arguments: HttpArguments) -> Verdict:
    """There is an answer, and its status, JSON and text are as given."""
    expected = _http_expected(arguments)
    seen = ledger.answer(arguments.probe.key, HttpSeen)
    if seen is None:
        return nothing_to_judge(expected, "the request was not made")
    if seen.status is None:
        return failed(expected=expected, observed=_no_answer(seen))
    body = ledger.payloads[seen.payload] if seen.payload is not None else b""
    problems = []
    if not (arguments.status.holds(seen.status) if arguments.status is not None else seen.status < 400):
        problems.append(f"status {seen.status}")
    asks_body = arguments.contains is not None or any(not path.startswith(_HEADERS) for path in arguments.json_ or ())
    if seen.payload is None and asks_body:
        problems.append(f"its body was not read: {short(seen.reason) or 'no reason was given'}")
        near = ""
    else:
        wrong, near = _http_body(ledger, arguments, seen, body)
        problems += wrong
    text = f"{seen.method} {short(seen.url)} · status {seen.status} · {format_size(len(body))}"
    told = Evidence(
        "http", None, text, excerpt(body[:20_000].decode("utf-8", "replace")), {"url": seen.url, "status": seen.status}
    )
    observed = "; ".join(problems) or f"status {seen.status}, {format_size(len(body))}"
    return verdict(not problems, expected=expected, observed=observed, evidence=[told], nearest=near)  # fmt: skip


def _no_answer(seen: HttpSeen) -> str:
    return f"no answer: {short(seen.reason.removeprefix('no answer: ')) or 'no reason was given'}"


def _http_body(ledger: Ledger, arguments: HttpArguments, seen: HttpSeen, body: bytes) -> tuple[list[str], str]:
    """What is wrong with headers and body, and how close it came."""
    problems = []
    near = ""
    if arguments.json_ is not None:
        document = ledger.payloads.json(seen.payload) if seen.payload is not None else ABSENT
        values = {path: _http_value(seen, document, path) for path in arguments.json_}
        missed = [path for path, pattern in arguments.json_.items() if not pattern.holds(values[path])]
        problems += [unmet(path, values[path], arguments.json_[path]) for path in missed]
        if missed:
            near = f"{len(arguments.json_) - len(missed)} of {plural(len(arguments.json_), 'condition')} hold"
        if document is ABSENT and any(not path.startswith(_HEADERS) for path in arguments.json_):
            problems = ["its body is no JSON", *problems]
    if arguments.contains is not None and arguments.contains.encode() not in body:
        problems.append(f"'{short(arguments.contains)}' does not stand in its body of {format_size(len(body))}")
    return problems, near


def _http_value(seen: HttpSeen, document: Any, path: str) -> Any:
    if path.startswith(_HEADERS):
        name = path.removeprefix(_HEADERS).casefold()
        return next((value for key, value in seen.headers.items() if key.casefold() == name), ABSENT)
    return document if document is ABSENT else look_up(document, path)


def _http_expected(arguments: HttpArguments) -> str:
    status = str(arguments.status) if arguments.status is not None else "below 400"
    how = {"none": " without a token", "wrong": " with a wrong token"}.get(arguments.access, "")
    parts = [f"{arguments.method} {short(arguments.path or arguments.url or '')}{how} answers with status {status}"]
    if arguments.json_:
        parts.append(f"JSON where {described(arguments.json_)}")
    if arguments.contains is not None:
        parts.append(f"a body that contains '{short(arguments.contains)}'")
    return ", ".join(parts)


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "file",
        "A file is there, or is not, with the given content.",
        FileArguments,
        judge_file,
        "- id: notes-written\n"
        "  claim: The agent leaves its notes\n"
        "  check: file\n"
        "  with: {path: $AGENT_OUTPUT_DIR/notes.md, contains: Implementation}",
        probes=_file_probes,
        growth_can_break=lambda arguments: not arguments.exists,
        kills=("deliverables.writes-elsewhere",),
    ),
    Check(
        "process",
        "A process that the play started ended, or still runs, and printed what is given.",
        ProcessArguments,
        judge_process,
        "- id: demo-ends-well\n"
        "  claim: The demo ends with a token table\n"
        "  check: process\n"
        "  with: {name: demo, exit: 0, output_contains: spawn savings}",
        growth_can_break=lambda arguments: bool(arguments.running),
        kills=("comms.publisher-hides-failure",),
    ),
    Check(
        "http",
        "A request is answered with the given status and content.",
        HttpArguments,
        judge_http,
        "- id: needs-a-selector\n"
        "  claim: Events without a selector are refused in plain words\n"
        "  check: http\n"
        "  with: {path: /api/agents/events, status: 400, json: {error: {contains: runId}}}",
        probes=lambda arguments: (arguments.probe,),
        kills=("comms.database-text-in-answer",),
    ),
)
