"""Carries out the picklist calls of the API, which read, add, relabel, rename and inactivate values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize
from shared.vault.components.naming import name_of_label
from shared.vault.components.platform import DEFAULT_STATUS
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.model.component_model import (
        Field,
        Picklist,
        PicklistEntry,
        VaultObject,
    )

MAX_VALUES = 2000
# A double underscore begins the suffix of a name.
STEM = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
# With the suffix and without it, as callers of Vault write them.
STATUSES = {
    "active": "true",
    "active__v": "true",
    "inactive": "false",
    "inactive__v": "false",
}

Value = dict[str, str]


class PicklistService:
    """Reads and changes the picklists of a Vault; every change is a change of the Picklist component."""

    def __init__(self, components: ComponentService) -> None:
        self._components = components

    def all(self) -> list[dict[str, object]]:
        """Return all picklists, each with the fields that use it."""
        used = self._used_in()
        picklists: list[dict[str, object]] = []
        for name, picklist in self._components.registry.picklists.items():
            fields = [
                {"objectName": target.name, "propertyName": field.name}
                for target, field in used.get(name, ())
            ]
            picklists.append(
                {
                    "name": picklist.name,
                    "label": picklist.label,
                    # No picklist belongs to a single field.
                    "kind": "global",
                    "systemManaged": _is_system_managed(picklist.name),
                    "usedIn": fields,
                }
            )
        return picklists

    def values(self, name: str) -> list[Value]:
        """Return the active values of a picklist, in its order.

        :raises VaultFault: INVALID_DATA when there is no such picklist.
        """
        entries = self._picklist(name).entries.values()
        return [{"name": e.name, "label": e.label} for e in entries if e.active]

    async def add(self, caller: Caller, name: str, labels: list[str]) -> list[Value]:
        """Add values, each named after its label, and return them.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
        picklist = self._changeable(caller, name)
        if len(picklist.entries) + len(labels) > MAX_VALUES:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"A picklist has at most {MAX_VALUES} values"
            )
        added = {name_of_label(label): label for label in labels}
        taken = next((new for new in added if new in picklist.entries), None)
        if taken is not None:
            message = f"Another resource already exists with [name={taken}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        # Two labels may make the same name.
        if len(added) < len(labels):
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, "A value is repeated")
        _require_distinct(picklist, added)
        orders = [entry.order for entry in picklist.entries.values()]
        changes: list[str] = []
        for order, (new, label) in enumerate(added.items(), max(orders, default=0) + 1):
            attributes = f"label({_text(label)}), order({order})"
            changes.append(f"ADD Picklistentry {new} ({attributes})")
        await self._alter(caller, name, changes)
        return [{"name": new, "label": label} for new, label in added.items()]

    async def relabel(
        self,
        caller: Caller,
        name: str,
        labels: Mapping[str, str],
    ) -> list[Value]:
        """Change the labels of values (name → label), and return the values; their names do not change.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, PARAMETER_REQUIRED, OPERATION_NOT_ALLOWED.
        """
        picklist = self._changeable(caller, name)
        if not labels or "" in labels.values():
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, "The call has no new labels")
        changes: list[str] = []
        for value, label in labels.items():
            # Raises for a value that does not exist, before anything is changed.
            _entry(picklist, value)
            changes.append(f"MODIFY Picklistentry {value} (label({_text(label)}))")
        active = {
            each: labels[each] for each in labels if picklist.entries[each].active
        }
        _require_distinct(picklist, active)
        await self._alter(caller, name, changes)
        return [{"name": value, "label": label} for value, label in labels.items()]

    async def change(
        self,
        caller: Caller,
        name: str,
        value: str,
        new_name: str,
        status: str,
    ) -> str:
        """Rename a value (also in the records that have it), or make it active or inactive; return its name.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, PARAMETER_REQUIRED, OPERATION_NOT_ALLOWED.
        """
        picklist = self._changeable(caller, name)
        entry = _entry(picklist, value)
        if not new_name and not status:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED,
                "Missing required parameter [name] or [status]",
            )
        active = str(entry.active).lower()
        if status:
            active = STATUSES.get(status.lower(), "")
        if not active:
            raise VaultFault(
                ErrorType.INVALID_DATA, "[status] takes active or inactive"
            )
        # Its label may have become that of another value since it was inactive.
        if active == "true" and not entry.active:
            _require_distinct(picklist, {value: entry.label})
        renamed = _value_name(new_name) if new_name else value
        if renamed == value:
            await self._alter(
                caller,
                name,
                [f"MODIFY Picklistentry {value} (active({active}))"],
            )
            return value
        if renamed in picklist.entries:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Another resource already exists with [name={renamed}]",
            )
        changes = [
            # In this order: the second change names what the first has made.
            f"RENAME Picklistentry {value} TO {renamed}",
            f"MODIFY Picklistentry {renamed} (active({active}))",
        ]
        await self._alter(caller, name, changes)
        return renamed

    async def inactivate(
        self,
        caller: Caller,
        name: str,
        value: str,
    ) -> None:
        """Make a value inactive; records that have it keep it.

        :raises VaultFault: as ``change`` does.
        """
        await self.change(caller, name, value, "", "inactive")

    def _picklist(self, name: str) -> Picklist:
        picklist = self._components.registry.picklists.get(name)
        if picklist is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no picklist [{name[:100]}]"
            )
        return picklist

    def _changeable(self, caller: Caller, name: str) -> Picklist:
        """Return a picklist after checking that the caller may change it.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA; OPERATION_NOT_ALLOWED for a picklist of the system.
        """
        authorize(caller, Grant.EXECUTE_MDL)
        picklist = self._picklist(name)
        if _is_system_managed(name):
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Picklist [{name}] is managed by the system",
            )
        return picklist

    async def _alter(
        self,
        caller: Caller,
        name: str,
        changes: Iterable[str],
    ) -> None:
        # As MDL, so that the change is checked, stored and audited like any change of a component.
        statement = f"ALTER Picklist {name} (\n{','.join(changes)}\n);"
        script = await self._components.execute(caller, statement)
        if script.failures:
            raise VaultFault(ErrorType.INVALID_DATA, script.failures[0].message)

    def _used_in(self) -> dict[str, list[tuple[VaultObject, Field]]]:
        """Return picklist name → the fields that use it, each with its object."""
        used: dict[str, list[tuple[VaultObject, Field]]] = {}
        for target in self._components.registry.objects.values():
            for field in target.fields.values():
                if field.picklist:
                    fields = used.setdefault(field.picklist, [])
                    fields.append((target, field))
        return used


def _entry(picklist: Picklist, value: str) -> PicklistEntry:
    entry = picklist.entries.get(value)
    if entry is None:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"Picklist [{picklist.name}] has no value [{value[:100]}]",
        )
    return entry


def _require_distinct(picklist: Picklist, labels: Mapping[str, str]) -> None:
    """Check that no two active values have one label, whatever its case, once values have these (name → label).

    :raises VaultFault: OPERATION_NOT_ALLOWED
    """
    # What is not changed may repeat itself: configuration of other Vaults does.
    entries = picklist.entries.values()
    others = {e.label.casefold() for e in entries if e.active and e.name not in labels}
    for label in labels.values():
        if label.casefold() in others:
            raise VaultFault(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"Another active value already has the label [{label[:100]}]",
            )
        others.add(label.casefold())


def _value_name(name: str) -> str:
    """Return the stored name of a value: the sent name, with ``__c`` appended when it lacks the suffix."""
    stem = name.removesuffix("__c")
    if not STEM.fullmatch(stem):
        message = "[name] takes lower-case letters, digits and single underscores; the Vault adds __c"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return f"{stem}__c"


def _is_system_managed(name: str) -> bool:
    return name == DEFAULT_STATUS.name or name.endswith("__sys")


def _text(value: str) -> str:
    """Return a text as MDL quotes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
