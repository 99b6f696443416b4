"""By which names a service that only this machine reaches may be asked. [C10]

A page of another site can have its own name lead to 127.0.0.1 and then read what answers there, as if it came from that
site (DNS rebinding). It cannot do so with an address, nor with a name that is nobody's to give away.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_OURS: Final = re.compile(r"(?:.+\.)?(?:localhost|internal)")
"""Names that no registry gives to anybody: of this machine (RFC 6761), and those by which containers call it."""


def is_loopback(host: str) -> bool:
    """Whether an address that is listened on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def is_near(asked: str, given: str) -> bool:
    """Whether a `Host` header names this machine: by an address, by a name that is always its own, or by `given`, the
    name that it was told to listen on. Without one the request is of no browser.
    """
    name = asked.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    name = name.removesuffix(".")
    if not name or name == given.lower().removesuffix(".") or _OURS.fullmatch(name):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
