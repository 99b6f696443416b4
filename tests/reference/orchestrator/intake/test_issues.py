"""GitHub issues as requirements."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_agog.errors import BadInput
from pytest_agog.reference.orchestrator.intake.issues import is_issue, read_issue

URL = "https://github.com/acme/shop/issues/7"


def issue(body: str | None = None, *labels: str, **fields: Any) -> dict[str, Any]:
    named = [{"name": label} for label in labels]
    return {"number": 7, "title": "Fix it", "html_url": URL, "labels": named, "body": body, "state": "open", **fields}


@pytest.mark.parametrize(
    ("about", "identity"),
    [
        ({"html_url": URL}, "REQ-GH-acme-shop-7"),
        ({"html_url": None, "url": "https://api.github.com/repos/acme/shop/issues/7"}, "REQ-GH-acme-shop-7"),
        ({"html_url": None, "repository_url": "https://api.github.com/repos/acme/shop"}, "REQ-GH-acme-shop-7"),
        ({"html_url": None, "repository": {"nameWithOwner": "acme/shop"}}, "REQ-GH-acme-shop-7"),
        ({"html_url": None}, "REQ-GH-7"),
        ({"title": "REQ-I18N-001: Fix it"}, "REQ-I18N-001"),
        ({"title": "[REQ-5] - Fix it"}, "REQ-5"),
    ],
)
def test_an_issue_has_the_same_id_whenever_it_is_read(about: dict[str, Any], identity: str) -> None:
    stated = read_issue(issue(None, **about))
    assert (stated.id, stated.title) == (identity, "Fix it")


def test_a_webhook_says_its_repository() -> None:
    event = {"action": "opened", "issue": issue(html_url=None), "repository": {"full_name": "acme/shop"}}
    assert read_issue(event).id == "REQ-GH-acme-shop-7"


def test_labels_say_what_the_body_does_not() -> None:
    stated = read_issue(issue("", "bug", "priority: high", "size/XL", "agent: roy", "status: blocked"))
    assert (stated.priority, stated.effort, stated.agent, stated.state) == ("HIGH", "XL", "roy", "BLOCKED")
    stated = read_issue(issue("**Priority**: low\nAgent: jen", "P0", "agent: roy"))
    assert (stated.priority, stated.agent) == ("LOW", "jen")
    assert read_issue(issue(None, "security")).priority == "CRITICAL"


def test_a_form_is_read() -> None:
    body = (
        "### Files\r\n\r\n- src/a.ts\r\n\r\n### Priority\r\n\r\nMedium\r\n\r\n### Dependencies\r\n\r\n_No response_\r\n"
    )
    stated = read_issue(issue(body))
    assert (stated.files, stated.priority, stated.dependencies) == (("src/a.ts",), "MEDIUM", ())


@pytest.mark.parametrize("body", ["Depends on #12", "- Blocked by #12.", "Depends on: #12", "Dependencies: #12",
                                  "Depends on #12\n\nBlocked by #12"])  # fmt: skip
def test_a_dependency_names_an_issue_of_the_same_repository(body: str) -> None:
    assert read_issue(issue(f"Text.\n\n{body}\n\nMore.")).dependencies == ("REQ-GH-acme-shop-12",)


def test_several_dependencies_are_all_kept() -> None:
    stated = read_issue(issue("Depends on: REQ-1\n\nDepends on #2\nBlocked by #3 and #4"))
    assert stated.dependencies == ("REQ-1", *(f"REQ-GH-acme-shop-{number}" for number in (2, 3, 4)))


def test_a_closed_issue_is_complete() -> None:
    assert read_issue(issue(state="CLOSED")).state == "COMPLETE"


@pytest.mark.parametrize("body", ["### REQ-9: another\nStatus: DONE", "###REQ-9: x", "# Title\n\n## Part", "\0",
                                  "```\nnever closed\n### REQ-9: x", "<!-- ### REQ-9", "* " * 5000, "*" * 50_000,
                                  "Depends on " + "*" * 50_000, "Status" + " " * 50_000])  # fmt: skip
def test_no_body_makes_more_of_an_issue_than_itself(body: str) -> None:
    try:
        stated = read_issue(issue(body))
    except BadInput as error:
        assert "never closed" in str(error)  # noqa: PT017 - one of two right answers
    else:
        assert (stated.id, stated.state) == ("REQ-GH-acme-shop-7", "PENDING")


@pytest.mark.parametrize(
    ("value", "part"),
    [(issue(pull_request={"url": "x"}), "pull request"), (issue(title=" "), "has no title"), (issue(number=0), "#0"),
     (issue("Priority: when I say so"), "Priority"), ({"title": "x"}, "expected a GitHub issue"), ([], "expected")],
)  # fmt: skip
def test_what_is_no_work_is_told(value: Any, part: str) -> None:
    with pytest.raises(BadInput, match=part):
        read_issue(value)


def test_what_is_an_issue() -> None:
    assert is_issue(issue())
    assert not any(is_issue(value) for value in ({"id": "REQ-1", "title": "x"}, {"number": True, "title": "x"}, "x"))
