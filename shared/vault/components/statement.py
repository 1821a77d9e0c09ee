"""Represents the statements of an MDL script after parsing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from shared.vault.components.component_tree import Component, Scalar


class Command(StrEnum):
    """The command of a statement."""

    CREATE = "CREATE"
    RECREATE = "RECREATE"
    ALTER = "ALTER"
    RENAME = "RENAME"
    DROP = "DROP"


class Condition(StrEnum):
    """The condition of a statement or of a change inside ALTER; when it is not met, nothing is changed."""

    NONE = ""
    IF_EXISTS = "IF EXISTS"
    IF_NOT_EXISTS = "IF NOT EXISTS"

    def holds(self, *, exists: bool) -> bool:
        """Return whether the condition is met; ``exists`` says whether the named component exists."""
        match self:
            case Condition.NONE:
                return True
            case Condition.IF_EXISTS:
                return exists
            case Condition.IF_NOT_EXISTS:
                return not exists
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Inside ALTER: set the values of an attribute."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class AddValues:
    """Inside ALTER: add values to a multi-value attribute; present ones stay."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class DropValues:
    """Inside ALTER: remove values from a multi-value attribute."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class DropAttribute:
    """Inside ALTER: remove an attribute."""

    name: str


@dataclass(frozen=True, slots=True)
class AddChild:
    """Inside ALTER: add a sub-component that does not exist yet."""

    child: Component
    condition: Condition = Condition.NONE


@dataclass(frozen=True, slots=True)
class ModifyChild:
    """Inside ALTER: change a sub-component that exists."""

    type: str
    name: str
    changes: tuple[Change, ...]
    condition: Condition = Condition.NONE


@dataclass(frozen=True, slots=True)
class RenameChild:
    """Inside ALTER: rename a sub-component; its stored data stays."""

    type: str
    name: str
    new_name: str
    condition: Condition = Condition.NONE


@dataclass(frozen=True, slots=True)
class DropChild:
    """Inside ALTER: remove a sub-component."""

    type: str
    name: str
    condition: Condition = Condition.NONE


Change = (
    SetAttribute
    | AddValues
    | DropValues
    | DropAttribute
    | AddChild
    | ModifyChild
    | RenameChild
    | DropChild
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a script; ``component`` belongs to CREATE and RECREATE, ``changes`` to ALTER."""

    command: Command
    type: str
    name: str
    line: int
    component: Component | None = None
    changes: tuple[Change, ...] = ()
    new_name: str | None = None
    condition: Condition = Condition.NONE

    @property
    def key(self) -> tuple[str, str]:
        """Return type and name of the component that the statement names."""
        return self.type, self.name
