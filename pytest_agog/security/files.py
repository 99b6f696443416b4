"""Secret files: written whole or not at all, and nobody but their owner may read them. [C10]"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

SECRET: Final = 0o600
"""Mode of a file that holds a secret."""
PUBLIC: Final = 0o644
"""Mode of a file that anybody may read: certificates."""


def write(path: Path, data: str | bytes, mode: int = SECRET) -> Path:
    """Write `data` to `path` through a new file beside it, so that a reader meets the old text or the new one.

    The file never has a wider mode than `mode`, not even while it is written. A folder that is absent is made for its
    owner alone.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    return path
