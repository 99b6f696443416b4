"""Completion notices: what an agent returns instead of its report, in both shapes that are in use.

Both are read into one view, `Notice`; the reference emits the second shape. A notice is at most 200 tokens, but an
oversized one is still a notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from pytest_agog import tokens
from pytest_agog.errors import BadInput, NoticeMissing, NoticeTooLarge
from pytest_agog.wire import subjects
from pytest_agog.wire.json_scan import Scan

MAX_TOKENS: Final = 200
IMPLEMENTERS: Final = frozenset({"roy", "jen", "miki", "database", "database-agent"})
"""Agents that build; none of them may be next after a rejected critique."""


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


Status = Annotated[Literal["COMPLETE", "BLOCKED", "FAILED"], BeforeValidator(_upper)]
"""Compared without regard to case."""
Verdict = Annotated[Literal["APPROVED", "APPROVED_WITH_CONDITIONS", "REJECTED"], BeforeValidator(_upper)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Common(BaseModel):
    model_config = ConfigDict(extra="allow", defer_build=True)

    agent: Word
    """Who did the work."""
    status: Status
    """COMPLETE, BLOCKED or FAILED, in any case."""
    summary: str
    """What was done, in a sentence or two."""
    blockers: list[Any] | str | None = None
    """What stands in the way."""
    files_modified: int | list[Any] | None = None
    """How many files, or which."""
    next_agent: str | list[str] | None = None
    """Who should go on."""
    critique_verdict: Verdict | None = None
    """What a critic says of the work it read."""
    ready_for_next_stage: bool | None = None
    """Whether the next stage may start."""
    needs_todd: bool | None = None
    """Whether the conditional stage of todd is asked for."""
    needs_vic: bool | None = None
    """Whether the conditional stage of vic is asked for."""


class TaskNotice(_Common):
    """The first shape: the work is named by `task` and by the channel of the deliverable."""

    task: Word
    """The feature or requirement, or the kind of task."""
    nats_channel: Word
    """Subject of the deliverable, with or without `nats://`."""
    complexity: str | None = None
    """Simple, Medium or Complex."""
    completion_time: Any = None
    """When the work was done."""


class RequirementNotice(_Common):
    """The second shape: the work is named by `req_number`. The reference emits this one."""

    req_number: Word
    """The requirement (in a chain: the feature)."""
    deliverable: Word
    """URL of the deliverable: `nats://` + subject."""
    containers_affected: list[Any] | None = None
    """Containers that changed."""
    changes: Any = None
    """What changed, by name."""


@dataclass(frozen=True)
class Notice:
    """One view of both shapes."""

    agent: str
    requirement: str
    """`req_number`; in the first shape the last token of the channel, or `task` when the channel has none."""
    status: Literal["COMPLETE", "BLOCKED", "FAILED"]
    deliverable: str
    """URL, as the agent gave it; `nats://` is added to a bare channel of the first shape."""
    summary: str
    blockers: tuple[str, ...] = ()
    critique_verdict: Literal["APPROVED", "APPROVED_WITH_CONDITIONS", "REJECTED"] | None = None
    next_agents: tuple[str, ...] = ()
    ready_for_next_stage: bool | None = None
    needs_todd: bool = False
    needs_vic: bool = False
    also_named: str | None = None
    """Another name of the same work: `task` of the first shape."""
    raw: dict[str, Any] = field(default_factory=dict)
    """The object as it came, unknown fields too."""

    @property
    def next_agent(self) -> str | None:
        """Who should go on; the first, when several are named."""
        return self.next_agents[0] if self.next_agents else None

    def to_json(self) -> str:
        """The notice on one line, as it goes over the wire."""
        return to_json(self.raw).decode("utf-8")

    def is_for(self, requirement: str) -> bool:
        """Whether this notice speaks of `requirement`."""
        return requirement in (self.requirement, self.also_named)


@dataclass(frozen=True)
class Parsed:
    """A notice that was found in output."""

    notice: Notice
    text: str
    """The JSON object exactly as the agent printed it; what its tokens are counted over."""


def parse(value: dict[str, Any]) -> Notice:
    """The notice that the JSON object `value` is, in either shape.

    Raises:
        BadInput: it is no notice; one line that names the field.
    """
    if _upper(value.get("status")) not in ("COMPLETE", "BLOCKED", "FAILED"):
        raise BadInput(f"status is {_shown(value.get('status'))}, not COMPLETE, BLOCKED or FAILED")
    first_shape = not value.keys() & {"req_number", "deliverable"} and value.keys() & {"task", "nats_channel"}
    model: type[TaskNotice | RequirementNotice] = TaskNotice if first_shape else RequirementNotice
    try:
        return _view(model.model_validate(value), value)
    except ValidationError as error:
        if not first_shape and {"task", "nats_channel"} <= value.keys():
            try:
                return _view(TaskNotice.model_validate(value), value)
            except ValidationError:
                pass
        raise BadInput(_reason(error)) from None


def _view(model: TaskNotice | RequirementNotice, raw: dict[str, Any]) -> Notice:
    also: str | None = None
    if isinstance(model, TaskNotice):
        channel = model.nats_channel.removeprefix(subjects.URL_SCHEME)
        url, also = subjects.to_url(channel), model.task
        requirement = channel.rpartition(".")[2] or model.task
    else:
        url, requirement = model.deliverable, model.req_number
    return Notice(
        agent=model.agent,
        requirement=requirement,
        status=model.status,
        deliverable=url,
        summary=model.summary,
        blockers=_texts(model.blockers),
        critique_verdict=model.critique_verdict,
        next_agents=_texts(model.next_agent),
        ready_for_next_stage=model.ready_for_next_stage,
        needs_todd=bool(model.needs_todd),
        needs_vic=bool(model.needs_vic),
        also_named=also,
        raw=raw,
    )


def _texts(value: list[Any] | list[str] | str | None) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value or []
    texts = (item if isinstance(item, str) else to_json(item).decode("utf-8") for item in items if item is not None)
    return tuple(text.strip() for text in texts if text.strip())


def _reason(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_url=False, include_context=False):
        name = ".".join(map(str, problem["loc"][:1]))
        if problem["type"] == "missing":
            parts.append(f"it has no {name}")
        else:
            parts.append(f"{name} is {_shown(problem['input'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}")
    return ", ".join(dict.fromkeys(parts))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def create(
    agent: str, requirement: str, status: str, deliverable: str, summary: str, **fields: Any
) -> Notice:  # fmt: skip
    """[D4] A notice of the second shape. `fields` are further ones (None is left out); see `check_size` for its limit.

    `deliverable` is a URL or a subject.

    Raises:
        BadInput: a field cannot be part of a notice.
    """
    url = deliverable if deliverable.startswith(subjects.URL_SCHEME) else subjects.to_url(deliverable)
    raw: dict[str, Any] = {
        "agent": agent,
        "req_number": requirement,
        "status": status.upper(),
        "deliverable": url,
        "summary": summary,
        **{name: value for name, value in fields.items() if value is not None},
    }
    try:
        return parse(from_json(to_json(raw)))
    except PydanticSerializationError as error:
        raise BadInput(f"the notice cannot be written as JSON: {error}") from None


def check_size(text: str, counter: Callable[[str], int] = tokens.count, limit: int = MAX_TOKENS) -> int:
    """[D4] The number of tokens of the notice `text`.

    Raises:
        NoticeTooLarge: more than `limit`; the message names the longest field.
    """
    total = counter(text)
    if total <= limit:
        return total
    try:
        value = from_json(text)
    except ValueError:
        value = None
    sizes = {key: counter(to_json(item).decode()) for key, item in value.items()} if isinstance(value, dict) else {}
    longest = max(sizes, key=sizes.__getitem__, default="the whole notice")
    raise NoticeTooLarge(tokens=total, limit=limit, field=longest, field_tokens=sizes.get(longest, total))


def parse_output(output: str, *, agent: str, requirement: str | None) -> Parsed:
    """The last complete JSON object in `output` that is a notice of `agent` for `requirement` (None: for any).

    Output is what agents really print: prose, fences with LF or CRLF, examples, logs, JSON inside JSON strings, cut-off
    JSON. Agents compare without regard to case. Objects that nest deeper than 100 levels are passed over.

    Raises:
        NoticeMissing: there is none; the reason tells of the last object that came near.
    """
    window = _FIRST_WINDOW
    while window < len(output):
        # No JSON string goes over a line end, so what the last lines hold is the same as in the whole output.
        begin = output.find("\n", len(output) - window) + 1
        if begin and isinstance(found := _last_notice(output[begin:], agent, requirement), Parsed):
            return found
        window *= 8
    found = _last_notice(output, agent, requirement)
    if isinstance(found, Parsed):
        return found
    raise NoticeMissing(agent=agent, requirement=requirement or "any requirement", reason=found)


_FIRST_WINDOW: Final = 2**19


def _last_notice(output: str, agent: str, requirement: str | None) -> Parsed | str:
    """The notice, or why there is none."""
    scan = Scan(output, ("agent", "status"))
    reason = ""
    for found in scan.last_first():
        try:
            value = _read(found.text)
            if reason and str(value["agent"]).casefold() != agent.casefold():
                continue  # logs can hold a million objects with agent and status; full validation is for a reason
            notice = parse(value)
        except BadInput as error:
            reason = reason or f"the last JSON object with agent and status is no notice ({error})"
            continue
        if notice.agent.casefold() != agent.casefold():
            reason = reason or f"the last notice is from {notice.agent!r}"
        elif requirement is not None and not notice.is_for(requirement):
            reason = reason or f"the last notice is for {notice.requirement!r}"
        else:
            return Parsed(notice, found.text)
    if not reason and scan.broken is not None:
        reason = f"the JSON object at character {scan.broken} is cut off or broken"
    return reason or ("no complete JSON object in it has agent and status" if output.strip() else "it is empty")


def _read(text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = from_json(text.encode("utf-8", "replace"))
    except ValueError as error:
        raise BadInput(f"it cannot be read: {error}") from None
    return value


def inconsistencies(notice: Notice) -> list[str]:
    """What contradicts itself in `notice`, one line each; empty when it is consistent."""
    found = []
    if notice.blockers and notice.status == "COMPLETE":
        found.append(f"COMPLETE with blockers: {', '.join(notice.blockers)}")
    if notice.blockers and notice.critique_verdict == "APPROVED":
        found.append(f"APPROVED with blockers: {', '.join(notice.blockers)}")
    if not notice.blockers and notice.status == "BLOCKED":
        found.append("BLOCKED without blockers")
    if notice.critique_verdict == "REJECTED":
        if notice.ready_for_next_stage:
            found.append("REJECTED with ready_for_next_stage")
        found += [
            f"REJECTED with implementer {name} as next_agent"
            for name in notice.next_agents
            if name.casefold() in IMPLEMENTERS
        ]
    return found
