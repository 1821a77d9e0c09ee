"""The audit trails there are: their fields, and the SQL that each field is read by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.vault import vql
from shared.vault.model.component_model import Field, FieldType, VaultObject

SOURCE = """platform.audit_entry a
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
    TrailField("id", "ID", "a.id::text", FieldType.ID),
    TrailField("timestamp", "Timestamp", "a.happened", FieldType.DATE_TIME),
    TrailField("user_id", "User ID", "a.user_id::text"),
    TrailField("user_name", "User Name", "coalesce(a.user_name, c.username)"),
    TrailField(
        "full_name", "Full Name", "concat_ws(' ', u.first_name__sys, u.last_name__sys)"
    ),
    TrailField("on_behalf_of", "On Behalf Of", "b.username"),
)
ACTION = TrailField("action", "Action", "a.action")
ITEM = TrailField("item", "Item", "a.item")
VALUES = (
    TrailField("field_name", "Field Name", "a.field"),
    TrailField("old_value", "Old Value", "a.old_value", FieldType.LONG_TEXT),
    TrailField("new_value", "New Value", "a.new_value", FieldType.LONG_TEXT),
)
RECORD = (
    *COMMON,
    ACTION,
    TrailField("object_name", "Object Name", "a.item"),
    TrailField("record_id", "Record ID", "a.record_id"),
    *VALUES,
)


@dataclass(frozen=True, slots=True)
class Trail:
    """One audit trail, ``key`` in the table; ``name`` in the API."""

    key: str
    name: str
    label: str
    fields: tuple[TrailField, ...]

    @property
    def columns(self) -> str:
        """What to select from SOURCE, each under its field's name."""
        return ", ".join(f'{f.sql} AS "{f.name}"' for f in self.fields)

    @property
    def relation(self) -> str:
        """The trail as a subquery."""
        return f"(SELECT {self.columns} FROM {SOURCE} WHERE a.trail = '{self.key}')"


DOCUMENT = Trail("document", "document_audit_trail", "Document Audit Trail", RECORD)
OBJECT = Trail("object", "object_audit_trail", "Object Audit Trail", RECORD)
TRAILS: Mapping[str, Trail] = {
    trail.name: trail
    for trail in (
        DOCUMENT,
        OBJECT,
        Trail(
            "system",
            "system_audit_trail",
            "System Audit Trail",
            (*COMMON, ACTION, ITEM, *VALUES[1:]),
        ),
        Trail(
            "domain",
            "domain_audit_trail",
            "Domain Audit Trail",
            (*COMMON, ACTION, ITEM, *VALUES),
        ),
        Trail(
            "login",
            "login_audit_trail",
            "Login Audit Trail",
            (
                *COMMON,
                TrailField("type", "Type", "a.action"),
                TrailField("status", "Status", "a.new_value"),
            ),
        ),
    )
}


def query_targets() -> dict[str, vql.Target]:
    """The trails as VQL reads them."""
    found = {}
    for trail in TRAILS.values():
        fields = {
            f.name: Field(f.name, f.label, f.type, editable=False) for f in trail.fields
        }
        seen = VaultObject(
            trail.name, trail.label, f"{trail.label}s", "", fields=fields
        )
        found[trail.name] = vql.Target(seen, relation=trail.relation)
    return found
