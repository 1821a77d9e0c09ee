"""Compiles the functions of VQL over fields: labels, whole texts, names, and the attributes of files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import plain_text_sql, traits
from shared.vault.vql.resolve import Scope, Statement
from shared.vault.vql.resolved_paths import FieldColumn
from shared.vault.vql.syntax_tree import Path
from shared.vault.vql.vql_errors import VqlNameError

SHORT_TEXT = 250  # characters of a long text that is selected without LONGTEXT()


class Function(StrEnum):
    """The functions of a field."""

    LONGTEXT = "LONGTEXT"
    RICHTEXT = "RICHTEXT"
    TRIM = "TRIM"
    TODISPLAYFORMAT = "TODISPLAYFORMAT"
    TOLABEL = "TOLABEL"
    TONAME = "TONAME"
    CASEINSENSITIVE = "CASEINSENSITIVE"
    FILENAME = "FILENAME"
    FILESIZE = "FILESIZE"
    MIMETYPE = "MIMETYPE"
    MD5CHECKSUM = "MD5CHECKSUM"


_BY_NAME = {function.value: function for function in Function}
_FILE_FUNCTIONS = {
    Function.FILENAME: ("f.filename", FieldType.STRING),
    Function.FILESIZE: ("c.size", FieldType.NUMBER),
    Function.MIMETYPE: ("f.format", FieldType.STRING),
    Function.MD5CHECKSUM: ("c.md5", FieldType.STRING),
}  # in SQL, and of what type

SELECTABLE = frozenset(Function) - {Function.TONAME, Function.CASEINSENSITIVE}
"""The functions that SELECT takes of an object's fields."""

_OBJECT_TYPE, _TYPE_RELATIONSHIP = "object_type__v", "object_type__vr"
_SUFFIX = "'__[a-z0-9]+$'"  # the name space of a picklist value


def function_named(name: str) -> Function | None:
    """Return the function of this name, which is in upper case; None if there is none."""
    return _BY_NAME.get(name)


def whole_text(field: Field) -> str:
    """Return the VQL expression of a field's whole value, e.g. ``LONGTEXT(biography__v)``."""
    kind = traits(field.type)
    if not kind.long:
        return field.name
    is_rich = field.type is FieldType.RICH_TEXT
    function = Function.RICHTEXT if is_rich else Function.LONGTEXT
    return f"{function}({field.name})"


def applied(
    scope: Scope,
    path: Path,
    name: str,
    column: FieldColumn,
) -> str:
    """Return the SQL of a function of a column; TONAME is the column itself, since answers contain names.

    :raises VqlNameError: SELECT does not have the function.
    """
    function = function_named(name)
    sql, field = column.sql, column.field
    match function:
        case Function.TOLABEL:
            label = label_sql(scope, path).sql
            # Picklists are arrays in answers, also where they take one value.
            is_picklist = field.type is FieldType.PICKLIST
            applied = as_array(label) if is_picklist and _is_single(field) else label
        case Function.TONAME:
            reason = "is for queries of documents; objects have TOLABEL"
            require_documents(scope, path, column.owner, f"function [TONAME] {reason}")
            applied = sql
        case Function.LONGTEXT:
            _require_type(scope, path, function, column, traits(field.type).long)
            is_rich = field.type is FieldType.RICH_TEXT
            applied = plain_text_sql(sql) if is_rich else sql
        case Function.RICHTEXT:
            is_rich = field.type is FieldType.RICH_TEXT
            _require_type(scope, path, function, column, is_rich)
            applied = sql
        case Function.TRIM:
            is_picklist = field.type is FieldType.PICKLIST
            _require_type(scope, path, function, column, is_picklist)
            applied = _trimmed(sql, field)
        case Function.TODISPLAYFORMAT:
            applied = _display_format(scope, path, column)
        case (
            Function.FILENAME
            | Function.FILESIZE
            | Function.MIMETYPE
            | Function.MD5CHECKSUM
        ):
            _require_file(scope, path, function, column)
            applied = _file_sql(function, sql)
        case Function.CASEINSENSITIVE | None:
            raise unavailable(scope, path, name, "SELECT")
        case _:
            assert_never(function)
    return applied


def _is_single(field: Field) -> bool:
    return not field.multi_value


def _trimmed(sql: str, field: Field) -> str:
    """Return the SQL of picklist values without their name space."""
    if not field.multi_value:
        return as_array(f"regexp_replace({sql}, {_SUFFIX}, '')")
    return _each_value(sql, f"regexp_replace(v, {_SUFFIX}, '')")


def _display_format(
    scope: Scope,
    path: Path,
    column: FieldColumn,
) -> str:
    sql, kind = column.sql, column.field.type
    accepted = (FieldType.STRING, FieldType.NUMBER)
    is_number = kind is FieldType.NUMBER
    takes = kind in accepted
    _require_type(scope, path, Function.TODISPLAYFORMAT, column, takes)
    # As people enter it: without the zeroes that fill a number's decimals up.
    return f"trim_scale({sql})::text" if is_number else sql


def _require_type(
    scope: Scope,
    path: Path,
    function: Function,
    column: FieldColumn,
    takes: bool,
) -> None:
    if not takes:
        shown = f"field [{column.field.name}] of object [{column.owner.name}]"
        message = f"{shown}: {function} does not take its type"
        raise scope.statement.fault(message, path.at)


def require_documents(
    scope: Scope,
    path: Path,
    owner: VaultObject,
    message: str,
) -> None:
    """Check that the owner of a field is the target of documents.

    :raises VqlNameError: with the message, when it is another object.
    """
    target = scope.statement.targets.get(owner.name)
    if target is None or not target.documents:
        raise scope.statement.fault(message, path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)


def unavailable(
    scope: Scope,
    path: Path,
    name: str,
    clause: str,
) -> VqlNameError:
    """Return the error for a function that is not allowed in a clause."""
    message = f"function [{name[:40]}] is not available in {clause}"
    return scope.statement.fault(message, path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)


# Files of attachment fields


def is_file_function(name: str | None) -> bool:
    """Return whether a function is about the file of an attachment field."""
    return name in _FILE_FUNCTIONS


def named_file(
    scope: Scope,
    path: Path,
    name: str,
) -> tuple[str, Field]:
    """Return the SQL of a file's name for WHERE, ORDER BY and FIND, and a field with the type of that SQL.

    :raises VqlNameError: the field is not an attachment field, or only SELECT allows the function.
    """
    column = scope.column(path)
    function = Function(name)
    _require_file(scope, path, function, column)
    if function is not Function.FILENAME:
        message = f"function [{function}] is available in SELECT only"
        raise scope.statement.fault(message, path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)
    field = column.field
    _, kind = _FILE_FUNCTIONS[function]
    return _file_sql(function, column.sql), Field(field.name, field.label, kind)


def _file_sql(
    function: Function,
    handle: str,
) -> str:
    """Return the SQL of a function of the file with a handle; null without a file."""
    column, _ = _FILE_FUNCTIONS[function]
    condition = f"f.handle = {handle}"
    files = "platform.field_file f JOIN platform.content c USING (sha256)"
    return f"(SELECT {column} FROM {files} WHERE {condition})"


def _require_file(
    scope: Scope,
    path: Path,
    function: Function,
    column: FieldColumn,
) -> None:
    reason = ""
    owner = column.owner
    if column.field.type is not FieldType.ATTACHMENT:
        reason = "takes attachment fields, and this is none"
    elif owner.raw and function is not Function.FILENAME:
        reason = f"is not available of raw objects, as [{owner.name}] is"
    if reason:
        message = f"function [{function}] {reason}"
        raise scope.statement.fault(message, path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)


# Labels


def label_sql(scope: Scope, path: Path) -> FieldColumn:
    """Return the column of a path with the SQL of its value's label, an array for multi-value picklists.

    A value without a label, such as a removed picklist entry, is its own label.

    :raises VqlNameError: the field has no labels.
    """
    column = scope.column(path)
    field, owner = column.field, column.owner
    if field.name == _OBJECT_TYPE:
        # Object types are records with a name, which is their label.
        names = (*path.parts[:-1], _TYPE_RELATIONSHIP, "name__v")
        label = scope.column(Path(names, path.at))
        return FieldColumn(label.sql, field, owner)
    labels = labels_of(scope.statement, field, owner)
    if labels is None:
        shown = f"field [{field.name}] of object [{owner.name}]"
        message = f"{shown}: TOLABEL takes picklists, states and types"
        raise scope.statement.fault(message, path.at)
    sql = _mapped(scope.statement, column.sql, labels, field)
    return FieldColumn(sql, field, owner)


def searched_labels(statement: Statement, column: FieldColumn) -> str:
    """Return the SQL of a picklist's labels as one text, for FIND."""
    field = column.field
    labels = labels_of(statement, field, column.owner) or {}
    found = _mapped(statement, column.sql, labels, field)
    return f"array_to_string({found}, ' ')" if field.multi_value else found


def _mapped(
    statement: Statement,
    sql: str,
    labels: Mapping[str, str],
    field: Field,
) -> str:
    # One parameter for all labels: the statement stays short, and names need no quoting.
    document = json.dumps(labels)
    holder = statement.bind(document, "jsonb")
    if not field.multi_value:
        return f"coalesce({holder} ->> {sql}, {sql})"
    return _each_value(sql, f"coalesce({holder} ->> v, v)")


def labels_of(
    statement: Statement,
    field: Field,
    owner: VaultObject,
) -> Mapping[str, str] | None:
    """Return the label of each name that a field stores; None for a field whose values have no labels."""
    target = statement.targets.get(owner.name)
    if target is not None and field.name in target.labels:
        return target.labels[field.name]
    registry = statement.registry
    if field.type is FieldType.PICKLIST:
        picklist = registry.picklists.get(field.picklist or "")
        entries = {} if picklist is None else picklist.entries
        return {entry.name: entry.label for entry in entries.values()}
    if field.name == "lifecycle__v":
        lifecycles = registry.lifecycles.values()
        return {lifecycle.name: lifecycle.label for lifecycle in lifecycles}
    if field.name == "state__v":
        lifecycle = registry.lifecycles.get(owner.lifecycle or "")
        states = {} if lifecycle is None else lifecycle.states
        return {state.name: state.label for state in states.values()}
    return None


# SQL


def as_array(sql: str) -> str:
    """Return the SQL of an array of one value, which is null where the value is."""
    # An array of a null would be an array with one element; the API has null.
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY[{sql}] END"


def _each_value(sql: str, value: str) -> str:
    """Return the SQL of the array that applies an expression to each value ``v`` of an array, in the same order."""
    each = f"SELECT {value} FROM unnest({sql}) WITH ORDINALITY AS u(v, n) ORDER BY n"
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY({each}) END"
