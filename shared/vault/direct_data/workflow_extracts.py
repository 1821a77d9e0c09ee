"""Describes the extracts of workflows: the workflows, their contents, their tasks, and comments in tasks."""

from __future__ import annotations

from collections.abc import Sequence

from shared.vault.components.document_model import DOCUMENT_ID, VERSIONS
from shared.vault.direct_data.table_extracts import (
    ID_LENGTH,
    TEXT_LENGTH,
    Column,
    ColumnType,
    TableExtract,
    moment_text,
)
from shared.vault.model.component_model import DocumentModel
from shared.vault.model.field_types import DOCUMENTS, USER_OBJECT, table

COMPONENT = "Workflow"
LONG_LENGTH = 32_000
_USERS = f"Object.{USER_OBJECT}"

_KIND = f"CASE i.object WHEN '{DOCUMENTS}' THEN 'document__sys' ELSE 'object__sys' END"
_RECORD = f"CASE WHEN i.object <> '{DOCUMENTS}' THEN i.record_id END"
_OBJECT = f"CASE WHEN i.object <> '{DOCUMENTS}' THEN i.object END"
_DOCUMENT = f"CASE i.object WHEN '{DOCUMENTS}' THEN i.record_id END"

_WORKFLOWS = """platform.workflow w JOIN platform.workflow_definition d ON d.id = w.definition_id
LEFT JOIN LATERAL (SELECT object FROM platform.workflow_item WHERE workflow_id = w.id ORDER BY id LIMIT 1) i ON true"""
_ITEMS = "platform.workflow_item i JOIN platform.workflow w ON w.id = i.workflow_id"
_TASKS = "platform.workflow_task t"
_TASK_ITEMS = """platform.workflow_task_item v JOIN platform.workflow_task t ON t.id = v.task_id
JOIN platform.workflow_item i ON i.id = v.item_id"""


def workflow_extracts(documents: DocumentModel) -> list[TableExtract]:
    """Return the extracts of active and ended workflows."""
    items, changed = _items(documents)
    return [
        _extract("workflow", "Workflow", _workflow(), _WORKFLOWS, "w.modified_date"),
        _extract("workflow_item", "Workflow Item", items, *changed),
        _extract("workflow_task", "Workflow Task", _task(), _TASKS, "t.modified_date"),
        _extract(
            "workflow_task_item",
            "Workflow Task Item",
            _task_item(),
            _TASK_ITEMS,
            "t.modified_date",
        ),
    ]


def _extract(
    name: str, label: str, columns: Sequence[Column], source: str, changed: str
) -> TableExtract:
    return TableExtract(
        COMPONENT, f"{name}__sys", label, tuple(columns), source, changed
    )


def _workflow() -> list[Column]:
    version = "d.version::text"
    return [
        _id("w.id"),
        _moment("modified_date__v", "Last Modified Date", "w.modified_date"),
        _text("label__sys", "Label", "w.label"),
        _text("name__sys", "Name", "w.name"),
        _text("type__sys", "Type", _KIND),
        _text("status__sys", "Status", "w.status || '__v'"),
        _user("owner__sys", "Owner", "w.owner_id"),
        _text("workflow_definition_version__sys", "Definition Version", version),
        _text("description__sys", "Description", "w.description"),
        _user("created_by__sys", "Created By", "w.created_by"),
        _moment("created_date__sys", "Created Date", "w.created_date"),
        _user("modified_by__sys", "Last Modified By", "w.modified_by"),
        _ended("completed", "Completed Date", "w"),
        _ended("cancelled", "Cancelled Date", "w"),
        _long("cancellation_comment__sys", "Cancellation Comment", "w.cancellation_comment"),
    ]  # fmt: skip


def _items(documents: DocumentModel) -> tuple[list[Column], tuple[str, str]]:
    """Return the columns of the contents of workflows, with their source and the date of their change.

    A document's latest version is listed, so that its row changes with each new version.
    """
    version, source, changed = "NULL::text", _ITEMS, "w.modified_date"
    if documents.versions is not None:
        version = "x.id"
        source = f"""{_ITEMS} LEFT JOIN {table(VERSIONS)} x
            ON i.object = '{DOCUMENTS}' AND x.{DOCUMENT_ID}::text = i.record_id AND x.latest_version__sys"""
        changed = "greatest(w.modified_date, x.version_modified_date__v)"
    columns = [
        _id("i.id"),
        _moment("modified_date__v", "Last Modified Date", changed),
        _of("workflow__sys", "Workflow", "w.id", "workflow"),
        _text("type__sys", "Type", _KIND),
        _text("object__sys", "Object", _OBJECT),
        _text("object_record_id__sys", "Object Record ID", _RECORD),
        _text("doc_id", "Document ID", _DOCUMENT),
        _text("doc_version_id", "Document Version ID", version),
    ]
    return columns, (source, changed)


def _task() -> list[Column]:
    return [
        _id("t.id"),
        _moment("modified_date__v", "Last Modified Date", "t.modified_date"),
        _of("workflow__sys", "Workflow", "t.workflow_id", "workflow"),
        _text("label__sys", "Label", "t.label"),
        _text("name__sys", "Name", "t.step"),
        _user("owner__sys", "Owner", "t.owner_id"),
        _text("status__sys", "Status", "t.status || '__sys'"),
        Column("iteration__sys", "Iteration", ColumnType.NUMBER, "t.iteration"),
        _long("instructions__sys", "Instructions", "t.instructions"),
        _long("task_comment__sys", "Task Comment", "t.comment"),
        _user("completed_by__sys", "Completed By", "t.completed_by"),
        _moment("created_date__sys", "Created Date", "t.created_date"),
        _moment("assigned_date__sys", "Assigned Date", "t.assigned_date"),
        _moment("due_date__sys", "Due Date", "t.due_date"),
        _ended("completed", "Completed Date", "t"),
        _ended("cancelled", "Cancelled Date", "t"),
    ]


def _task_item() -> list[Column]:
    return [
        _id("v.id"),
        _moment("modified_date__v", "Last Modified Date", "t.modified_date"),
        _of("workflow_task__sys", "Workflow Task", "t.id", "workflow_task"),
        _of("workflow_item__sys", "Workflow Item", "i.id", "workflow_item"),
        _text("type__sys", "Type", _KIND),
        _text("status__sys", "Status", "t.status || '__sys'"),
        _text("verdict__sys", "Verdict", "v.verdict"),
        _text("verdict_label__sys", "Verdict Label", "v.verdict_label"),
        _long("verdict_comment__sys", "Verdict Comment", "v.comment"),
    ]


def _id(sql: str) -> Column:
    return Column("id", "ID", ColumnType.STRING, f"{sql}::text", ID_LENGTH)


def _text(name: str, label: str, sql: str) -> Column:
    return Column(name, label, ColumnType.STRING, sql, TEXT_LENGTH)


def _long(name: str, label: str, sql: str) -> Column:
    return Column(name, label, ColumnType.LONG_TEXT, sql, LONG_LENGTH)


def _moment(name: str, label: str, sql: str) -> Column:
    return Column(name, label, ColumnType.DATE_TIME, moment_text(sql))


def _ended(status: str, label: str, alias: str) -> Column:
    """Return the column with the date at which a workflow or task ended with this status."""
    sql = f"(CASE {alias}.status WHEN '{status}' THEN {alias}.ended_date END)"
    return _moment(f"{status}_date__sys", label, sql)


def _user(name: str, label: str, sql: str) -> Column:
    return Column(
        name, label, ColumnType.RELATIONSHIP, f"{sql}::text", ID_LENGTH, _USERS
    )


def _of(name: str, label: str, sql: str, part: str) -> Column:
    """Return a column that refers to a row of another extract of workflows."""
    related = f"{COMPONENT}.{part}__sys"
    return Column(
        name, label, ColumnType.RELATIONSHIP, f"{sql}::text", ID_LENGTH, related
    )
