"""What a check may ask to have looked up. A probe is a question; the answer is appended as a fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class StreamProbe:
    name: str

    @property
    def key(self) -> str:
        return f"stream:{self.name}"


@dataclass(frozen=True, slots=True)
class ConsumerProbe:
    stream: str
    name: str

    @property
    def key(self) -> str:
        return f"consumer:{self.stream}:{self.name}"


@dataclass(frozen=True, slots=True)
class TableProbe:
    name: str

    @property
    def key(self) -> str:
        return f"table:{self.name}"


@dataclass(frozen=True, slots=True)
class RowsProbe:
    table: str
    columns: tuple[str, ...] = ()
    """Only these columns; all when empty."""

    @property
    def key(self) -> str:
        return f"rows:{self.table}:{','.join(self.columns)}"


@dataclass(frozen=True, slots=True)
class FileProbe:
    """A file by the path that the scenario gives: relative to the scenario, or `$AGENT_OUTPUT_DIR/…`."""

    path: str

    @property
    def key(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class HttpProbe:
    target: str
    """A URL, or a path on the target's HTTP service."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = field(default=())
    access: str = "given"
    """Whether a path is asked with the play's token (`given`), with a wrong one (`wrong`) or with `none`."""

    @property
    def key(self) -> str:
        # Headers may hold secrets; the key is shown, so it only tells which headers apart.
        told = f":{sha256(repr(self.headers).encode()).hexdigest()[:16]}" if self.headers else ""
        how = f":token={self.access}" if self.access != "given" else ""
        return f"http:{self.method}:{self.target}{told}{how}"


@dataclass(frozen=True, slots=True)
class PageProbe:
    """A page that a step opened, by its reader's name, or else one by its path."""

    target: str
    screenshot: bool = False

    @property
    def key(self) -> str:
        return f"page:{self.target}{':screenshot' if self.screenshot else ''}"


@dataclass(frozen=True, slots=True)
class AuthProbe:
    """Whether the server lets a user do something."""

    user: str
    operation: str
    """`connect`, `publish`, `subscribe`, `create`, `delete`, `purge` or `consume`."""
    on: str = ""
    """A subject, a stream, or `stream/consumer`."""

    @property
    def key(self) -> str:
        return f"auth:{self.user}:{self.operation}:{self.on}"


@dataclass(frozen=True, slots=True)
class MetricsProbe:
    """The series of one name."""

    name: str
    url: str | None = None
    """Where; the target's own services when None."""

    @property
    def key(self) -> str:
        return f"metrics:{self.name}:{self.url or ''}"


Probe = (
    StreamProbe | ConsumerProbe | TableProbe | RowsProbe | FileProbe | HttpProbe | PageProbe | AuthProbe | MetricsProbe
)
