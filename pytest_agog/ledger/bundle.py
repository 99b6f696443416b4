"""Bundles: a ledger in a folder, readable by people and machines, in which any alteration shows.

    ledger.jsonl     one observation a line; each carries the digest of itself and of all lines before it
    payloads.jsonl   payloads up to 64 kB by SHA-256, as text or base64
    payloads/        larger ones, each a file named by its SHA-256
    meta.json        what the writer says about the play
    manifest.json    digest and size of every file, counts, and the chain's last digest

Secrets are masked: in facts and meta (values of keys such as `Authorization` altogether), and in payloads that are
text. A masked payload keeps the id of the original, since facts refer to it, and is marked `masked` with the digest of
what is stored; so a claim about bytes that held a secret cannot be judged again from a bundle.

The digests show alterations by those who do not recompute them all; they are no signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from pytest_agog.errors import BadInput
from pytest_agog.ledger import codec
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.payloads import Payloads

FORMAT: Final = 1
LEDGER: Final = "ledger.jsonl"
SMALL: Final = "payloads.jsonl"
LARGE: Final = "payloads"
META: Final = "meta.json"
MANIFEST: Final = "manifest.json"
LARGE_FROM: Final = 64_000
"""Bytes above which a payload is a file of its own."""
_LONGEST_LINE: Final = 8_000_000
_LARGEST_DOCUMENT: Final = 64_000_000
_LARGEST_PAYLOAD: Final = 1_000_000_000
_ID: Final = re.compile(r"[0-9a-f]{64}")
_MASKED: Final = ".masked"


@dataclass(frozen=True)
class Bundle:
    """A ledger read back, and what its writer said about the play."""

    ledger: Ledger
    meta: dict[str, Any]


# --- writing --------------------------------------------------------------------------------------------------------
def write(folder: Path, ledger: Ledger, meta: dict[str, Any]) -> None:
    """Write `ledger` to `folder`, in place of a bundle that is there. OSError when the disk refuses."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (LEDGER, SMALL, META, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    if (folder / LARGE).is_symlink():
        (folder / LARGE).unlink()
    elif (folder / LARGE).exists():
        shutil.rmtree(folder / LARGE)
    _write_payloads(folder, ledger.payloads)
    head = _write_ledger(folder / LEDGER, ledger)
    (folder / META).write_bytes(to_json(codec.masked(meta), indent=2))
    manifest = {
        "agog": FORMAT,
        "observations": len(ledger),
        "payloads": len(ledger.payloads),
        "chain": head,
        "files": {
            name: {"sha256": _digest(folder / name), "size": (folder / name).stat().st_size} for name in _files(folder)
        },
    }
    (folder / MANIFEST).write_bytes(to_json(manifest, indent=2))


def _write_ledger(path: Path, ledger: Ledger) -> str:
    chain = codec.FIRST_CHAIN
    with path.open("wb") as file:
        for observation in ledger:
            line, chain = codec.encode(observation, chain)
            file.write(line + b"\n")
    return chain


def _write_payloads(folder: Path, payloads: Payloads) -> None:
    with (folder / SMALL).open("wb") as file:
        for key in payloads:
            data = _without_secrets(payloads[key])
            is_masked = data is not payloads[key] or payloads.is_shown_masked(key)
            if len(data) > LARGE_FROM:
                (folder / LARGE).mkdir(exist_ok=True)
                (folder / LARGE / (key + _MASKED if is_masked else key)).write_bytes(data)
                continue
            entry: dict[str, Any] = {"id": key}
            if is_masked:
                entry["masked"] = hashlib.sha256(data).hexdigest()
            try:
                entry["text"] = data.decode("utf-8")
            except UnicodeDecodeError:
                entry["base64"] = base64.b64encode(data).decode("ascii")
            file.write(to_json(entry) + b"\n")


def _without_secrets(data: bytes) -> bytes:
    """`data`, or masked bytes in its place when it is text that holds a secret."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:  # each byte as a character, so that none is lost
        text = data.decode("latin-1")
        result = codec.masked(text) if codec.may_hold_secret(text) else text
        return data if result == text else str(result).encode("latin-1")
    if not codec.may_hold_secret(text):
        return data
    try:
        document = json.loads(text)
        result = codec.masked(document)
        return data if result == document else to_json(result)
    except (ValueError, RecursionError):
        result = codec.masked(text)
        return data if result == text else str(result).encode()


# --- reading --------------------------------------------------------------------------------------------------------
def read(folder: Path) -> Bundle:
    """Read a bundle back. Alterations that leave it readable are not refused here; `check_integrity` names them.

    Raises:
        BadInput: `folder` holds no bundle, or one that cannot be read; the message names file and line.
    """
    manifest = _document(folder / MANIFEST)
    if manifest.get("agog") != FORMAT:
        raise BadInput(f"{folder / MANIFEST}: this is no bundle of format {FORMAT}")
    ledger = Ledger()
    for _, key, data, _ in _payloads(folder):
        ledger.payloads.adopt(key, data)
    for number, line in _lines(folder / LEDGER):
        try:
            body, _ = codec.split(line)
            at, fact = codec.decode(body, ledger)
        except BadInput as error:
            raise BadInput(f"{folder / LEDGER}:{number}: {error}") from None
        ledger.append(fact, at)
    return Bundle(ledger, _document(folder / META))


def check_integrity(folder: Path) -> list[str]:
    """What was altered in a bundle since it was written, one line each; empty when nothing was.

    Raises:
        BadInput: `folder` holds no bundle at all.
    """
    manifest = _document(folder / MANIFEST)
    files = manifest.get("files")
    if not isinstance(files, dict):
        return [f"{MANIFEST}: it lists no files"]
    found = list(_altered_files(folder, files))
    try:
        found += _altered_lines(folder / LEDGER, manifest)
    except BadInput as error:
        found.append(str(error))
    try:
        count = 0
        for place, key, data, stored in _payloads(folder):
            count += 1
            if hashlib.sha256(data).hexdigest() != (stored or key):
                found.append(f"{place}: payload {key} was altered")
        if count != manifest.get("payloads"):
            found.append(f"{SMALL}: {count} payloads, {manifest.get('payloads')} were written")
    except BadInput as error:
        found.append(str(error))
    return found


def _altered_files(folder: Path, files: dict[str, Any]) -> Iterator[str]:
    present = set(_files(folder))
    for name in sorted(present - set(files)):
        yield f"{name}: the file was added"
    for name, wanted in sorted(files.items()):
        if name not in present:
            yield f"{name}: the file is missing"
        else:
            try:
                actual = _digest(folder / name)
            except BadInput as error:
                yield str(error)
                continue
            if not isinstance(wanted, dict) or actual != wanted.get("sha256"):
                yield f"{name}: the file was altered"


def _altered_lines(path: Path, manifest: dict[str, Any]) -> Iterator[str]:
    chain = codec.FIRST_CHAIN
    number = 0
    for number, line in _lines(path):
        try:
            body, claimed = codec.split(line)
        except BadInput as error:
            yield f"{LEDGER}:{number}: {error}"
            return
        if codec.link(chain, body) != claimed:
            yield f"{LEDGER}:{number}: this line was altered, or lines before it were removed or inserted"
        chain = claimed
    if number != manifest.get("observations"):
        yield f"{LEDGER}: {number} lines, {manifest.get('observations')} were written"
    elif chain != manifest.get("chain"):
        yield f"{LEDGER}: the last line is not the one that was written"


def _payloads(folder: Path) -> Iterator[tuple[str, str, bytes, str | None]]:
    """Place, id, bytes, and for masked payloads the digest of what is stored (unknown for large ones: empty)."""
    for number, line in _lines(folder / SMALL):
        place = f"{SMALL}:{number}"
        try:
            entry = json.loads(line)
            key, stored = entry["id"], entry.get("masked")
            data = entry["text"].encode() if "text" in entry else base64.b64decode(entry["base64"], validate=True)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
            raise BadInput(f"{folder / place}: this is no payload") from None
        if not isinstance(key, str) or not _ID.fullmatch(key) or not (stored is None or isinstance(stored, str)):
            raise BadInput(f"{folder / place}: a payload is named by 64 hexadecimal digits")
        yield place, key, data, stored
    for path in sorted(_large(folder)):
        key = path.name.removesuffix(_MASKED)
        if _ID.fullmatch(key):
            data = _content(path, _LARGEST_PAYLOAD)
            # A large masked payload is vouched for by the manifest alone.
            stored = hashlib.sha256(data).hexdigest() if path.name.endswith(_MASKED) else None
            yield f"{LARGE}/{path.name}", key, data, stored


def _large(folder: Path) -> list[Path]:
    inside = folder / LARGE
    try:
        mode = inside.lstat().st_mode
    except OSError:
        return []
    if not stat.S_ISDIR(mode):
        raise BadInput(f"{inside}: this is no folder")
    return list(inside.iterdir())


def _files(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.name not in {MANIFEST, LARGE}]
    return names + [f"{LARGE}/{path.name}" for path in _large(folder)]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    _regular(path)
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise BadInput(f"{path}:{number}: the line is longer than {_LONGEST_LINE:,} bytes")
                yield number, line.rstrip(b"\n")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_content(path, _LARGEST_DOCUMENT))
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: this is no JSON") from None
    if not isinstance(document, dict):
        raise BadInput(f"{path}: this is no JSON object")
    return document


def _content(path: Path, most: int) -> bytes:
    if _regular(path) > most:
        raise BadInput(f"{path}: the file is larger than {most:,} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None


def _regular(path: Path) -> int:
    """The size of a regular file. A link, pipe or device has no place in a bundle."""
    try:
        found = path.lstat()
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise BadInput(f"{path}: this is no regular file")
    return found.st_size


def _digest(path: Path) -> str:
    _regular(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
