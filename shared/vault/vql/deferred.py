"""Parameters whose value is known only when a statement runs: the day, the caller, the address of its pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

TOKENS: Mapping[str, type] = {
    "vault.id": int,
    "vault.name": str,
    "vault.dns": str,
    "user.id": int,
    "user.name": str,
    "user.security_profile": str,
}
"""The Vault tokens there are, in lower case, and the type of their values."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What one run of a statement knows: its moment in UTC, the values of TOKENS, the address of its pages.

    ``address`` is the path that pages of this run are asked for by, without parameters.
    """

    now: datetime
    tokens: Mapping[str, str | int] = field(default_factory=dict)
    address: str = ""


class Deferred(ABC):
    """A parameter that is not yet a value."""

    __slots__ = ()

    @abstractmethod
    def value(self, execution: Execution) -> object:
        """The value to send to the database."""


@dataclass(frozen=True, slots=True)
class TokenValue(Deferred):
    """The value of a Vault token, as text or as a number."""

    name: str
    text: bool

    def value(self, execution: Execution) -> object:
        """The token's value; raises KeyError where the run lacks one of TOKENS."""
        found = execution.tokens[self.name]
        return str(found) if self.text else found


@dataclass(frozen=True, slots=True)
class ChildAddress(Deferred):
    """The head of the address by which further children of a record are asked for; the record's id follows."""

    number: int  # of the sub-select, counted from 0

    def value(self, execution: Execution) -> object:
        """``/api/v25.1/query/{cursor}.0.``."""
        return f"{execution.address}.{self.number}."


def is_deferred(parameters: Sequence[object]) -> bool:
    """Whether any of the parameters has to be resolved before the statement runs."""
    return any(isinstance(parameter, Deferred) for parameter in parameters)


def resolve(parameters: Sequence[object], execution: Execution) -> tuple[object, ...]:
    """The parameters as one run of the statement sends them."""
    return tuple(
        p.value(execution) if isinstance(p, Deferred) else p for p in parameters
    )
