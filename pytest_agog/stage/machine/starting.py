"""What can be started and stopped is a context manager in one way: a start that fails leaves nothing behind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Startable(ABC):
    """Something with a `start` and an idempotent `stop`: started on entering, stopped on leaving."""

    @abstractmethod
    def start(self) -> None:
        """Bring it up, and return when it is ready."""

    @abstractmethod
    def stop(self) -> None:
        """End it and give back what it holds, also after a start that failed; idempotent."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
