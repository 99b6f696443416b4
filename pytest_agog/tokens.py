"""Token counts: o200k_base, offline, over the bytes that crossed the wire.

The table takes about 0.15 s to load, so it is loaded on first use. Another counter can be registered through the hook
`pytest_agog_token_counter`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Final, Protocol

ENCODING = "o200k_base"

TokenCounter = Callable[[str], int]
"""Text in, number of tokens out."""


class _Tokenizer(Protocol):
    def count(self, text: str) -> int: ...


_LOADING: Final = threading.Lock()
"""Whoever counts while another thread loads the table waits for it, and does not load it again."""


def _tokenizer() -> _Tokenizer:
    with _LOADING:
        return _loaded()


@cache
def _loaded() -> _Tokenizer:
    from rs_bpe import bpe

    tokenizer: _Tokenizer = bpe.openai.o200k_base()
    return tokenizer


def count(text: str) -> int:
    """The number of o200k_base tokens in `text`; lone surrogates count as question marks."""
    return _tokenizer().count(text.encode("utf-8", "replace").decode("utf-8"))


def count_bytes(data: bytes) -> int:
    """The number of tokens in UTF-8 `data`; bytes that are no UTF-8 count as the replacement character."""
    return _tokenizer().count(data.decode("utf-8", "replace"))
