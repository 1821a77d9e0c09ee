"""Compiles the functions of SELECT: what a field shows, encoded as the API encodes values."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql.resolve import Scope, Statement
from shared.vault.vql.syntax_tree import Path

_OBJECT_TYPE = ("object_type__v", "object_type__vr")


def label_sql(scope: Scope, path: Path) -> tuple[str, Field, VaultObject]:
    """The label of a path's value as SQL, an array for multi-value picklists; raises VqlNameError.

    A value without a label, as that of a removed picklist entry, stands for itself.
    """
    name, relationship = _OBJECT_TYPE
    sql, field, owner = scope.column(path)
    if field.name == name:
        label, _, _ = scope.column(
            Path((*path.parts[:-1], relationship, "name__v"), path.at)
        )
        return label, field, owner
    labels = _labels(scope.statement, field, owner)
    if labels is None:
        message = f"field [{field.name}] of object [{owner.name}]: TOLABEL takes picklists, states and types"
        raise scope.statement.fault(message, path.at)
    return (
        _mapped(scope.statement, sql, labels, multi_value=field.multi_value),
        field,
        owner,
    )


def searched_labels(
    statement: Statement, sql: str, field: Field, owner: VaultObject
) -> str:
    """A picklist's labels as one text, for FIND."""
    labels = _labels(statement, field, owner) or {}
    found = _mapped(statement, sql, labels, multi_value=field.multi_value)
    return f"array_to_string({found}, ' ')" if field.multi_value else found


def _mapped(
    statement: Statement, sql: str, labels: Mapping[str, str], *, multi_value: bool
) -> str:
    holder = statement.bind(json.dumps(labels), "jsonb")
    if not multi_value:
        return f"coalesce({holder} ->> {sql}, {sql})"
    each = f"SELECT coalesce({holder} ->> v, v) FROM unnest({sql}) WITH ORDINALITY AS u(v, n) ORDER BY n"
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY({each}) END"


def _labels(
    statement: Statement, field: Field, owner: VaultObject
) -> Mapping[str, str] | None:
    registry, target = statement.registry, statement.targets.get(owner.name)
    if target is not None and field.name in target.labels:
        return target.labels[field.name]
    if field.type is FieldType.PICKLIST:
        picklist = registry.picklists.get(field.picklist or "")
        return (
            {}
            if picklist is None
            else {e.name: e.label for e in picklist.entries.values()}
        )
    if field.name == "lifecycle__v":
        return {
            lifecycle.name: lifecycle.label
            for lifecycle in registry.lifecycles.values()
        }
    if field.name == "state__v":
        lifecycle = registry.lifecycles.get(owner.lifecycle or "")
        return (
            {}
            if lifecycle is None
            else {state.name: state.label for state in lifecycle.states.values()}
        )
    return None


SHORT_TEXT = 250  # characters of a long text that is selected without LONGTEXT()

LONG = frozenset((FieldType.LONG_TEXT, FieldType.RICH_TEXT))

_TAKES = {
    "LONGTEXT": LONG,
    "RICHTEXT": frozenset((FieldType.RICH_TEXT,)),
    "TRIM": frozenset((FieldType.PICKLIST,)),
    "TODISPLAYFORMAT": frozenset((FieldType.STRING, FieldType.NUMBER)),
}
FILE_FUNCTIONS = {
    "FILENAME": ("f.filename", FieldType.STRING),
    "FILESIZE": ("c.size", FieldType.NUMBER),
    "MIMETYPE": ("f.format", FieldType.STRING),
    "MD5CHECKSUM": ("c.md5", FieldType.STRING),
}
"""What is known of the file of an attachment field: in SQL, and the type of it."""

SELECTED_ONLY = frozenset(("FILESIZE", "MIMETYPE", "MD5CHECKSUM"))
"""Those of SELECT alone; raw objects have none of them."""

SELECTABLE = frozenset((*_TAKES, *FILE_FUNCTIONS, "TOLABEL"))
"""The functions that SELECT takes of an object's fields."""

_SUFFIX = "'__[a-z0-9]+$'"  # the name space of a picklist value
_TAG = "'<[^>]*>'"


def selected_sql(scope: Scope, path: Path, function: str | None) -> tuple[str, Field]:
    """The SQL of a selected field or function of one, and the field; raises VqlNameError, VqlLimitError."""
    if function == "TOLABEL":
        label, field, _ = label_sql(scope, path)
        single = field.type is FieldType.PICKLIST and not field.multi_value
        return (_as_array(label) if single else label), field
    sql, field, owner = scope.column(path)
    if function is None and scope.shows_label(field, owner):
        return label_sql(scope, path)[0], field
    if function is None:
        return encoded(sql, field), field
    _check(scope, path, function, field, owner)
    return _applied(function, sql, field), field


def file_sql(function: str, handle: str) -> str:
    """What a function says of the file whose handle an attachment field holds; null without one."""
    column = FILE_FUNCTIONS[function][0]
    files = "platform.field_file f JOIN platform.content c USING (sha256)"
    return f"(SELECT {column} FROM {files} WHERE f.handle = {handle})"


def named_file(scope: Scope, path: Path, function: str) -> tuple[str, Field]:
    """The SQL and the field of a file's name in WHERE, ORDER BY and FIND; raises VqlNameError for what they lack."""
    sql, field, owner = scope.column(path)
    _require_file(scope, path, function, field, owner)
    if function in SELECTED_ONLY:
        message = f"function [{function}] is available in SELECT only"
        raise scope.statement.fault(message, path.at, "ATTRIBUTE_NOT_SUPPORTED")
    return file_sql(function, sql), Field(
        field.name, field.label, FILE_FUNCTIONS[function][1]
    )


def _require_file(
    scope: Scope, path: Path, function: str, field: Field, owner: VaultObject
) -> None:
    reason = ""
    if field.type is not FieldType.ATTACHMENT:
        reason = "takes attachment fields, and this is none"
    elif owner.raw and function in SELECTED_ONLY:
        reason = f"is not available of raw objects, as [{owner.name}] is"
    if reason:
        message = f"function [{function}] {reason}"
        raise scope.statement.fault(message, path.at, "ATTRIBUTE_NOT_SUPPORTED")


def encoded(sql: str, field: Field) -> str:
    """A field's value as the API encodes it; numbers with decimals are still numeric."""
    kind = field.type
    if kind is FieldType.PICKLIST:
        return sql if field.multi_value else _as_array(sql)
    if kind is FieldType.DATE:
        return f"to_char({sql}, 'YYYY-MM-DD')"
    if kind is FieldType.DATE_TIME:
        return f"""to_char({sql} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    if kind in LONG:
        return f"left({_without_markup(sql) if kind is FieldType.RICH_TEXT else sql}, {SHORT_TEXT})"
    return sql


def _applied(function: str, sql: str, field: Field) -> str:
    if function in FILE_FUNCTIONS:
        return file_sql(function, sql)
    if function == "LONGTEXT" and field.type is FieldType.RICH_TEXT:
        return _without_markup(sql)
    if function == "TODISPLAYFORMAT":
        # As people enter it: without the zeroes that fill a number's decimals up.
        return f"trim_scale({sql})::text" if field.type is FieldType.NUMBER else sql
    if function == "TRIM" and field.multi_value:
        each = f"SELECT regexp_replace(v, {_SUFFIX}, '') FROM unnest({sql}) WITH ORDINALITY AS u(v, n) ORDER BY n"
        return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY({each}) END"
    if function == "TRIM":
        return _as_array(f"regexp_replace({sql}, {_SUFFIX}, '')")
    return encoded(sql, field) if function == "TONAME" else sql


def _check(
    scope: Scope, path: Path, function: str, field: Field, owner: VaultObject
) -> None:
    if function == "TONAME":
        target = scope.statement.targets.get(owner.name)
        if target is None or not target.documents:
            message = (
                "function [TONAME] is for queries of documents; objects have TOLABEL"
            )
            raise scope.statement.fault(message, path.at, "ATTRIBUTE_NOT_SUPPORTED")
        return
    if function in FILE_FUNCTIONS:
        _require_file(scope, path, function, field, owner)
        return
    takes = _TAKES.get(function)
    if takes is None:
        message = f"function [{function[:40]}] is not available in SELECT"
        raise scope.statement.fault(message, path.at, "ATTRIBUTE_NOT_SUPPORTED")
    if field.type not in takes:
        message = f"field [{field.name}] of object [{owner.name}]: {function} does not take its type"
        raise scope.statement.fault(message, path.at)


def _as_array(sql: str) -> str:
    return f"CASE WHEN {sql} IS NULL THEN NULL ELSE ARRAY[{sql}] END"


def _without_markup(sql: str) -> str:
    return f"regexp_replace({sql}, {_TAG}, '', 'g')"
