"""Mounts of a service: short and long syntax of `volumes`, and `tmpfs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from pytest_agog.stacks import interpolation
from pytest_agog.stacks.model import Mount, Said
from pytest_agog.stacks.tree import Mapping, Scalar, Sequence

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_PIPE: Final = ("\\\\.\\pipe\\", "//./pipe/")
_KINDS: Final[dict[str, Literal["bind", "volume", "tmpfs"]]] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}


def mounts(file: str, service: Mapping) -> Iterator[Mount]:
    """What a service has mounted. An override takes the place of what another file mounts at the same target."""
    found = list(_all(file, service))
    last = {one.target: one.said.file for one in found}
    yield from (one for one in found if last[one.target] == one.said.file)


def _all(file: str, service: Mapping) -> Iterator[Mount]:
    volumes = service.get("volumes")
    for item in volumes.items if isinstance(volumes, Sequence) else ():
        if isinstance(item, Scalar):
            yield short(file, item)
        elif isinstance(item, Mapping):
            yield _long(file, item)
    tmpfs = service.get("tmpfs")
    for one in tmpfs.items if isinstance(tmpfs, Sequence) else [tmpfs]:
        if isinstance(one, Scalar):
            target = interpolation.resolve(one.text).partition(":")[0]
            yield Mount(Said(one.text, one.line, one.file or file, one.text), "tmpfs", "", target)


def short(file: str, item: Scalar) -> Mount:
    """`SOURCE:TARGET:MODE`, `SOURCE:TARGET`, or `TARGET` alone."""
    text = interpolation.resolve(item.text).strip()
    place = Said(text, item.line, item.file or file, item.text)
    source, target, mode = _parts(text)
    if not source:
        return Mount(place, "volume", "", target)
    read_only = "ro" in mode.split(",")
    return Mount(place, "bind" if is_path(source) else "volume", source, target, read_only)


def is_path(source: str) -> bool:
    """Whether the source of a short mount is a path on the host, not a volume's name."""
    begins = source.startswith((".", "~", interpolation.HOLE)) or bool(_DRIVE.match(source))
    return begins or "\\" in source or "/" in source


def _parts(text: str) -> tuple[str, str, str]:
    for pipe in _PIPE:
        if text.startswith(pipe):
            source, _, target = text.partition(":")
            return source, target, ""
    cut = 2 if _DRIVE.match(text) else 0
    source, colon, rest = text[cut:].partition(":")
    source = text[:cut] + source
    if not colon:
        return "", source, ""
    cut = 2 if _DRIVE.match(rest) else 0
    target, _, mode = rest[cut:].partition(":")
    return source, rest[:cut] + target, mode


def _long(file: str, item: Mapping) -> Mount:
    def text(key: str) -> str:
        value = item.get(key)
        return interpolation.resolve(value.text) if isinstance(value, Scalar) and not value.is_null else ""

    source, target = text("source") or text("src"), text("target") or text("dst") or text("destination")
    line = item.line_of("source") if source else item.line
    place = Said(f"{source}:{target}", line, (item.file_of("source") if source else item.file) or file)
    kind = _KINDS.get(text("type") or ("bind" if is_path(source) else "volume"), "other")
    return Mount(place, kind, source, target, text("read_only").lower() == "true")  # type: ignore[arg-type]


def covers(mount: Mount, path: str) -> bool:
    """Whether what is at `path` in the container lies on this mount."""
    target = mount.target.rstrip("/") or "/"
    return path == target or path.startswith(target.rstrip("/") + "/")
