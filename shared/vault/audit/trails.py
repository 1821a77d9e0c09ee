"""Defines the audit trails: their fields, and the SQL that reads each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from shared.vault import vql
from shared.vault.access.permissions import AuditTrail
from shared.vault.audit.entry_rows import ENTRIES, FOUND_BY, RECORD_FOUND_BY
from shared.vault.model.component_model import Field, FieldType, VaultObject

# Entries keep the user name of that time where it is known; the other names are those of now.
SOURCE = f"""{ENTRIES}
    LEFT JOIN platform.credential c ON c.user_id = a.user_id
    LEFT JOIN platform.credential b ON b.user_id = a.on_behalf_of
    LEFT JOIN records.user__sys u ON u.id = a.user_id::text"""


@dataclass(frozen=True, slots=True)
class TrailField:
    """One field of a trail; ``sql`` reads it from SOURCE."""

    name: str
    label: str
    sql: str
    type: FieldType = FieldType.STRING


COMMON = (
    TrailField("id", "ID", "e.id::text", FieldType.ID),
    TrailField("timestamp", "Timestamp", "a.happened", FieldType.DATE_TIME),
    TrailField("user_id", "User ID", "a.user_id::text"),
    TrailField("user_name", "User Name", "coalesce(a.user_name, c.username)"),
    TrailField(
        "full_name",
        "Full Name",
        "concat_ws(' ', u.first_name__sys, u.last_name__sys)",
    ),
    TrailField("on_behalf_of", "On Behalf Of", "b.username"),
)
ACTION = TrailField("action", "Action", "a.action")
ITEM = TrailField("item", "Item", "a.item")
VALUES = (
    TrailField("field_name", "Field Name", "e.field"),
    TrailField("old_value", "Old Value", "e.old_value", FieldType.LONG_TEXT),
    TrailField("new_value", "New Value", "e.new_value", FieldType.LONG_TEXT),
)
# What an entry says, in a sentence; long values are in their own fields.
EVENT = TrailField(
    "event_description",
    "Event Description",
    """CASE WHEN e.field IS NULL THEN concat_ws(' ', a.action, a.item, e.record_id)
        WHEN e.new_value IS NULL THEN format('"%s" cleared', e.field)
        ELSE format('"%s" set to "%s"', e.field, left(e.new_value, 250)) END""",
)
RECORD = (
    *COMMON,
    ACTION,
    TrailField("item", "Item", "concat_ws(' : ', a.item, e.record_id)"),
    TrailField("object_name", "Object Name", "a.item"),
    TrailField("record_id", "Record ID", "e.record_id"),
    *VALUES,
    EVENT,
)


@dataclass(frozen=True, slots=True)
class Trail:
    """One audit trail: ``key`` is its value in the table of entries, ``name`` its name in the API."""

    key: str
    name: str
    label: str
    fields: tuple[TrailField, ...]

    @property
    def columns(self) -> str:
        """Return the columns to select from SOURCE, each named as its field."""
        selected = [f'{field.sql} AS "{field.name}"' for field in self.fields]
        return ", ".join(selected)

    @property
    def relation(self) -> str:
        """Return the trail as a subquery."""
        source = f"{SOURCE} WHERE a.trail = '{self.key}'"
        return f"(SELECT {self.columns}, {FOUND_BY} FROM {source})"


def _fields(trail: AuditTrail) -> tuple[TrailField, ...]:
    match trail:
        case AuditTrail.DOCUMENT | AuditTrail.OBJECT:
            return RECORD
        case AuditTrail.SYSTEM:
            # A component changes as a whole: there is no field name.
            return (*COMMON, ACTION, ITEM, *VALUES[1:], EVENT)
        case AuditTrail.DOMAIN:
            return (*COMMON, ACTION, ITEM, *VALUES, EVENT)
        case AuditTrail.LOGIN:
            return (
                *COMMON,
                # How a sign-in ended stands where other entries have the new value.
                TrailField("type", "Type", "a.action"),
                TrailField("status", "Status", "e.new_value"),
            )
        case _:
            assert_never(trail)


def _trail(trail: AuditTrail) -> Trail:
    label = f"{trail.key.capitalize()} Audit Trail"
    return Trail(
        key=trail.key,
        name=trail.value,
        label=label,
        fields=_fields(trail),
    )


TRAILS: Mapping[str, Trail] = {trail.value: _trail(trail) for trail in AuditTrail}
DOCUMENT = TRAILS[AuditTrail.DOCUMENT]
OBJECT = TRAILS[AuditTrail.OBJECT]


def query_targets() -> dict[str, vql.Target]:
    """Return the trails as VQL reads them, by name."""
    found: dict[str, vql.Target] = {}
    for trail in TRAILS.values():
        fields: dict[str, Field] = {}
        for each in trail.fields:
            fields[each.name] = Field(each.name, each.label, each.type, editable=False)
        plural = f"{trail.label}s"
        seen = VaultObject(trail.name, trail.label, plural, "", fields=fields)
        about = "object_name" if trail is OBJECT else ""
        found[trail.name] = vql.Target(
            seen,
            relation=trail.relation,
            about=about,
            found_by={"record_id": RECORD_FOUND_BY},
        )
    return found
