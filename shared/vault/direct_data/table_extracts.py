"""Describes the extracts of records, documents and audit trails: their columns, as in metadata, and their SQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from shared.vault.access.permissions import AuditTrail
from shared.vault.audit.trails import TRAILS, Trail
from shared.vault.components.document_model import RELATIONSHIPS, VERSIONS
from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    FieldType,
    VaultObject,
)
from shared.vault.model.field_types import (
    USER_OBJECT,
    ValueClass,
    quoted,
    table,
    value_class,
)
from shared.vault.queries.document_target import document_target
from shared.vault.vql.syntax_tree import SourceOption

MOMENT = """'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'"""
PICKLISTS = "Picklist.picklist__sys"
RICH_TEXT_LENGTH = 64_000  # with the markup, as Vaults announce it
ID_LENGTH = 64
TEXT_LENGTH = 255
# The API version of the addresses in an extract of documents.
VERSION = "v25.1"
RENDITION = "viewable_rendition__v"


class ColumnType(StrEnum):
    """The types of columns, by their names in ``metadata.csv``."""

    STRING = "String"
    LONG_TEXT = "LongText"
    NUMBER = "Number"
    DATE = "Date"
    DATE_TIME = "DateTime"
    RELATIONSHIP = "Relationship"
    MULTI_RELATIONSHIP = "MultiRelationship"
    PICKLIST = "Picklist"
    MULTI_PICKLIST = "MultiPicklist"
    BOOLEAN = "Boolean"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an extract; ``sql`` selects its text, ``related`` is the extract to which its values refer."""

    name: str
    label: str
    type: ColumnType
    sql: str = ""
    length: int | None = None
    related: str | None = None


@dataclass(frozen=True, slots=True)
class TableExtract:
    """One extract that a query reads.

    * ``component`` is the folder of its file.
    * ``source`` is the FROM of the query.
    * ``changed`` is the SQL of the date of a row.
    * ``deleted`` is the name of its object in the list of deletions; None when its rows are never deleted.
    """

    component: str
    name: str
    label: str
    columns: tuple[Column, ...]
    source: str
    changed: str
    deleted: str | None = None

    @property
    def full_name(self) -> str:
        """Return the name in manifest and metadata, e.g. ``Object.product__v``."""
        return f"{self.component}.{self.name}"

    @property
    def rows(self) -> str:
        """Return the SELECT of all rows."""
        selected = [f"{each.sql} AS {quoted(each.name)}" for each in self.columns]
        return f"SELECT {', '.join(selected)} FROM {self.source}"

    @property
    def rows_since(self) -> str:
        """Return the SELECT of the rows that have changed since the moment $1."""
        return f"{self.rows} WHERE {self.changed} >= $1"

    @property
    def rows_between(self) -> str:
        """Return the SELECT of the rows dated from the moment $1 on, and before $2."""
        return f"{self.rows_since} AND {self.changed} < $2"


DELETIONS = f"""
SELECT record_id AS id, to_char(max(date_deleted) AT TIME ZONE 'UTC', {MOMENT}) AS deleted_date
FROM platform.deletion WHERE object = $1 AND date_deleted >= $2 AND attachment_id IS NULL GROUP BY record_id
"""


# Each object extract begins with these, as far as the object has them.
STANDARD = (
    "id",
    "modified_date__v",
    "name__v",
    "status__v",
    "created_by__v",
    "created_date__v",
    "modified_by__v",
    "global_id__sys",
    "link__sys",
)
_USERS = frozenset({"created_by__v", "modified_by__v"})


def object_extract(target: VaultObject) -> TableExtract:
    """Return the extract of an object's records, with a column for each active field."""
    fields = {name: field for name, field in target.fields.items() if field.active}
    first = [fields.pop(name) for name in STANDARD if name in fields]
    columns = [_column(field) for field in (*first, *fields.values())]
    return TableExtract(
        "Object",
        target.name,
        target.label,
        tuple(columns),
        f"{table(target.name)} t",
        "t.modified_date__v",
        target.name,
    )


def document_extract(model: DocumentModel) -> TableExtract | None:
    """Return the extract of the versions of documents; None in a Vault without document types."""
    target = document_target(model)
    if target is None:
        return None
    fields = dict(target.object.fields)
    # Both are standard columns of the extract, which end by the ids of the version.
    document, version = fields.pop("id"), fields.pop("version_id")
    columns = (*_version_columns(document, version), *map(_column, fields.values()))
    every = target.options[SourceOption.ALLVERSIONS]
    return TableExtract(
        "Document",
        VERSIONS,
        "Document Version",
        columns,
        f"{every} t",
        "t.version_modified_date__v",
        VERSIONS,
    )


def _version_columns(document: Field, version: Field) -> Iterator[Column]:
    """Yield the standard columns of versions of documents."""
    text, moment, number = ColumnType.STRING, ColumnType.DATE_TIME, ColumnType.NUMBER
    path = (
        f"format('/api/{VERSION}/objects/documents/%s/versions/%s/%s', t.id,"
        " t.major_version_number__v, t.minor_version_number__v)"
    )
    has_rendition = (
        "EXISTS (SELECT FROM platform.document_file r"
        f" WHERE r.version_id = t.version_id AND r.rendition = '{RENDITION}')"
    )
    modified = moment_text("t.version_modified_date__v")
    yield Column("id", version.label, text, "t.version_id", ID_LENGTH)
    yield Column("modified_date__v", "Modified Date", moment, modified)
    yield Column("doc_id", document.label, number, "t.id")
    yield Column("version_id", version.label, text, "t.version_id", ID_LENGTH)
    for name in ("major_version_number", "minor_version_number"):
        label = name.replace("_", " ").title()
        yield Column(name, label, number, f"t.{name}__v")
    for name in ("type", "subtype", "classification"):
        yield Column(name, name.title(), text, f"t.{name}__v", 255)
    source = f"CASE WHEN t.filename__v IS NOT NULL THEN {path} || '/file' END"
    yield Column("source_file", "Source File", text, source, 255)
    rendition = (
        f"CASE WHEN {has_rendition} THEN {path} || '/renditions/{RENDITION}' END"
    )
    yield Column("rendition_file", "Rendition File", text, rendition, 255)


def relationship_extract() -> TableExtract:
    """Return the extract of relationships between documents."""
    text, number, date = ColumnType.STRING, ColumnType.NUMBER, ColumnType.DATE_TIME
    created = moment_text("t.created_date")
    # A relationship is never changed: it is made, and removed.
    columns = [
        Column("id", "ID", number, "t.id"),
        Column("modified_date__v", "Modified Date", date, created),
        Column("modified_by__v", "Modified By", text, "t.created_by", ID_LENGTH),
    ]
    for end in ("source", "target"):
        version, title = f"t.{end}_version", end.capitalize()
        key, label = f"{end}_version_id", f"{title} Version ID"
        columns += [
            Column(f"{end}_doc_id__v", f"{title} Document", number, f"t.{end}_id"),
            Column(key, label, text, version, ID_LENGTH),
        ]
        for place, part in ((2, "major"), (3, "minor")):
            name, label = f"{end}_{part}_version__v", f"{title} {part.title()} Version"
            sql = f"split_part({version}, '_', {place})"
            columns.append(Column(name, label, number, sql))
    kind, vault = "t.relationship_type", "NULL::text"
    columns += [
        Column("relationship_type__v", "Relationship Type", text, kind, TEXT_LENGTH),
        Column("source_vault_id__v", "Source Vault ID", text, vault, ID_LENGTH),
        Column("created_date__v", "Created Date", date, created),
        Column("created_by__v", "Created By", text, "t.created_by", ID_LENGTH),
    ]
    return TableExtract(
        "Document",
        RELATIONSHIPS,
        "Document Relationship",
        tuple(columns),
        "platform.document_relationship t",
        "t.created_date",
        RELATIONSHIPS,
    )


def log_extracts() -> list[TableExtract]:
    """Return the extracts of those audit trails that a log file contains."""
    return [_log_extract(TRAILS[trail]) for trail in AuditTrail if _is_logged(trail)]


def _is_logged(trail: AuditTrail) -> bool:
    """Return whether a log file contains an extract of the trail."""
    match trail:
        case (
            AuditTrail.DOCUMENT
            | AuditTrail.OBJECT
            | AuditTrail.SYSTEM
            | AuditTrail.LOGIN
        ):
            return True
        # Of the domain, which is more than the Vault.
        case AuditTrail.DOMAIN:
            return False
        case _:
            assert_never(trail)


def _log_extract(trail: Trail) -> TableExtract:
    fields = {field.name: field for field in trail.queried_fields}
    columns: list[Column] = []
    for field in fields.values():
        shown = Field(field.name, field.label, field.type)
        columns.append(_column(shown))
    return TableExtract(
        "Log",
        f"{trail.name}__sys",
        trail.label,
        tuple(columns),
        f"{trail.relation} t",
        "t.timestamp",
    )


def _column(field: Field) -> Column:
    """Return the column of a field: its type in metadata, and the SQL of its text."""
    if field.name in _USERS:
        # Users are numbers in these fields, and are records of an extract all the same.
        field = replace(field, type=FieldType.OBJECT, object=USER_OBJECT)
    kind = _column_type(field)
    sql = _text_sql(field, f"t.{quoted(field.name)}")
    length = _length(field, kind)
    return Column(field.name, field.label, kind, sql, length, _related(field, kind))


def _column_type(field: Field) -> ColumnType:
    """Return the type of a field's column."""
    many = field.multi_value
    match field.type:
        case FieldType.ID | FieldType.STRING | FieldType.ATTACHMENT:
            kind = ColumnType.STRING
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            kind = ColumnType.LONG_TEXT
        case FieldType.NUMBER:
            kind = ColumnType.NUMBER
        case FieldType.BOOLEAN:
            kind = ColumnType.BOOLEAN
        case FieldType.DATE:
            kind = ColumnType.DATE
        case FieldType.DATE_TIME:
            kind = ColumnType.DATE_TIME
        case FieldType.PICKLIST:
            kind = ColumnType.MULTI_PICKLIST if many else ColumnType.PICKLIST
        case FieldType.OBJECT:
            kind = ColumnType.MULTI_RELATIONSHIP if many else ColumnType.RELATIONSHIP
        case _:
            assert_never(field.type)
    return kind


def _text_sql(field: Field, sql: str) -> str:
    """Return the SQL of the text of a field's value in an extract."""
    values = value_class(field.type)
    match values:
        case ValueClass.TEXT:
            # Several values stand in one cell, with commas between them.
            return f"array_to_string({sql}, ',')" if field.multi_value else sql
        case ValueClass.NUMBER:
            return sql
        case ValueClass.BOOLEAN:
            # COPY would write t and f.
            return f"{sql}::text"
        case ValueClass.DATE:
            return f"to_char({sql}, 'YYYY-MM-DD')"
        case ValueClass.DATE_TIME:
            return moment_text(sql)
        case _:
            assert_never(values)


def _length(field: Field, kind: ColumnType) -> int | None:
    """Return the maximum length of a field's column in characters; None for values that are not texts."""
    match kind:
        case ColumnType.STRING:
            is_id = field.type is FieldType.ID
            return ID_LENGTH if is_id else field.max_length or TEXT_LENGTH
        case ColumnType.LONG_TEXT:
            is_rich = field.type is FieldType.RICH_TEXT
            return RICH_TEXT_LENGTH if is_rich else field.max_length
        case ColumnType.PICKLIST:
            return TEXT_LENGTH
        case ColumnType.MULTI_PICKLIST | ColumnType.MULTI_RELATIONSHIP:
            return RICH_TEXT_LENGTH
        case ColumnType.RELATIONSHIP:
            return ID_LENGTH
        case (
            ColumnType.NUMBER
            | ColumnType.DATE
            | ColumnType.DATE_TIME
            | ColumnType.BOOLEAN
        ):
            return None
        case _:
            assert_never(kind)


def _related(field: Field, kind: ColumnType) -> str | None:
    """Return the extract to which the values of a field's column refer, or None."""
    match kind:
        case ColumnType.PICKLIST | ColumnType.MULTI_PICKLIST:
            return PICKLISTS
        case ColumnType.RELATIONSHIP | ColumnType.MULTI_RELATIONSHIP:
            return f"Object.{field.object}"
        case (
            ColumnType.STRING
            | ColumnType.LONG_TEXT
            | ColumnType.NUMBER
            | ColumnType.DATE
            | ColumnType.DATE_TIME
            | ColumnType.BOOLEAN
        ):
            return None
        case _:
            assert_never(kind)


def moment_text(sql: str) -> str:
    """Return the SQL of a moment's text in an extract."""
    return f"to_char({sql} AT TIME ZONE 'UTC', {MOMENT})"


def table_extracts(
    objects: Mapping[str, VaultObject], documents: DocumentModel
) -> list[TableExtract]:
    """Return the extracts of all active objects by name, and of documents."""
    active = sorted(name for name, each in objects.items() if each.active)
    extracts = [object_extract(objects[name]) for name in active]
    versions = document_extract(documents)
    if versions is None:
        return extracts
    return [*extracts, versions, relationship_extract()]
