# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""What a ``with`` statement does at its end with readers, writers and models."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

ClosedT = TypeVar('ClosedT', bound='Closed')


class Closed(ABC):
    """Something that is closed at the end of a ``with`` statement, however it ends."""

    @abstractmethod
    def close(self) -> None:
        """Free what is held; a second call does nothing."""

    def __enter__(self: ClosedT) -> ClosedT:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ClosedOrAbandoned(Closed):
    """Something that takes its final name only if the ``with`` statement ends well."""

    @abstractmethod
    def abandon(self) -> None:
        """Keep what was written so far, under a name that says that it is not whole."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
