"""Finds out which text of a record FIND looks through for a phrase, and by which words the search index finds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import covers, plain_text_sql, quoted, traits
from shared.vault.vql.functions import (
    Function,
    labels_of,
    named_file,
    searched_labels,
)
from shared.vault.vql.resolve import Scope
from shared.vault.vql.resolved_paths import FieldColumn, SearchedText
from shared.vault.vql.syntax_tree import Operand, Path, Phrase
from shared.vault.vql.word_index import narrowed

# Case and accents are gone from folded text; what is a word is decided as the search index decides it.
_FOLDED = "platform.folded(concat_ws(' ', {columns})) COLLATE \"und-x-icu\""


def narrowed_by(
    text: SearchedText,
    scope: Scope,
    condition: str,
    searched: str,
    *,
    whole: bool,
) -> str:
    """Return a condition for texts that contain ``searched``, by the index if the index has the text."""
    if not text.indexed:
        return condition
    return narrowed(
        scope,
        condition,
        searched,
        whole=whole,
        labels=text.labels,
        outside=text.outside,
    )


def searched_text(scope: Scope, phrase: Phrase) -> SearchedText:
    """Return the text in which a phrase is searched for.

    :raises VqlNameError: a scope is not a text field; CONTENT is not available.
    """
    # Phrases share their text: labels in it are parameters, which are bound once this way.
    scoped = phrase.scope, phrase.content, phrase.fields
    known = scope.searched.get(scoped)
    if known is None:
        known = _text(scope, phrase)
        scope.searched[scoped] = known
    return known


def _text(scope: Scope, phrase: Phrase) -> SearchedText:
    columns = [_scoped(scope, operand) for operand in phrase.scope]
    sql = [_shown(each) for each in columns]
    own = [each.field for each in columns if _is_own(scope, each)]
    indexed = len(own) == len(columns)
    labels: dict[str, str] = {}
    outside: dict[str, Mapping[str, str]] = {}
    if not columns and phrase.fields:
        fields = _text_fields(scope)
        sql = [_own(scope, field) for field in fields]
        labels = _labels(scope, [field for field in fields if field.search])
        outside = {
            f"{scope.alias}.{quoted(field.name)}": _labels(scope, [field])
            for field in fields
            if not field.search
        }
    if phrase.content:
        content = _content(scope, phrase)
        sql += content
        indexed = indexed and not content
    return SearchedText(
        _FOLDED.format(columns=", ".join(sql) or "NULL"),
        fields=phrase.fields,
        indexed=indexed,
        labels=json.dumps(labels) if labels else None,
        outside=outside,
    )


def _text_fields(scope: Scope) -> list[Field]:
    """Return the object's own fields that FIND searches without a SCOPE: text and picklists."""
    fields = scope.object.fields.values()
    own = [field for field in fields if field.active and not field.system]
    return [field for field in own if traits(field.type).searched]


def _is_own(scope: Scope, column: FieldColumn) -> bool:
    """Return whether a column is in the search index of the scope's object."""
    return column.sql.startswith(f'{scope.alias}."') and covers(column.field)


def _labels(scope: Scope, fields: Sequence[Field]) -> dict[str, str]:
    """Return the labels of the values of picklists among some fields, by the names of the values."""
    found: dict[str, str] = {}
    for field in fields:
        labels: Mapping[str, str] = {}
        if field.type is FieldType.PICKLIST:
            labels = labels_of(scope.statement, field, scope.object) or {}
        for name, label in labels.items():
            # Two picklists may have a value of one name: either label leads to it.
            found[name] = f"{found[name]} {label}" if name in found else label
    return found


def _content(scope: Scope, phrase: Phrase) -> list[str]:
    """Return the SQL of the text of a document's file, in a list; empty for records of objects in SCOPE ALL.

    :raises VqlNameError: SCOPE CONTENT names the content of an object's records.
    """
    target = scope.statement.targets.get(scope.object.name)
    if target is not None and target.content:
        return [target.content.format(key=scope.key)]
    if phrase.fields:
        return []
    message = "SCOPE CONTENT is for queries of documents: records have no content"
    raise scope.statement.fault(message, phrase.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)


def _own(scope: Scope, field: Field) -> str:
    column = scope.column(Path((field.name,), 0))
    if field.type is FieldType.PICKLIST:
        return searched_labels(scope.statement, column)
    return _shown(column)


def _shown(column: FieldColumn) -> str:
    """Return the SQL of a text as people read it."""
    if column.field.type is FieldType.RICH_TEXT:
        return plain_text_sql(column.sql)
    return column.sql


def _scoped(scope: Scope, operand: Operand) -> FieldColumn:
    """Return a column that SCOPE names: text, a file's name, or the name of the record referred to."""
    path, function = scope.aliased(operand.path, operand.function)
    column = scope.column(path)
    field = column.field
    if function == Function.FILENAME:
        sql, _ = named_file(scope, path, function)
        return FieldColumn(sql, field, column.owner)
    relationship = field.relationship_outbound_name
    if field.type is FieldType.OBJECT and relationship is not None:
        names = (*path.parts[:-1], relationship, "name__v")
        return scope.column(Path(names, path.at))
    if not traits(field.type).scoped:
        shown = f"field [{field.name}] of object [{column.owner.name}]"
        message = f"{shown}: SCOPE takes text fields and references only"
        raise scope.statement.fault(message, path.at)
    return column
