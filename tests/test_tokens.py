"""Counts of o200k_base, as its publisher gives them."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog import tokens


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("hello world", 2),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("tiktoken is great!", 6),
    ],
)
def test_known_counts(text: str, number: int) -> None:
    assert tokens.count(text) == number
    assert tokens.count_bytes(text.encode()) == number


def test_special_tokens_are_plain_text() -> None:
    assert tokens.count("<|endoftext|>") > 1


@given(st.text(st.characters()))
def test_any_text_has_a_count(text: str) -> None:
    assert 0 <= tokens.count(text) <= 4 * len(text)
    assert (tokens.count(text) == 0) == (text == "")


@given(st.binary())
def test_any_bytes_have_a_count(data: bytes) -> None:
    assert tokens.count_bytes(data) == tokens.count(data.decode("utf-8", "replace"))


def test_no_network_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the tokenizer opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    tokens._loaded.cache_clear()
    assert tokens.count("hello world") == 2
