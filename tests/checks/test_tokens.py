from __future__ import annotations

import pytest

from pytest_agog.checks.tokens import NoticeTokensArguments, SavingsArguments, account
from tests.checks.builders import CHECKS, Book, told

REPORT = "word " * 100
NOTICE = "note " * 3


@pytest.fixture
def chain(book: Book) -> Book:
    """Three turns; the third is tried twice and fetches ten tokens."""
    book.spawn("cynthia", "go now")
    book.spawn("sylvia", "go now", [("cynthia", REPORT, NOTICE)])
    earlier = [("cynthia", REPORT, NOTICE), ("sylvia", "word " * 50, NOTICE)]
    book.spawn("roy", "go now", earlier)
    book.spawn("roy", "go now", earlier, attempt=2)
    book.handed("roy", "word " * 10)
    return book


def test_the_account(chain: Book) -> None:
    found = account(chain.ledger)
    assert (found.inline, found.notices, found.fetched) == (100 + 2 * 150, 3 + 2 * 6 + 4 * 2, 10)
    assert found.spawn_savings == 1 - 23 / 400
    assert found.net_savings == 1 - 33 / 400
    assert [(row.agent, row.spawns, row.inline, row.notices, row.prompts, row.fetched) for row in found.by_agent] == [
        ("cynthia", 1, 0, 2, 2, 0),
        ("sylvia", 1, 100, 5, 2, 0),
        ("roy", 2, 300, 16, 4, 10),
    ]
    assert found.largest_notice is None


def test_a_report_that_was_never_published_costs_nothing(book: Book) -> None:
    book.spawn("sylvia", "go", [("cynthia", None, NOTICE)])
    assert account(book.ledger).inline == 0


def test_savings(chain: Book) -> None:
    verdict = chain.judge("tokens.spawn_savings", value={"at_least": "94%"})
    assert verdict.passed, told(verdict)
    assert verdict.expected == "spawn savings of at least 94 %"
    assert verdict.observed.startswith("94.2 % = 1 - notices / inline, with inline 400")
    assert verdict.nearest == "+0.25 points from the limit"
    assert "roy                 2       300        16        10" in verdict.evidence[0].excerpt
    near = chain.judge("tokens.spawn_savings", value={"at_least": "94.3%"})
    assert not near.passed
    assert not chain.judge("tokens.net_savings", value={"at_least": "92%"}).passed
    assert chain.judge("tokens.net_savings", value={"between": ["91%", "92%"]}).passed


def test_without_a_hand_over_there_is_nothing_to_judge(book: Book) -> None:
    book.spawn("cynthia", "go now")
    for name in ("tokens.spawn_savings", "tokens.net_savings"):
        verdict = book.judge(name, value={"at_least": 0})
        assert not verdict.passed
        assert verdict.observed == "nothing to judge: no report was handed over (1 spawn)"


def test_the_largest_single_notice(book: Book) -> None:
    assert "no notice was seen" in book.judge("tokens.notice", value={"at_most": 200}).observed
    book.notice("roy")
    book.notice("jen", summary="word " * 30)
    verdict = book.judge("tokens.notice", value={"at_most": 40})
    assert verdict.passed, told(verdict)
    assert "40 tokens, jen's notice, the largest of 2" in verdict.observed
    assert not book.judge("tokens.notice", value={"at_most": 39}).passed
    assert account(book.ledger).largest_notice == 40
    assert account(book.ledger).largest_notice_of == "jen"


def test_what_can_never_fail_is_told() -> None:
    savings, notice = CHECKS["tokens.spawn_savings"], CHECKS["tokens.notice"]
    assert savings.vacuous(SavingsArguments.model_validate({"value": {"at_most": "100%"}}))
    assert savings.vacuous(SavingsArguments.model_validate({"value": {"at_least": "95%"}})) is None
    assert savings.vacuous(SavingsArguments.model_validate({"value": {"at_least": 0}})) is None, (
        "savings can be negative"
    )
    assert notice.vacuous(NoticeTokensArguments.model_validate({"value": {"at_least": 0}}))
