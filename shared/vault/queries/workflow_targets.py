"""Makes the query targets of workflows, of their records, and of their tasks: active and ended ones."""

from __future__ import annotations

from dataclasses import dataclass

from shared.vault import vql
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipType,
    VaultObject,
)

USER = "user__sys"
# The object that a row is about, by which callers see it; the public targets of items have it, the others gain it.
ABOUT = "object_name__sys"

_ID = FieldType.ID
_TEXT = FieldType.STRING
_LONG = FieldType.LONG_TEXT
_MOMENT = FieldType.DATE_TIME
_NUMBER = FieldType.NUMBER


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a target, its SQL, and the part of workflows or the object that it refers to."""

    name: str
    label: str
    sql: str
    type: FieldType = _TEXT
    refers_to: str = ""
    outbound: str = ""
    inbound: str = ""


_OBJECT = "(SELECT i.object FROM platform.workflow_item i WHERE i.workflow_id = w.id ORDER BY i.id LIMIT 1)"
# Documents are items of another type than records, and have no record id.
_KIND = "CASE i.object WHEN 'documents' THEN 'document__sys' ELSE 'object__sys' END"
_DOCUMENT = "CASE i.object WHEN 'documents' THEN i.record_id END"
_RECORD = "CASE WHEN i.object <> 'documents' THEN i.record_id END"
_OWNER = ("user", "owner__sysr")
_WORKFLOW_KIND = f"""(SELECT {_KIND}
    FROM platform.workflow_item i WHERE i.workflow_id = w.id ORDER BY i.id LIMIT 1)"""
_CARDINALITY = """CASE d.component #>> '{attributes,cardinality,0}'
    WHEN 'OneOrMany' THEN 'one_or_many__sys' ELSE 'one__sys' END"""

_WORKFLOW = (
    _Column("id", "ID", "w.id::text", _ID),
    _Column("label__sys", "Label", "w.label"),
    _Column("name__sys", "Name", "w.name"),
    _Column("owner__sys", "Owner", "w.owner_id::text", _TEXT, *_OWNER),
    _Column(
        "cardinality__sys",
        "Cardinality",
        _CARDINALITY,
    ),
    _Column("type__sys", "Type", _WORKFLOW_KIND),
    _Column("status__sys", "Status", "w.status || '__v'"),
    _Column(
        "workflow_definition_version__sys", "Definition Version", "d.version::text"
    ),
    _Column("due_date__sys", "Due Date", "NULL::timestamptz", _MOMENT),
    _Column(
        "cancelled_date__sys",
        "Cancelled Date",
        "CASE WHEN w.status = 'cancelled' THEN w.ended_date END",
        _MOMENT,
    ),
    _Column(
        "cancellation_comment__sys", "Cancellation Comment", "w.cancellation_comment"
    ),
    _Column(
        "completed_date__sys",
        "Completed Date",
        "CASE WHEN w.status = 'completed' THEN w.ended_date END",
        _MOMENT,
    ),
    _Column("created_by__sys", "Created By", "w.created_by::text"),
    _Column("created_date__sys", "Created Date", "w.created_date", _MOMENT),
    _Column("modified_by__sys", "Last Modified By", "w.modified_by::text"),
    _Column("modified_date__sys", "Last Modified Date", "w.modified_date", _MOMENT),
    _Column("class__sys", "Class", "NULL::text"),
    _Column(ABOUT, "Object Name", _OBJECT),
)


def _workflow_of(inbound: str) -> _Column:
    return _Column(
        "workflow__sys",
        "Workflow",
        "w.id::text",
        _TEXT,
        "workflow",
        "workflow__sysr",
        inbound,
    )


_ITEM = (
    _Column("id", "ID", "i.id::text", _ID),
    _workflow_of("workflow_items__sysr"),
    _Column("type__sys", "Type", _KIND),
    _Column("document__sys", "Document", _DOCUMENT),
    _Column("document_version__sys", "Document Version", "NULL::text"),
    _Column(ABOUT, "Object Name", "i.object"),
    _Column("object_record_id__sys", "Object Record ID", _RECORD),
)
_TASK = (
    _Column("id", "ID", "t.id::text", _ID),
    _workflow_of("workflow_tasks__sysr"),
    _Column("label__sys", "Label", "t.label"),
    _Column("name__sys", "Name", "t.step"),
    _Column("owner__sys", "Owner", "t.owner_id::text", _TEXT, *_OWNER),
    _Column("participant_group__sys", "Participant Group", "t.participant"),
    _Column("status__sys", "Status", "t.status || '__sys'"),
    _Column("assigned_date__sys", "Assigned Date", "t.assigned_date", _MOMENT),
    _Column(
        "cancelled_date__sys",
        "Cancelled Date",
        "CASE WHEN t.status = 'cancelled' THEN t.ended_date END",
        _MOMENT,
    ),
    _Column(
        "completed_date__sys",
        "Completed Date",
        "CASE WHEN t.status = 'completed' THEN t.ended_date END",
        _MOMENT,
    ),
    _Column("completed_by__sys", "Completed By", "t.completed_by::text"),
    _Column("created_date__sys", "Created Date", "t.created_date", _MOMENT),
    _Column("due_date__sys", "Due Date", "t.due_date", _MOMENT),
    _Column("modified_date__sys", "Last Modified Date", "t.modified_date", _MOMENT),
    _Column("iteration__sys", "Iteration", "t.iteration::numeric", _NUMBER),
    _Column("instructions__sys", "Instructions", "t.instructions", _LONG),
    _Column("group_instructions__sys", "Group Instructions", "NULL::text", _LONG),
    _Column("task_comment__sys", "Task Comment", "t.comment", _LONG),
    _Column(ABOUT, "Object Name", _OBJECT),
)
_TASK_ITEM = (
    _Column("id", "ID", "v.id::text", _ID),
    _Column(
        "task__sys",
        "Task",
        "t.id::text",
        _TEXT,
        "workflow_task",
        "workflow_task__sysr",
        "workflow_task_items__sysr",
    ),
    _workflow_of("workflow_task_items__sysr"),
    _Column("task_comment__sys", "Task Comment", "t.comment", _LONG),
    _Column("status__sys", "Status", "t.status || '__sys'"),
    _Column("capacity__sys", "Capacity", "NULL::text"),
    _Column("verdict__sys", "Verdict", "v.verdict"),
    _Column("verdict_reason__sys", "Verdict Reason", "NULL::text"),
    _Column("verdict_comment__sys", "Verdict Comment", "v.comment", _LONG),
    _Column("type__sys", "Type", _KIND),
    _Column("document_id__sys", "Document ID", _DOCUMENT),
    _Column(ABOUT, "Object Name", "i.object"),
    _Column("object__sys", "Object", "i.object"),
    _Column("object_record_id__sys", "Object Record ID", _RECORD),
)

_WITH_DEFINITION = (
    "platform.workflow w JOIN platform.workflow_definition d ON d.id = w.definition_id"
)
_WITH_WORKFLOW = (
    "platform.workflow_task t JOIN platform.workflow w ON w.id = t.workflow_id"
)
_WITH_ITEMS = f"""{_WITH_WORKFLOW} JOIN platform.workflow_task_item v ON v.task_id = t.id
    JOIN platform.workflow_item i ON i.id = v.item_id"""
_PARTS = {
    "workflow": ("Workflow", _WORKFLOW, _WITH_DEFINITION),
    "workflow_item": (
        "Workflow Item",
        _ITEM,
        "platform.workflow_item i JOIN platform.workflow w ON w.id = i.workflow_id",
    ),
    "workflow_task": ("Workflow Task", _TASK, _WITH_WORKFLOW),
    "workflow_task_item": (
        "Workflow Task Item",
        _TASK_ITEM,
        _WITH_ITEMS,
    ),
}
# Whether a workflow has ended decides for its items and tasks, too.
_PHASES = {"active": "w.status = 'active'", "inactive": "w.status <> 'active'"}


def workflow_targets() -> dict[str, vql.Target]:
    """Return the query targets by name, such as ``active_workflow__sys``."""
    found: dict[str, vql.Target] = {}
    for phase, condition in _PHASES.items():
        for part, (label, columns, source) in _PARTS.items():
            fields = {each.name: _field(each, phase) for each in columns}
            selected = ", ".join(f'{each.sql} AS "{each.name}"' for each in columns)
            name = f"{phase}_{part}__sys"
            title = f"{phase.capitalize()} {label}"
            queried = VaultObject(name, title, f"{title}s", "", fields=fields)
            relation = f"(SELECT {selected} FROM {source} WHERE {condition})"
            found[name] = vql.Target(
                queried, relation=relation, about=ABOUT, numbered=True
            )
    return found


def _field(column: _Column, phase: str) -> Field:
    if not column.refers_to:
        own = column.name == "id"
        return Field(
            column.name,
            column.label,
            column.type,
            required=own,
            unique=own,
            editable=False,
            system=own,
        )
    of_user = column.refers_to == "user"
    return Field(
        column.name,
        column.label,
        FieldType.OBJECT,
        editable=False,
        object=USER if of_user else f"{phase}_{column.refers_to}__sys",
        relationship_type=RelationshipType.REFERENCE,
        relationship_outbound_name=column.outbound
        if of_user
        else f"{phase}_{column.outbound}",
        relationship_inbound_name=f"{phase}_{column.inbound}"
        if column.inbound
        else None,
    )
