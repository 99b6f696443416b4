"""What takes long to load and needs no scenario: loaded beside the services that start, since those only wait."""

from __future__ import annotations

import contextlib
import threading

from pytest_agog import tokens


def warm_up(*, with_tokens: bool) -> None:
    """Begin to import the NATS client and, unless another counter is used, to load the token table.

    The table is read without the interpreter's lock, so on a second core it costs no time at all.
    """
    if with_tokens:
        threading.Thread(target=_load_tokens, name="agog-tokens", daemon=True).start()
    threading.Thread(target=_import_client, name="agog-imports", daemon=True).start()


def _load_tokens() -> None:
    with contextlib.suppress(Exception):  # whoever counts first will say what is wrong
        tokens.count("")


def _import_client() -> None:
    with contextlib.suppress(Exception):
        import nats.js.client  # noqa: F401
