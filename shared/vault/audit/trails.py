"""Defines the audit trails: their fields, and the SQL that reads each field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from shared.vault import vql
from shared.vault.access.permissions import AuditTrail
from shared.vault.audit.entry_rows import ENTRIES, FOUND_BY, RECORD_FOUND_BY
from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import table

# Entries keep the user name of that time where it is known; the other names are those of now.
SOURCE = f"""{ENTRIES}
    LEFT JOIN platform.credential c ON c.user_id = a.user_id
    LEFT JOIN platform.credential b ON b.user_id = a.on_behalf_of
    LEFT JOIN records.user__sys u ON u.id = a.user_id::text"""

# Of fields that are always empty, or that are added to entries after they are read.
ABSENT = "NULL::text"


@dataclass(frozen=True, slots=True)
class TrailField:
    """One field of a trail; ``sql`` reads it from SOURCE."""

    name: str
    label: str
    sql: str
    type: FieldType = FieldType.STRING

    @property
    def queried(self) -> bool:
        """Return whether queries and copies of the trail have the field: its value comes from the entry alone."""
        return self.sql != ABSENT


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
CHANGED_FIELD = TrailField("field_name", "Field Name", "e.field")
VALUES = (
    TrailField("old_value", "Old Value", "e.old_value", FieldType.LONG_TEXT),
    TrailField("new_value", "New Value", "e.new_value", FieldType.LONG_TEXT),
)
RECORD_ID = TrailField("record_id", "Record ID", "e.record_id")
OBJECT_NAME = TrailField("object_name", "Object Name", "a.item")
WORKFLOW = (
    TrailField("workflow_name", "Workflow Name", "a.details ->> 'workflow'"),
    TrailField("task_name", "Task Name", "a.details ->> 'task'"),
)
# A change of a field in a sentence; long values are in their own fields.
CHANGE = """WHEN e.new_value IS NULL THEN format('"%s" cleared', e.field)
        WHEN e.old_value IS NULL THEN format('"%s" set to "%s"', e.field, left(e.new_value, 250))
        ELSE format('"%s" changed from "%s" to "%s"', e.field, left(e.old_value, 250), left(e.new_value, 250)) END"""
DESCRIBED = "event_description", "Event Description"
EVENT = TrailField(
    *DESCRIBED,
    f"CASE WHEN e.field IS NULL THEN concat_ws(' ', a.action, a.item, e.record_id) {CHANGE}",
)
DOCUMENT_EVENT = TrailField(
    *DESCRIBED,
    f"""CASE WHEN e.field IS NULL AND a.action = 'Create' THEN 'Document created'
        WHEN e.field IS NULL AND a.action = 'Delete' THEN 'Document deleted'
        WHEN e.field IS NULL THEN concat_ws(': ', a.action, e.new_value) {CHANGE}""",
)
RECORD = (
    *COMMON,
    ACTION,
    TrailField("item", "Item", "concat_ws(' : ', a.item, e.record_id)"),
    TrailField("field_label", "Field Label", ABSENT),
    CHANGED_FIELD,
    *VALUES,
    TrailField("old_display_value", "Old Display Value", ABSENT),
    TrailField("new_display_value", "New Display Value", ABSENT),
    RECORD_ID,
    TrailField("object_label", "Object Label", ABSENT),
    OBJECT_NAME,
    *WORKFLOW,
    TrailField("verdict", "Verdict", "a.details ->> 'verdict'"),
    TrailField("reason", "Reason", ABSENT),
    TrailField("capacity", "Capacity", ABSENT),
    EVENT,
)
# Entries from before their document's number was stored have the number of now.
NUMBER = f"""coalesce(a.details ->> 'number', (SELECT v.document_number__v FROM {table(VERSIONS)} v
        WHERE v.{DOCUMENT_ID} = e.record_id::bigint AND v.latest_version__sys))"""
ADDRESS = """concat('/ui/documents/', e.record_id,
        '/versions/' || replace(a.details ->> 'version', '.', '/'))"""
OF_DOCUMENT = (
    *COMMON,
    ACTION,
    TrailField("item", "Item", NUMBER),
    CHANGED_FIELD,
    *VALUES,
    *WORKFLOW,
    TrailField("signature_meaning", "Signature Meaning", ABSENT),
    # No license of this Vault counts views.
    TrailField("view_license", "View License", "''::text"),
    TrailField("doc_id", "Document ID", "e.record_id"),
    TrailField("version", "Version", "a.details ->> 'version'"),
    TrailField("document_url", "Document URL", ADDRESS),
    DOCUMENT_EVENT,
    OBJECT_NAME,
    RECORD_ID,
)
# Entries have been written with other words.
SIGN_IN_TYPE = "CASE a.action WHEN 'Login' THEN 'User Login' ELSE a.action END"
SIGN_IN_STATUS = "CASE e.new_value WHEN 'SUCCESS' THEN 'Success' ELSE e.new_value END"
SOURCE_IP = TrailField("source_ip", "Source IP", "a.details ->> 'source_ip'")
BROWSER = TrailField("browser", "Browser", "a.details ->> 'browser'")
PLATFORM = TrailField("platform", "Platform", "a.details ->> 'platform'")


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
        return _columns(self.fields)

    @property
    def queried_fields(self) -> tuple[TrailField, ...]:
        """Return the fields that queries and copies of the trail have."""
        return tuple(field for field in self.fields if field.queried)

    @property
    def relation(self) -> str:
        """Return the trail as a subquery."""
        source = f"{SOURCE} WHERE a.trail = '{self.key}'"
        return f"(SELECT {_columns(self.queried_fields)}, {FOUND_BY} FROM {source})"


def _columns(fields: Sequence[TrailField]) -> str:
    return ", ".join(f'{field.sql} AS "{field.name}"' for field in fields)


def _fields(trail: AuditTrail) -> tuple[TrailField, ...]:
    match trail:
        case AuditTrail.DOCUMENT:
            return OF_DOCUMENT
        case AuditTrail.OBJECT:
            return RECORD
        case AuditTrail.SYSTEM:
            # A component changes as a whole: there is no field name.
            return (*COMMON, ACTION, ITEM, *VALUES, EVENT)
        case AuditTrail.DOMAIN:
            return (*COMMON, ACTION, ITEM, CHANGED_FIELD, *VALUES, EVENT)
        case AuditTrail.LOGIN:
            return (
                *COMMON,
                SOURCE_IP,
                TrailField("type", "Type", SIGN_IN_TYPE),
                # How a sign-in ended stands where other entries have the new value.
                TrailField("status", "Status", SIGN_IN_STATUS),
                BROWSER,
                PLATFORM,
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
        for each in trail.queried_fields:
            fields[each.name] = Field(each.name, each.label, each.type, editable=False)
        plural = f"{trail.label}s"
        seen = VaultObject(trail.name, trail.label, plural, "", fields=fields)
        about = "object_name" if trail is OBJECT else ""
        found[trail.name] = vql.Target(
            seen,
            relation=trail.relation,
            about=about,
            found_by={"record_id": RECORD_FOUND_BY, "doc_id": RECORD_FOUND_BY},
        )
    return found
