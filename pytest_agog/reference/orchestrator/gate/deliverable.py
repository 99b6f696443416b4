"""Whether the report that a notice names is there, and is a report. [F05] [F06] [F07] [F15]"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

from pydantic_core import from_json

from pytest_agog.errors import (
    BadInput,
    DeliverableMissing,
    DeliverableUnreadable,
    DigestMismatch,
    ObjectUnreadable,
    StreamMissing,
)
from pytest_agog.wire import notices, subjects
from pytest_agog.wire.notices import Notice

if TYPE_CHECKING:
    from pytest_agog.reference.deliverables.stored import Report

_NOTICE_SIZE: Final = 100_000
"""Characters; longer JSON is not tried as a notice."""
_END: Final = 300
"""Characters at the end in which a mark of truncation is looked for, and the most that a placeholder has."""
_STAND_IN: Final = re.compile(
    r"[\W_]*(?:(?:insert|add|put|your|the|full|actual|complete|report|deliverable|content|text|details?|goes|to|be|is|follows"
    r"|will|written|here|later|coming|soon|see|above|below|placeholder|todo|tbd|wip|n/?a|none|null|undefined|lorem|ipsum"
    r"|dolor|sit|amet)[\W_]*){1,20}\Z",
    re.IGNORECASE,
)
_CUT: Final = re.compile(
    r"(?:\[[^\[\]\w\n]{0,5}(?:[\w ]{0,30} )?(?:truncated|omitted|cut off)\b[^\[\]\n]{0,60}\]"
    r"|^[\W_]*(?:(?:the )?(?:output|report|content|text|message|rest|remainder)(?: of [\w ]{1,30})? )?(?:was |is )?"
    r"(?:truncated|omitted|cut off)(?: (?:at|after|here|for|due|because)\b[^\n]{0,60})?)[\W_]*\Z",
    re.IGNORECASE | re.MULTILINE,
)

_FENCE: Final = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})(.*)")


class Reads(Protocol):
    """Reads deliverables: `DeliverableEngine`."""

    async def report(self, *address: str) -> Report | None:
        """The latest report at a URL, or None."""


async def read(notice: Notice, engine: Reads) -> tuple[str | None, str]:
    """The content that the notice's URL leads to, checked against its digest, or why there is none.

    Raises:
        AgogError: NATS does not say; which is no fault of the work.
    """
    url = notice.deliverable
    try:
        found = await engine.report(url)
    except (StreamMissing, DeliverableMissing):
        return None, f"there is no deliverable at {url}: no stream holds that subject. Publish the report first"
    except DigestMismatch as error:
        return None, str(error)
    except (DeliverableUnreadable, ObjectUnreadable) as error:
        return None, f"what is at {url} is no report: {error}"
    except BadInput as error:
        return None, f"the notice's deliverable is no URL of one: {error}"
    if found is None:
        return None, f"there is no deliverable at {url}. Publish the report first"
    return found.content, ""


def problem(notice: Notice, content: str) -> str:
    """What is wrong with a report's content; empty when it can be one."""
    text = content.strip().strip("\ufeff\0").strip()
    if not text:
        return f"the deliverable at {notice.deliverable} is empty"
    if _is_notice(text):
        return f"the deliverable at {notice.deliverable} is a completion notice, not the report"
    if text in (notice.summary.strip(), notice.deliverable, notice.deliverable.removeprefix(subjects.URL_SCHEME)):
        return f"the deliverable at {notice.deliverable} only repeats the notice"
    if len(text) <= _END and _STAND_IN.match(text):
        return f"the deliverable at {notice.deliverable} is a placeholder"
    if _CUT.search(text[-_END:]):
        return f"the deliverable at {notice.deliverable} says at its end that it was cut off"
    if _open_ended(text):
        return f"the deliverable at {notice.deliverable} breaks off inside a code block"
    return ""


def _open_ended(text: str) -> bool:
    """Whether the last code block is never closed, as CommonMark has it."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark is None:
            continue
        if not fence:
            fence = mark[1]
        elif mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
    return bool(fence)


def _is_notice(text: str) -> bool:
    fenced = re.fullmatch(r"(?:```|~~~)\w*\s*(.*?)\s*(?:```|~~~)", text, re.DOTALL)
    text = fenced[1] if fenced else text
    if not text.startswith("{") or len(text) > _NOTICE_SIZE:
        return False
    try:
        value = from_json(text)
        notices.parse(value)
    except (ValueError, AttributeError, BadInput):
        return False
    return True
