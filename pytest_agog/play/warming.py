"""What takes long to load and needs no scenario: loaded beside the services that start, since those only wait."""

from __future__ import annotations

import contextlib
import threading

from pytest_agog import tokens


def warm_up(*, with_tokens: bool) -> None:
    """Begin to load the token table, unless another counter is used.

    The table is read without the interpreter's lock, so on a second core it costs no time at all. The NATS client is
    imported by the stage, in the thread that uses it: see there.
    """
    if with_tokens:
        threading.Thread(target=_load_tokens, name="agog-tokens", daemon=True).start()


def _load_tokens() -> None:
    with contextlib.suppress(Exception):  # whoever counts first will say what is wrong
        tokens.count("")
