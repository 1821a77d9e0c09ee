"""How a record call writes: in migration mode, without triggers, and what fields that do not change are taken for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.vault.access.caller import Caller
from shared.vault.access.permissions import Grant, authorize


class UnchangedFields(StrEnum):
    """What to do with a field of an update whose value is stored already."""

    ALWAYS_IGNORE = "AlwaysIgnore"  # also one that may not be set
    IGNORE_SET_ON_CREATE_ONLY = "IgnoreSetOnCreateOnly"  # also the object type
    NEVER_IGNORE = "NeverIgnore"  # written again


@dataclass(frozen=True, slots=True)
class WriteMode:
    """The mode of one record call; ``no_triggers`` counts in migration mode only."""

    migration: bool = False
    no_triggers: bool = False
    unchanged: UnchangedFields = UnchangedFields.IGNORE_SET_ON_CREATE_ONLY
    type_change: bool = False

    @property
    def may_change_type(self) -> bool:
        """Whether a record may get another object type."""
        return self.type_change or self.migration

    @property
    def triggers(self) -> bool:
        """Whether the rules of the object's own run."""
        return not (self.migration and self.no_triggers)


NORMAL = WriteMode()
TYPE_CHANGE = WriteMode(type_change=True)


def authorize_mode(caller: Caller, mode: WriteMode) -> None:
    """Refuse migration mode to a caller without the permission; raises VaultFault INSUFFICIENT_ACCESS."""
    if mode.migration:
        authorize(caller, Grant.RECORD_MIGRATION)
