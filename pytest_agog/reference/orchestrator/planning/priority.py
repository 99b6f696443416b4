"""How urgent it is: what is stated, else what its text says, raised when others wait for it. [O2]"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pytest_agog.reference.orchestrator.intake.stated import Stated
from pytest_agog.reference.orchestrator.planning import wording
from pytest_agog.wire.orchestration import Priority

ORDER: Final[dict[Priority, int]] = {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 3}
"""The most urgent first."""
_STATED: Final[dict[Priority, str]] = {priority: f"{priority} is stated" for priority in ORDER}

_DOWN: Final = (
    r"(?:down\b(?!\s+(?:to|payments?)\b)|crash\w*|outages?|unavailable|offline|unreachable|broken|fail(?:s|ing|ed|ures?)?|"
    r"incidents?|emergency)\b(?!\s+(?:reports?|dashboards?|rates?|statistics|history|analysis|analytics|codes?|reasons?)\b)"
)
_FLAW: Final = (
    r"(?:issues?|holes?|flaws?|bugs?|breach(?:es)?|vulnerabilit(?:y|ies)|patch(?:es)?|fix(?:es)?|hotfix|risks?|leaks?|"
    r"weakness(?:es)?|problems?|incidents?|defects?|exploits?)"
)
_CRITICAL: Final = (
    ("production is down", re.compile(
        rf"\b(?:production|prod|live system)\b(?:[\s:,-]+\w+){{0,3}}?[\s:,-]+{_DOWN}"
        rf"|\b{_DOWN}(?:[\s,:-]+\w+){{0,3}}?\s+(?:in|on|of)\s+(?:the\s+)?(?:production|prod|live system)\b",
        re.IGNORECASE)),
    ("data is corrupted", re.compile(
        r"\bdata(?:base)?[\s-]+(?:\w+\s+){0,2}?(?:corrupt\w*|loss|destroyed|lost)\b(?!\s+and\s+found\b)"
        r"|\b(?:corrupt(?:s|ed|ing)?|destroys?|los(?:es?|ing))\s+(?:\w+\s+){0,2}?(?:data|database|table|tables|"
        r"records?|rows?)\b|\bcorruption\s+of\s+(?:\w+\s+){0,2}?(?:data|database|tables?|records?|rows?|files?)\b",
        re.IGNORECASE)),
    ("security", re.compile(
        rf"\bvulnerab(?:ility|ilities|le)\b|\bcve-\d{{4}}|\bsecurity[\s-]+(?:\w+\s+)?{_FLAW}\b|\b(?:sql|code|command)[\s-]"
        r"injections?\b|\bremote code execution\b|\bcross-site scripting\b|\bxss\b|\bcsrf\b|\bauth\w*[\s-]+bypass",
        re.IGNORECASE)),
)  # fmt: skip
_SECURITY: Final = re.compile(
    r"(?<!social )\bsecurity\b(?!\s+(?:deposits?|guards?|officers?|staff|"
    r"pages?|settings?|dashboards?|docs|documentation|guides?|sections?|training|forms?|views?|tabs?|"
    r"components?|questions?|chapters?|notes?)\b)",
    re.IGNORECASE,
)  # fmt: skip
_CRITICAL_SIGNS: Final = frozenset(
    {"production", "prod", "live", "data", "database", "corruption", "corrupted", "security", "vulnerability",
     "vulnerabilities", "vulnerable", "cve", "injection", "injections", "execution", "scripting", "xss", "csrf",
     "bypass"}
)  # fmt: skip
_BUGS: Final = frozenset({"bug", "bugs", "bugfix", "defect", "defects", "regression", "broken", "crash", "crashes",
                          "hotfix", "cannot"})  # fmt: skip
_USERS: Final = frozenset({"user", "users", "customer", "customers", "visitor", "visitors", "buyer", "buyers", "client",
                           "clients"})  # fmt: skip
_BREAKING: Final = re.compile(
    r"\b(?:breaking[\s-]+changes?|breaks?\s+(?:the\s+)?(?:\w+\s+)?(?:compatibility|api)|"
    r"backwards?[\s-]+incompatib\w+|incompatible\s+changes?)\b",
    re.IGNORECASE,
)
_NOT_BREAKING: Final = re.compile(r"\b(?:no|non|not\s+an?|without(?:\s+an?)?)[\s-]+breaking\b", re.IGNORECASE)
_RELEASE: Final = re.compile(r"\breleas(?:e|es|ed|ing)\b|\bv?\d+\.\d+\b|\bv\d+\b", re.IGNORECASE)
_DOCS: Final = frozenset({"documentation", "docs", "readme", "changelog"})
_CLEAN: Final = re.compile(
    r"\b(?:clean-?ups?|nice[\s-]to[\s-]haves?|tidy(?:ing)?|dead code)\b|\bcode clean(?:ing)?[\s-]?ups?\b"
    r"|\bclean(?:ing|s)?\s+(?:\w+\s+)?up\b",
    re.IGNORECASE,
)
_CLEAN_SIGNS: Final = frozenset(
    {"clean", "cleans", "cleaning", "cleanup", "cleanups", "tidy", "tidying", "dead", "nice"}
)
_NICE: Final = re.compile(r"\bnice[\s-]to[\s-]haves?\b", re.IGNORECASE)
_WORK: Final = frozenset({"feature", "features", "enhancement", "enhancements", "enhance", "refactor", "refactoring"})


def is_breaking(words: wording.Wording) -> bool:
    """Whether a text announces a change that breaks others."""
    if words.set.isdisjoint(("breaking", "breaks", "break", "incompatible", "backward", "backwards")):
        return False
    return _BREAKING.search(words.prose) is not None and _NOT_BREAKING.search(words.prose) is None


def assess(stated: Stated, words: wording.Wording, lane: str | None, *, breaking: bool) -> tuple[Priority, str]:
    """The priority by what is stated or said, and the reason for it.

    Args:
        stated: the requirement.
        words: its words.
        lane: where it is routed.
        breaking: whether it breaks others.
    """
    if stated.priority is not None:
        return stated.priority, _STATED[stated.priority]
    found, why = _from_text(words, lane, breaking=breaking)
    return found, _told(found, why)


@lru_cache(maxsize=256)
def _told(found: Priority, why: str) -> str:
    return f"{found}: {why}"


def raised(found: Priority, why: str, waiting: int) -> tuple[Priority, str]:
    """The priority when so many that are not complete wait for it: what is MEDIUM and not stated becomes HIGH."""
    if found == "MEDIUM" and waiting and why != _STATED[found]:
        return "HIGH", f"HIGH: {waiting} {'waits' if waiting == 1 else 'wait'} for it"
    return found, why


def _from_text(words: wording.Wording, lane: str | None, *, breaking: bool) -> tuple[Priority, str]:
    if not words.set.isdisjoint(_CRITICAL_SIGNS):
        for why, pattern in _CRITICAL:
            if pattern.search(words.prose):
                return "CRITICAL", why
        if "security" in words.title and lane != "documentation" and _SECURITY.search(_title(words)):
            return "CRITICAL", "security"
    if breaking and _RELEASE.search(words.prose):
        return "HIGH", "a breaking change for a release"
    if _user_facing_bug(words, lane):
        return "HIGH", "a bug that users see"
    if lane == "documentation" or (lane is None and not _DOCS.isdisjoint(words.title)):
        return "LOW", "documentation"
    if not words.set.isdisjoint(_CLEAN_SIGNS) and (
        _NICE.search(words.prose) or (_CLEAN.search(_title(words)) and _WORK.isdisjoint(words.title))
    ):
        return "LOW", "clean-up, or nice to have"
    return "MEDIUM", "a feature, an enhancement or refactoring"


def _title(words: wording.Wording) -> str:
    return words.prose.partition("\n")[0]


def _user_facing_bug(words: wording.Wording, lane: str | None) -> bool:
    if _BUGS.isdisjoint(words.set):
        return lane == "frontend" and bool(words.title) and words.title[0] in ("fix", "fixes", "repair")
    return lane == "frontend" or not _USERS.isdisjoint(words.set)
