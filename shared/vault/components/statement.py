"""The statements of an MDL script, as read: what is asked for, of which component."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.vault.components.tree import Component, Scalar


class Command(StrEnum):
    """What a statement asks for."""

    CREATE = "CREATE"
    RECREATE = "RECREATE"
    ALTER = "ALTER"
    RENAME = "RENAME"
    DROP = "DROP"


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Inside ALTER: give an attribute these values."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class DropAttribute:
    """Inside ALTER: take an attribute away."""

    name: str


@dataclass(frozen=True, slots=True)
class AddChild:
    """Inside ALTER: add a sub-component that does not exist yet."""

    child: Component


@dataclass(frozen=True, slots=True)
class ModifyChild:
    """Inside ALTER: change a sub-component that exists."""

    type: str
    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class DropChild:
    """Inside ALTER: remove a sub-component."""

    type: str
    name: str


Change = SetAttribute | DropAttribute | AddChild | ModifyChild | DropChild


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
