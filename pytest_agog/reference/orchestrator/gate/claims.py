"""Claims about tests that a report or notice makes, held against what the gate itself saw. [O12]

A claim is a count (`42 tests passed`, `42/42 tests`, `42 passed`) or a statement (`all tests pass`, `the test suite is
green`). It needs a run of the gate that counted tests. More passed tests than the gate counted contradict it; so does
`all N tests` or `N/N` where N is neither the gate's total nor that of one of its commands, unless the claim speaks of a
part (`all 12 new tests`). Conditions, orders and denials (`once all tests pass`, `tests must pass`) claim nothing, nor
does what stands in a quotation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pytest_agog.reference.orchestrator.gate.outcomes import Outcome

_PART: Final = (
    r"new|added|further|more|unit|integration|e2e|end-to-end|backend|frontend|api|regression|smoke|ui|component|snapshot"
    r"|database|migration|contract|of the|existing|other|relevant|related|affected"
)
_COUNT: Final = re.compile(
    rf"(?P<all>\ball (?:of (?:the )?)?)?(?<![\d.,:/-])(?:(?P<share>\d{{1,6}}) ?(?:/|of|out of) ?)?(?P<n>\b\d{{1,6}})"
    r"(?![\d.:%-]*\d)"
    rf"(?P<part>(?: (?:{_PART}))*)(?P<what> (?:automated )?tests?| test cases| specs| examples| assertions?)?"
    r"(?: (?:have|has|are|were|now|all|successfully|of them|that|still)){0,3}"
    r" ?(?:: ?)?(?P<end>\b(?:pass(?:ed|es|ing)?|green|succeed(?:ed|s)?|successful)\b)",
    re.IGNORECASE,
)
_REVERSED: Final = re.compile(
    r"\btests?(?: (?:passed|passing|results?))?: ?(?P<share>\d{1,6}) ?(?:/|of|out of) ?(?P<n>\d{1,6})\b", re.IGNORECASE
)
_BARE: Final = re.compile(
    rf"\b(?:(?:all|the|every)(?: of)?(?: (?:the|our|its|{_PART}|automated)){{0,4}} (?:tests?|test suites?|specs)"
    r"|tests?|test suites?|100 ?% of (?:the )?tests)(?: (?:are|is|have|has|now|all|still|also)){0,3}"
    r" (?:pass(?:ed|es|ing)?|green|succeed(?:ed|s)?|successful)\b",
    re.IGNORECASE,
)
_NO_CLAIM: Final = re.compile(
    r"\b(?:not|no|never|cannot|can't|isn't|aren't|don't|doesn't|didn't|once|until|unless|if|when|whether|before|must|should"
    r"|shall|ensures?|make sure|need|needs|require[sd]?|expect|would|will|have to|has to|so that|to make|acceptance"
    r"|criteri(?:on|a)|goal)\b",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+|\n+")
_LONGEST: Final = 2000
_MOST: Final = 20
_NEAR: Final = 40
"""Characters before a claim in which a word can deny it."""
_LEAD: Final = re.compile(
    r"(?:\A|[^\w\s]|\b(?:tests?|passed|failed|with|total|results?|all|and|now))\s*\Z", re.IGNORECASE
)
"""What may stand before a bare `12 passed`; `phase 12 passed` is no count."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that is said about tests."""

    text: str
    """As it stands there."""
    passed: int | None = None
    """How many are said to have passed; None when no number is given."""
    whole: bool = False
    """Whether the number is said to be all there are."""


def claims_in(text: str) -> list[Claim]:
    """What a text claims about tests, in its order, at most twenty."""
    found: list[Claim] = []
    for line in _SENTENCE.split(text.replace("\r\n", "\n")):
        sentence = re.sub(r"[*_`]+", " ", line[:_LONGEST]).replace("|", ";")
        sentence = re.sub(r" {2,}", " ", sentence)
        if line.lstrip().startswith(">"):
            continue
        counts = _counts(sentence)
        found += counts
        if not counts and (bare := _BARE.search(sentence)) and not _denied(sentence, bare.start(), bare.end()):
            found.append(Claim(bare[0].strip()))
    return found[:_MOST]


def _counts(sentence: str) -> list[Claim]:
    found = []
    for match in (*_COUNT.finditer(sentence), *_REVERSED.finditer(sentence)):
        named = match.groupdict()
        assertions = (named.get("what") or "").strip().startswith("assertion")
        if assertions or _denied(sentence, match.start(), match.start()):
            continue
        counted = match.re is _REVERSED or named.get("what") or match["share"] or named.get("all")
        if not counted and not _LEAD.search(sentence[: match.start()]):
            continue
        number, share = int(match["n"]), match["share"]
        part = bool(named.get("part"))
        if share is None:
            found.append(Claim(match[0].strip(), number, whole=bool(named.get("all")) and not part))
        else:
            # Of `40/42 tests passed`, 40 passed; that 42 are all is claimed by 42/42 alone.
            found.append(Claim(match[0].strip(), int(share), whole=int(share) == number and not part))
    return found


def _denied(sentence: str, begin: int, end: int) -> bool:
    return _NO_CLAIM.search(sentence[max(begin - _NEAR, 0) : end]) is not None


def contradictions(texts: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """What of the claims in these texts the gate's own runs do not bear out, a line each."""
    total = sum(outcome.passed for outcome in outcomes)
    fitting = {total, *(n for one in outcomes for n in (one.passed, one.ran, one.ran + one.skipped))}
    fitting |= {sum(one.ran for one in outcomes), sum(one.ran + one.skipped for one in outcomes)}
    found = []
    for claim in dict.fromkeys(claim for text in texts for claim in claims_in(text)):
        said = f"the claim {claim.text!r}"
        if not total:
            found.append(f"{said} has no evidence: no command of the gate saw a test pass")
        elif claim.passed is not None and (claim.whole or claim.passed > total) and claim.passed not in fitting:
            found.append(f"{said} contradicts the gate, which counted {total} that passed")
    return found
