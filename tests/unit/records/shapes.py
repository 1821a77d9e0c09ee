"""Objects of a small Vault for tests of the write path, and a stand-in for its connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.vault.components.platform import AUDIT, SOURCE_MODIFIED
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import (
    Field,
    FieldType,
    Lifecycle,
    LifecycleState,
    ObjectType,
    Picklist,
    PicklistEntry,
    VaultObject,
)


def text(name: str, **attributes: Any) -> Field:
    return Field(name, name.title(), FieldType.STRING, max_length=20, **attributes)


def reference(name: str, to: str, relationship: str, **attributes: Any) -> Field:
    return Field(
        name,
        name.title(),
        FieldType.OBJECT,
        object=to,
        relationship_outbound_name=relationship,
        **attributes,
    )


def shape(name: str, *fields: Field, **attributes: Any) -> VaultObject:
    platform = (
        Field("id", "ID", FieldType.ID, system=True, editable=False),
        Field("global_id__sys", "Global ID", FieldType.ID, system=True, editable=False),
        text("name__v", required=True),
        Field("status__v", "Status", FieldType.PICKLIST, picklist="default_status__v"),
        Field("object_type__v", "Type", FieldType.STRING, editable=False),
        *AUDIT,
        SOURCE_MODIFIED,
    )
    by_name = {each.name: each for each in (*platform, *fields)}
    return VaultObject(name, name, name, "V0A", fields=by_name, **attributes)


STATUSES = Picklist(
    "default_status__v",
    "Status",
    entries={name: PicklistEntry(name, name) for name in ("active__v", "inactive__v")},
)
COLOURS = Picklist(
    "colour__c",
    "Colour",
    entries={
        "red__c": PicklistEntry("red__c", "Red"),
        "blue__c": PicklistEntry("blue__c", "Blue"),
        "grey__c": PicklistEntry("grey__c", "Grey", active=False),
    },
)
LIFE = Lifecycle(
    "life__c",
    "Life",
    starting_state="new__c",
    states={
        "new__c": LifecycleState("new__c", "New", state_type="initial_state__sys"),
        "done__c": LifecycleState("done__c", "Done", state_type="complete_state__sys"),
        "old__c": LifecycleState("old__c", "Old", active=False),
    },
)

ACCOUNT = shape("account__v", text("key__c", unique=True), text("city__c"))
THING = shape(
    "thing__c",
    text("key__c", unique=True),
    text("note__c"),
    text("secret__c", editable=False),
    text("gone__c", active=False),
    Field("colour__c", "Colour", FieldType.PICKLIST, picklist="colour__c"),
    Field(
        "colours__c",
        "Colours",
        FieldType.PICKLIST,
        picklist="colour__c",
        multi_value=True,
    ),
    Field("count__c", "Count", FieldType.NUMBER, min_value=0, max_value=100),
    Field("price__c", "Price", FieldType.NUMBER, scale=2),
    Field("open__c", "Open", FieldType.BOOLEAN),
    Field("day__c", "Day", FieldType.DATE),
    Field("time__c", "Time", FieldType.DATE_TIME),
    Field("file__c", "File", FieldType.ATTACHMENT),
    reference("account__c", "account__v", "account__cr"),
    allow_types=True,
    default_type="base__v",
    lifecycle="life__c",
)
TYPES = {
    ("thing__c", "base__v"): ObjectType("base__v", "thing__c", "Base"),
    ("thing__c", "small__c"): ObjectType("small__c", "thing__c", "Small"),
    ("thing__c", "closed__c"): ObjectType(
        "closed__c", "thing__c", "Closed", active=False
    ),
}
REGISTRY = Registry(
    objects={each.name: each for each in (ACCOUNT, THING)},
    picklists={each.name: each for each in (STATUSES, COLOURS)},
    lifecycles={LIFE.name: LIFE},
    object_types=TYPES,
)


@dataclass
class Answers:
    """A connection that returns the test's rows call by call, and records the statements."""

    rows: list[Any] = field(default_factory=list)
    asked: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    async def fetch(self, sql: str, *parameters: Any) -> Any:
        self.asked.append((sql, parameters))
        return self.rows.pop(0)

    async def fetchval(self, sql: str, *parameters: Any) -> Any:
        self.asked.append((sql, parameters))
        return self.rows.pop(0)
