"""Token savings: the account of a run, and claims about it. [D13]

Measured over what crossed the wire, never self-reported. A spawn that is tried again is a spawn: it would have carried
the reports again, and it does carry the notices again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_agog.checks.base import Check, Evidence, Verdict, nothing_to_judge, verdict
from pytest_agog.checks.evidence.telling import bound_of_shares, clock, excerpt, percent, short
from pytest_agog.checks.notices import SeenNotice, notices_of
from pytest_agog.ledger.facts import AgentHanded, AgentSpawned
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.values import Bound, Strict, plural


class SavingsArguments(Strict):
    """The bound on a share of tokens."""

    value: Bound
    """Savings, as a percentage: 1 is everything."""


class NoticeTokensArguments(Strict):
    """The bound on a number of tokens."""

    value: Bound
    """Tokens of the largest single notice."""


@dataclass(frozen=True)
class AgentTokens:
    """One agent's part of the account, over all its spawns."""

    agent: str
    spawns: int
    inline: int
    """Tokens of all earlier reports, as its prompts would have carried them."""
    notices: int
    """Tokens of the notices that stood for them, and of its prompts."""
    prompts: int
    """Tokens of its prompts alone; part of `notices`."""
    fetched: int
    """Tokens that it was handed on demand."""


@dataclass(frozen=True)
class TokenAccount:
    """What handing over by URL cost, against what pasting would have cost."""

    inline: int
    notices: int
    fetched: int
    largest_notice: int | None
    """Tokens; None when no notice was seen."""
    largest_notice_of: str
    by_agent: tuple[AgentTokens, ...]

    @property
    def spawn_savings(self) -> float | None:
        """1 - notices / inline, as a fraction; None when nothing was handed over."""
        return 1 - self.notices / self.inline if self.inline else None

    @property
    def net_savings(self) -> float | None:
        """1 - (notices + fetched) / inline, as a fraction; None when nothing was handed over."""
        return 1 - (self.notices + self.fetched) / self.inline if self.inline else None


def account(ledger: Ledger) -> TokenAccount:
    """The token account of a run."""
    return ledger.derived("token account", lambda: _account(ledger))


def _account(ledger: Ledger) -> TokenAccount:
    rows: dict[str, AgentTokens] = {}

    def add(
        agent: str, *, spawns: int = 0, inline: int = 0, notices: int = 0, prompts: int = 0, fetched: int = 0
    ) -> None:
        old = rows.get(agent, AgentTokens(agent, 0, 0, 0, 0, 0))
        rows[agent] = AgentTokens(
            agent, old.spawns + spawns, old.inline + inline, old.notices + notices,
            old.prompts + prompts, old.fetched + fetched,
        )  # fmt: skip

    for observation in ledger.of(AgentSpawned):
        spawn = observation.fact
        prompt = ledger.tokens(spawn.prompt)
        add(
            spawn.agent,
            spawns=1,
            inline=sum(ledger.tokens(earlier.report) for earlier in spawn.earlier if earlier.report is not None),
            notices=sum(ledger.tokens(earlier.notice) for earlier in spawn.earlier) + prompt,
            prompts=prompt,
        )
    for handed in ledger.of(AgentHanded):
        add(handed.fact.agent, fetched=ledger.tokens(handed.fact.payload))
    largest = max(_valid_notices(ledger), key=lambda item: item.tokens, default=None)
    return TokenAccount(
        inline=sum(row.inline for row in rows.values()),
        notices=sum(row.notices for row in rows.values()),
        fetched=sum(row.fetched for row in rows.values()),
        largest_notice=largest.tokens if largest is not None else None,
        largest_notice_of=largest.agent if largest is not None else "",
        by_agent=tuple(rows.values()),
    )  # fmt: skip


def _valid_notices(ledger: Ledger) -> list[SeenNotice]:
    """Notices of the contract; what was only meant as one is a matter of the check `notice`."""
    return [item for item in notices_of(ledger).seen if item.notice is not None]


def _table(told: TokenAccount) -> Evidence:
    lines = ["agent          spawns    inline   notices   fetched"]
    lines += [
        f"{short(row.agent, 14):<14} {row.spawns:>6} {row.inline:>9,} {row.notices:>9,} {row.fetched:>9,}"
        for row in told.by_agent[:8]
    ]
    if len(told.by_agent) > 8:
        lines.append(f"… and {len(told.by_agent) - 8} more agents")
    details = {
        "inline": told.inline,
        "notices": told.notices,
        "fetched": told.fetched,
        "spawn_savings": told.spawn_savings,
        "net_savings": told.net_savings,
    }
    text = f"inline {told.inline:,}, notices {told.notices:,}, fetched {told.fetched:,} tokens"
    return Evidence("tokens", None, text, "\n".join(lines), details)


def _savings(
    what: str, formula: str, of: Callable[[TokenAccount], float | None]
) -> Callable[[Ledger, SavingsArguments], Verdict]:
    def judge(ledger: Ledger, arguments: SavingsArguments) -> Verdict:
        expected = f"{what} of {bound_of_shares(arguments.value)}"
        told = account(ledger)
        share = of(told)
        if share is None:
            spawns = plural(sum(row.spawns for row in told.by_agent), "spawn")
            return nothing_to_judge(expected, f"no report was handed over ({spawns})", evidence=[_table(told)])
        limit = arguments.value.at_least
        return verdict(
            arguments.value.holds(share),
            expected=expected,
            observed=f"{percent(share)} = {formula}, with inline {told.inline:,}, notices {told.notices:,}, "
            f"fetched {told.fetched:,} tokens",
            evidence=[_table(told)],
            nearest=f"{(share - limit) * 100:+.2f} points from the limit" if limit is not None else "",
        )

    return judge


def judge_notice_tokens(ledger: Ledger, arguments: NoticeTokensArguments) -> Verdict:
    """The largest single notice has so many tokens."""
    expected = f"{arguments.value} tokens in the largest notice"
    seen = _valid_notices(ledger)
    if not seen:
        return nothing_to_judge(expected, "no notice was seen")
    largest = max(seen, key=lambda item: item.tokens)
    told = Evidence(
        "notice",
        largest.at,
        f"{short(largest.place)} · {largest.tokens} tokens · {clock(largest.at)}",
        excerpt(largest.text),
        {"agent": largest.agent, "requirement": largest.requirement, "tokens": largest.tokens},
    )
    return verdict(
        arguments.value.holds(largest.tokens),
        expected=expected,
        observed=f"{largest.tokens} tokens, {short(largest.agent)}'s notice, the largest of {len(seen)}",
        evidence=[told],
    )


def _savings_vacuous(arguments: SavingsArguments) -> str | None:
    # Savings are never above 1, and without a lower limit any loss will do.
    bound = arguments.value
    if bound.equals is None and bound.between is None and bound.at_least is None and (bound.at_most or 0) >= 1:
        return "savings are never above 100 %"
    return None


def _tokens_vacuous(arguments: NoticeTokensArguments) -> str | None:
    return f"{arguments.value} holds for any notice" if arguments.value.cannot_fail else None


CHECKS: tuple[Check[Any], ...] = (
    Check(
        "tokens.spawn_savings",
        "Handing over by notice saves this share of the tokens that pasted reports would have cost.",
        SavingsArguments,
        _savings("spawn savings", "1 - notices / inline", lambda told: told.spawn_savings),
        "tokens:\n  spawn_savings: {at_least: 95%}",
        growth_can_break=lambda _: True,
        vacuous=_savings_vacuous,
        kills=("deliverables.inline-reports", "deliverables.notice-oversized"),
    ),
    Check(
        "tokens.net_savings",
        "Counting what agents then fetched, handing over by notice still saves this share.",
        SavingsArguments,
        _savings("net savings", "1 - (notices + fetched) / inline", lambda told: told.net_savings),
        "tokens:\n  net_savings: {at_least: 50%}",
        growth_can_break=lambda _: True,
        vacuous=_savings_vacuous,
        kills=("deliverables.fetch-everything",),
    ),
    Check(
        "tokens.notice",
        "The largest single notice has so many tokens.",
        NoticeTokensArguments,
        judge_notice_tokens,
        "tokens:\n  notice: {at_most: 200}",
        growth_can_break=lambda arguments: arguments.value.has_upper_limit,
        vacuous=_tokens_vacuous,
        kills=("deliverables.notice-oversized",),
    ),
)
