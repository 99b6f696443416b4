from __future__ import annotations

import json

import pytest

from pytest_agog.cli.console import print_json


def test_json_keeps_letters_and_escapes_what_a_terminal_might_obey(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"caf\u00e9": "\U0001f600 \u202e \x9b \ud800 \U000e0001"}
    print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert "caf\u00e9" in printed
    assert "\U0001f600" in printed
    assert not set(printed) & {"\u202e", "\x9b", "\ud800", "\U000e0001"}
