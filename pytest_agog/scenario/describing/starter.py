"""Starter scenarios for `agog new`: commented, sound, and playable as they are."""

from __future__ import annotations

import re
from typing import Final

from pytest_agog.errors import NoScenarioName, UnknownTheme
from pytest_agog.scenario.words import did_you_mean

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

_HEAD = """\
# A scenario: what happens, and what must then be true. `agog lint FILE` checks it, `agog explain format` says what may
# stand here, and `pytest --agog-scenario=FILE` plays it.
agog: 1
name: @NAME@
"""

_DELIVERABLES = """\
summary: Research, critique and backend hand over by URL; the reports stay on the stream.
tags: [deliverables, tokens]

vars:
  feature: "@NAME@"

# How agents behave. Those that are not named here write a short report of their own.
agents:
  cynthia:
    report: {generate: {tokens: 4000, seed: 1}}   # or a file: report: reports/research.md
    notice: {summary: Compared three ways to search, complexity: Medium}
  sylvia:
    report: {generate: {tokens: 2500, seed: 2}}
  roy:
    report: {generate: {tokens: 3000, seed: 3}}   # or a real command: run: [python, agents/roy.py]

# What happens, in order.
steps:
  - chain:
      feature: ${feature}
      turns:
        - {agent: cynthia, task: research}
        - {agent: sylvia, task: critique, fetches: [cynthia]}
        - {agent: roy, task: backend, fetches: [sylvia]}

# Tokens, counted over what crossed the wire.
tokens:
  spawn_savings: {at_least: 90%}
  notice: {at_most: 200}

# What must then be true; each entry is one test.
proof:
  - id: research-stored
    claim: Cynthia's full report is on the stream
    check: deliverable
    with: {agent: cynthia, type: research, feature: "${feature}", tokens: {between: [3900, 4100]}}
  - id: notices-are-small
    claim: Every completion notice is small and leads to a report
    check: notice
    with: {tokens: {at_most: 200}, resolves: true}
  - id: no-report-in-any-prompt
    claim: No agent was started with a report pasted into its prompt
    check: no_inline_report
"""

_MESSAGES = """\
summary: A status and its result cross the wire, in this order and nothing else.
tags: [messages]

# What happens, in order. Each message is acknowledged by JetStream before the next one leaves.
steps:
  - publish:
      subject: argo.workflow.general.status
      json: {message_id: @NAME@-1, kind: status, status: running}
      headers: {Nats-Msg-Id: @NAME@-1}
  - publish:
      subject: results.roy.REQ-001
      json: {agent: roy, req_number: REQ-001, status: COMPLETE, summary: Done}
  - wait: {until: {message: {subject: results.roy.REQ-001}}, within: 5s}

# What must then be true; each entry is one test.
proof:
  - id: status-came
    claim: The status is on the stream once
    check: message
    with: {subject: argo.workflow.general.status, where: {status: running}, count: 1}
  - id: in-order
    claim: The result comes after the status
    check: order
    with:
      sequence:
        - {subject: argo.workflow.general.status}
        - {subject: results.roy.REQ-001, where: {status: COMPLETE}}
  - id: no-error
    claim: No agent reports an error
    check: never
    with: {subject: errors.>}
"""

_COMMAND = """\
summary: A real command is started, ends well and says what it should.
tags: [commands]

# What happens, in order. Commands run without a shell, in this folder; the environment names NATS.
steps:
  - run:
      command: [python, -c, "import os; print('NATS is at', os.environ['NATS_URL'])"]
      as: greeter
      expect_exit: 0
      timeout: 20s

# What must then be true; each entry is one test.
proof:
  - id: ended-well
    claim: The command ends with status 0 and knows where NATS is
    check: process
    with: {name: greeter, exit: 0, output_contains: nats://}
  - id: streams-are-there
    claim: The stream of results exists
    check: stream
    with: {name: RESULTS, subjects: [results.>]}
"""

THEMES: Final = {"deliverables": _DELIVERABLES, "messages": _MESSAGES, "commands": _COMMAND}
"""What starters there are."""


def starter(name: str, theme: str = "deliverables") -> str:
    """The text of a new scenario called `name`.

    Raises:
        NoScenarioName: `name` cannot stand in test ids.
        UnknownTheme: there is no such theme.
    """
    if not _NAME.fullmatch(name):
        raise NoScenarioName(name=name)
    if theme not in THEMES:
        raise UnknownTheme(theme=theme, near=did_you_mean(theme, THEMES) or ".", themes=", ".join(THEMES))
    # A name such as 007 or null would be no text without quotes.
    return (_HEAD.replace("@NAME@", f'"{name}"') + THEMES[theme]).replace("@NAME@", name)
