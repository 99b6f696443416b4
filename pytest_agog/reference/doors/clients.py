"""Who asks: an address, which proxies tell only when they are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_agog.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MOST_HOPS: Final = 32
_OWN_V6: Final = 64
"""Bits of an IPv6 address that are one subscriber's: the rest is at his choice."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks."""

    name: str
    """What its requests are counted under."""
    local: bool
    """It asks from this machine, and through no proxy."""
    secure: bool
    """It asks by https, as far as is known here."""


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, with commas: `10.0.0.0/8, 192.0.2.7`.

    Raises:
        UsageError: one of them is none.
    """
    found = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise UsageError(
                f"--trusted-proxies {word!r} is neither an address nor a network; write 192.0.2.7 or 10.0.0.0/8"
            ) from None
    return tuple(found)


def identify(scope: Scope, trusted: tuple[Network, ...]) -> Client:
    """The client of a request.

    `X-Forwarded-For` is read from its end, where the nearest proxy wrote, for as long as those who wrote are trusted:
    what stands before that, anybody can have sent.
    """
    peer = _address((scope.get("client") or ("", 0))[0])
    secure = scope.get("scheme") == "https"
    if peer is None:
        return Client("unknown", local=False, secure=secure)
    address = peer
    if _among(peer, trusted):
        protocol = _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
        secure = protocol == "https" if protocol else secure
        hops = _header(scope, b"x-forwarded-for").split(",")[-_MOST_HOPS:]
        for hop in reversed(hops):
            told = _address(hop.strip())
            if told is None:
                break
            address = told
            if not _among(told, trusted):
                break
    forwarded = bool(_header(scope, b"x-forwarded-for") or _header(scope, b"forwarded"))
    return Client(_name(address), local=address == peer and peer.is_loopback and not forwarded, secure=secure)


def _header(scope: Scope, name: bytes) -> str:
    """All values of a header, as one list."""
    values: Iterable[bytes] = (value for key, value in scope["headers"] if key == name)
    return ",".join(value.decode("latin-1") for value in values)


def _address(text: str) -> _Address | None:
    """Some proxies write the port as well: `192.0.2.7:443`, `[2001:db8::7]:443`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _among(address: _Address, trusted: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted)


def _name(address: _Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), _OWN_V6), strict=False))
