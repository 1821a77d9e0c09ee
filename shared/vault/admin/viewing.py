"""A record as a page shows it: its fields by section, what may be done with it, and what belongs to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.admin.inputs import Input, inputs
from shared.vault.admin.listing import plain, selected
from shared.vault.admin.showing import Shower, Shown, record_path
from shared.vault.components.platform import PLATFORM_FIELD_TYPES
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit
    from shared.vault.model.component_model import VaultObject

RECORD_ID = re.compile(r"[A-Za-z0-9]{1,40}")
OBJECT_NAME = re.compile(r"[a-z0-9_]{1,100}")


@dataclass(frozen=True, slots=True)
class Action:
    """A user action that the record offers, with the inputs of its start prompts."""

    name: str
    label: str
    inputs: list[Input]


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record; ``children`` are label and address of lists of records that refer to it."""

    target: VaultObject
    id: str
    name: str
    values: dict[str, Any]
    details: list[Shown]
    system: list[Shown]
    actions: list[Action]
    children: list[tuple[str, str]]

    @property
    def path(self) -> str:
        """The address of its page."""
        return record_path(self.target.name, self.id)

    @property
    def generic_path(self) -> str:
        """The address below which its edit, delete and audit pages are."""
        return f"/ui/objects/{self.target.name}/{self.id}"

    @property
    def standing(self) -> Shown:
        """Where it stands: its lifecycle state, or its status."""
        return self.shown("state__v" if self.target.lifecycle else "status__v")

    def shown(self, name: str) -> Shown:
        """One of its fields."""
        return next(each for each in (*self.details, *self.system) if each.name == name)


def object_of(
    visit: Visit, name: str, operation: Operation = Operation.READ
) -> VaultObject:
    """An object with whose records the caller may do this; raises VaultFault."""
    target = visit.registry.objects.get(name)
    if target is None or not target.active:
        raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{name[:100]}]")
    require(visit.caller, name, operation)
    return target


async def record_of(visit: Visit, object_name: str, record_id: str) -> dict[str, Any]:
    """All values of a record, with the names behind its references; raises VaultFault."""
    target = object_of(visit, object_name)
    record = plain(
        await visit.vault.queries.record(visit.caller, object_name, record_id)
    )
    paths = Shower(target, visit.caller, visit.registry).paths
    if paths:
        statement = f"SELECT {', '.join(paths.values())} FROM {object_name} WHERE id = '{record['id']}'"
        record |= next(iter(await selected(visit, statement)), {})
    return record


async def view(visit: Visit, object_name: str, record_id: str) -> RecordView:
    """A record as its page shows it; raises VaultFault."""
    target = object_of(visit, object_name)
    record = await record_of(visit, object_name, record_id)
    shower = Shower(target, visit.caller, visit.registry)
    shown = [shower.show(f.name, record) for f in target.fields.values() if f.active]
    own = [
        each
        for each in shown
        if each.name == "name__v" or each.name not in PLATFORM_FIELD_TYPES
    ]
    system = [
        each
        for each in shown
        if each.name != "name__v" and each.name in PLATFORM_FIELD_TYPES
    ]
    name = str(record.get("name__v") or record["id"])
    actions = (
        await _actions(visit, target, record)
        if may(visit.caller, object_name, Operation.EDIT)
        else []
    )
    return RecordView(
        target,
        record["id"],
        name,
        record,
        own,
        system,
        actions,
        _children(visit, target, record["id"]),
    )


async def _actions(
    visit: Visit, target: VaultObject, record: dict[str, Any]
) -> list[Action]:
    offered = await visit.vault.actions.available(
        visit.caller, target.name, record["id"]
    )
    actions = []
    for action in offered:
        fields = [
            target.fields[name] for name in action.prompts if name in target.fields
        ]
        actions.append(
            Action(
                action.name, action.label, await inputs(visit, target, fields, record)
            )
        )
    return actions


def _children(
    visit: Visit, target: VaultObject, record_id: str
) -> list[tuple[str, str]]:
    found = [
        (visit.registry.objects[child], field)
        for child, field in visit.registry.inbound(target.name).values()
        if visit.registry.objects[child].active
        and may(visit.caller, child, Operation.READ)
    ]
    return [
        (
            f"{child.label_plural} ({field.label})",
            f"/ui/objects/{child.name}?{field.name}={record_id}",
        )
        for child, field in found
    ]
