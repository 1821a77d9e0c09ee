"""Has work begun again, a bounded number of times, that a Vault refuses for a reason which often passes by itself."""

from __future__ import annotations

from dataclasses import dataclass

from shared.client.errors import (
    ExpiredPage,
    QueryTimeout,
    VaultRefused,
    VaultUnavailable,
)
from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import DOUBTFUL_REFUSAL


def is_doubtful(refused: VaultRefused) -> bool:
    """Return whether a refusal may be the Vault's own trouble, or else come each time that the work is begun."""
    if isinstance(refused, ExpiredPage | QueryTimeout):
        return True
    return refused.type == ErrorType.UNEXPECTED_ERROR


@dataclass(slots=True)
class Doubts:
    """The doubtful refusals that one piece of work has met so far."""

    count: int = 0

    @property
    def is_last(self) -> bool:
        """Return whether a doubtful refusal now counts as the work's own."""
        return self.count >= DOUBTFUL_REFUSAL.attempts - 1

    def begin_again(self, refused: VaultRefused) -> None:
        """Convert a doubtful refusal, so that the work is begun again from its start; not the last one.

        :raises VaultUnavailable: in place of such a refusal.
        """
        if self.is_last or not is_doubtful(refused):
            return
        self.count += 1
        text = f"refused: {refused.type}, time {self.count}"
        raise VaultUnavailable(text) from refused
