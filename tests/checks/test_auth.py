"""The claim `auth`: what is allowed, what is denied, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pytest_agog.checks.auth import AuthArguments, judge_auth
from pytest_agog.checks.base import Verdict
from pytest_agog.ledger.answers import AuthOutcome, AuthSeen, AuthTry
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.probes import AuthProbe

VIOLATION = "-ERR 'Permissions Violation for Publish to \"x\"'"


def tried(outcome: AuthOutcome, what: str = "publish to x", *, needed: bool = True) -> AuthTry:
    return AuthTry(what, outcome, VIOLATION if outcome == "denied" else "words", needed)


def judged(*tries: AuthTry, allowed: bool, reason: str = "", asked: bool = True, **further: Any) -> Verdict:
    given = {"user": "agents", "operation": "purge", "on": "agent-comms", **further}
    arguments = AuthArguments.model_validate({**given, "allowed": allowed})
    probe = AuthProbe(arguments.user, arguments.operation, arguments.on or "")
    ledger = Ledger()
    ledger.append(
        AuthSeen(probe.key, probe.user, probe.operation, probe.on, tries, "TLSv1.3", asked=asked, reason=reason)
    )
    return judge_auth(ledger, arguments)


def test_denied_is_what_the_server_refuses() -> None:
    verdict = judged(tried("denied"), allowed=False)
    assert verdict.passed
    assert VIOLATION in verdict.observed
    assert "TLSv1.3" in verdict.observed
    assert verdict.evidence[0].details["outcome"] == "denied"
    assert not judged(tried("denied"), allowed=True).passed


def test_allowed_is_what_it_lets_through() -> None:
    assert judged(tried("allowed"), allowed=True).passed
    assert not judged(tried("allowed"), allowed=False).passed


@pytest.mark.parametrize("outcome", ["unanswered", "unreachable"])
@pytest.mark.parametrize("allowed", [True, False])
def test_silence_is_neither(outcome: AuthOutcome, *, allowed: bool) -> None:
    verdict = judged(tried(outcome), allowed=allowed)
    assert not verdict.passed
    assert verdict.observed.startswith("nothing to judge: neither allowed nor denied")


def test_an_open_side_door_is_not_a_denial() -> None:
    main, side = tried("denied"), tried("allowed", "publish to y", needed=False)
    verdict = judged(main, side, allowed=False)
    assert not verdict.passed
    assert "publish to y" in verdict.observed


def test_a_closed_side_door_takes_nothing_away() -> None:
    assert judged(tried("allowed"), tried("denied", needed=False), allowed=True).passed


def test_half_of_what_is_needed_is_not_enough() -> None:
    assert not judged(tried("allowed"), tried("denied"), allowed=True).passed


def test_an_open_door_is_seen_though_another_is_silent() -> None:
    verdict = judged(tried("unanswered"), tried("allowed", "publish to y", needed=False), allowed=False)
    assert not verdict.passed
    assert verdict.observed.startswith("allowed: publish to y")


def test_who_cannot_connect_proves_nothing_about_permissions() -> None:
    refused = AuthTry("connect", "denied", "-ERR 'Authorization Violation'")
    assert "cannot even connect" in judged(refused, allowed=False).observed
    assert judged(refused, allowed=False, operation="connect", on=None).passed
    assert judged(refused, allowed=False, user="nobody").passed


def test_an_open_server_is_named() -> None:
    assert "asks nobody who they are" in judged(tried("allowed"), allowed=False, asked=False).nearest


def test_what_was_not_tried_is_not_judged() -> None:
    verdict = judged(allowed=False, reason="this play has no credentials of a user 'agents'")
    assert "no credentials" in verdict.observed
    assert not judge_auth(Ledger(), AuthArguments(user="a", operation="connect", allowed=False)).passed


@pytest.mark.parametrize(
    ("operation", "on"),
    [
        ("publish", None), ("publish", "a.>"), ("publish", "a..b"), ("publish", "a b"), ("subscribe", None),
        ("subscribe", "a..b"), ("subscribe", "a.>.b"), ("connect", "x"),
        ("consume", None), ("consume", "stream"), ("consume", "a/b/c"),
        ("purge", "a/b"), ("purge", "a.b"), ("delete", "a/b/c"), ("create", ">"), ("purge", "a\r\nPUB x 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_wrong(operation: str, on: str | None) -> None:
    with pytest.raises(ValidationError):
        AuthArguments.model_validate({"user": "agents", "operation": operation, "on": on, "allowed": True})


@pytest.mark.parametrize(
    ("operation", "on"),
    [
        ("publish", "a.b"),
        ("subscribe", "a.>"),
        ("create", None),
        ("create", "a/b"),
        ("delete", "a"),
        ("consume", "a/b"),
    ],
)
def test_what_can_be_tried(operation: str, on: str | None) -> None:
    AuthArguments.model_validate({"user": "agents", "operation": operation, "on": on, "allowed": True})
