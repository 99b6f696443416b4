"""GitHub issues as requirements: objects of the REST API, of its webhooks and of `gh issue list --json`. [O1]

Labels say priority (`priority: high`, `P1`, `security`), effort (`size/M`), agent (`agent: roy`) and status. Labelled
lines and headings in the body, as in a roadmap, say the same, status apart, and win. `Depends on #12` names an
issue of the same repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake import ids, roadmap, words
from pytest_agog.reference.orchestrator.intake.lines import encode
from pytest_agog.reference.orchestrator.intake.objects import MAX_TEXT
from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.wire.orchestration import Priority

_REPOSITORY: Final = re.compile(
    r"https?://[^/\s]+/(?:api/v3/)?(?:repos/)?([^/\s]+/[^/\s]+)(?:/(?:issues|pull)/\d+)?/?\Z"
)
_STATED_ID: Final = re.compile(r"\s*\[?(REQ-[A-Za-z0-9-]+)\]?\s*(?:[:\uff1a]|-\s)\s*(?=\S)")
_LABEL: Final = re.compile(r"\s*(priority|prio|size|effort|complexity|agent|status)\s*[:/=-]\s*(.+)", re.IGNORECASE)
_REFERENCE: Final = re.compile(r"(?<![\w/#&])#(\d{1,9})\b")
_DEPENDS: Final = re.compile(r"^[ \t>*+-]*(?:depends on|blocked by)[ \t]+(.*#\d.*)$", re.IGNORECASE | re.MULTILINE)
_BY_LABEL: Final[Mapping[str, Priority]] = {
    "security": "CRITICAL",
    "outage": "CRITICAL",
    "data corruption": "CRITICAL",
    "nice-to-have": "LOW",
}


def is_issue(value: Any) -> bool:
    """Whether a JSON value is an issue, or a webhook's event about one."""
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("issue"), dict):
        return is_issue(value["issue"])
    number = value.get("number")
    return isinstance(number, int) and not isinstance(number, bool) and "title" in value


def read_issue(value: Any, *, line: int = 1, file: str = "") -> Stated:
    """The requirement that an issue states.

    Raises:
        BadInput: why it states none.
    """
    if not is_issue(value):
        raise BadInput("expected a GitHub issue (an object with number and title)")
    event = value if isinstance(value.get("issue"), dict) else {}
    issue = event.get("issue", value)
    number = issue["number"]
    if issue.get("pull_request") is not None:
        raise BadInput(f"#{number} is a pull request, not an issue")
    if number < 1 or not isinstance(issue["title"], str) or not issue["title"].strip():
        raise BadInput(f"#{number} has no title or no number")
    repository = _repository(issue, event)
    title = issue["title"].encode("utf-8", "replace").decode("utf-8")
    named = _STATED_ID.match(title)
    identity = named[1] if named else ids.of_issue(number, repository)
    body = issue.get("body")
    stated = _from_body(identity, title[named.end() :] if named else title, body if isinstance(body, str) else "",
                        repository)  # fmt: skip
    stated = _with_labels(stated, _labels(issue))
    if str(issue.get("state", "")).lower() == "closed":
        stated = replace(stated, state="COMPLETE")
    return replace(stated, line=line, file=file, requested_by=stated.requested_by or _author(issue))


def _from_body(identity: str, title: str, body: str, repository: str | None) -> Stated:
    """The issue as the roadmap entry that it would be, so that both are read by the same rules."""
    text = body[:MAX_TEXT].replace("\0", "")
    # The body's headings must not end the entry, nor begin others: all of them go below its own.
    text = re.sub(r"(?m)^( {0,3})#{1,6}(?=[ \t])(?![ \t]*REQ-)", r"\1######", text)
    text = re.sub(r"(?m)^( {0,3})(?=#{1,6}[ \t]*(?i:req))", r"\1\\", text)
    named = [
        ids.of_issue(int(number), repository) for line in _DEPENDS.findall(text) for number in _REFERENCE.findall(line)
    ]
    text = _REFERENCE.sub(lambda found: ids.of_issue(int(found[1]), repository), text)
    heading = " ".join(title.split()) or "untitled"
    read = roadmap.parse(encode(f"## {identity}: {heading}\n\n{text}\n"))
    if read.unreadable:
        raise BadInput(read.unreadable[0].why)
    stated = read.entries[identity].stated
    # Anybody can write a body; whether the work is done, GitHub itself says.
    return replace(stated, state="PENDING", dependencies=tuple(dict.fromkeys((*stated.dependencies, *named))))


def _with_labels(stated: Stated, labels: list[str]) -> Stated:
    for label in labels:
        found = _LABEL.fullmatch(label)
        kind, value = (found[1].lower(), found[2]) if found else ("", label)
        if kind in {"", "priority", "prio"} and stated.priority is None:
            stated = replace(stated, priority=_priority(value, named=bool(kind)))
        if kind in {"size", "effort", "complexity"} and stated.effort is None:
            stated = replace(stated, effort=words.effort(value)[0])
        if kind == "agent" and stated.agent is None:
            stated = replace(stated, agent=words.agent(value))
        if kind == "status" and stated.state == "PENDING":
            stated = replace(stated, state=words.state(value))
    return stated


def _priority(value: str, *, named: bool) -> Priority | None:
    try:
        return words.priority(value)
    except BadInput:
        if named:
            raise
        return _BY_LABEL.get(value.strip().lower())


def _labels(issue: Mapping[str, Any]) -> list[str]:
    labels = issue.get("labels")
    names = (
        [item.get("name") if isinstance(item, dict) else item for item in labels] if isinstance(labels, list) else []
    )
    return [name for name in names if isinstance(name, str)]


def _author(issue: Mapping[str, Any]) -> str | None:
    for key in ("user", "author"):
        person = issue.get(key)
        if isinstance(person, dict) and isinstance(person.get("login"), str):
            return str(person["login"])
    return None


def _repository(issue: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
    """`owner/name`."""
    about = event.get("repository") or issue.get("repository")
    name = about.get("full_name") or about.get("nameWithOwner") if isinstance(about, dict) else None
    if isinstance(name, str) and name.count("/") == 1:
        return name
    for key in ("repository_url", "html_url", "url"):
        found = _REPOSITORY.match(issue[key]) if isinstance(issue.get(key), str) else None
        if found:
            return found[1]
    return None
