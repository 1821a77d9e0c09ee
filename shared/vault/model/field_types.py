"""Says what follows from a field's type; whoever adds a type answers every question here, or mypy fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from shared.vault.model.component_model import Field, FieldType


class ValueClass(StrEnum):
    """What values of a field are: how a caller writes them, and what they are compared as."""

    TEXT = "text"  # also names of picklist values, ids and handles of files
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date_time"


@dataclass(frozen=True, slots=True)
class FieldTraits:
    """What VQL may do with fields of one type.

    ``plain_text``: LIKE and CASEINSENSITIVE take it. ``long``: shortened unless a function asks for the whole.
    ``compared``: ``<`` and BETWEEN take it. ``sorted``: ORDER BY takes it. ``scoped``: SCOPE of FIND may name it.
    ``searched``: FIND looks through it without a SCOPE. ``faceted``: facets count its values.
    """

    values: ValueClass
    plain_text: bool = False
    long: bool = False
    compared: bool = True
    sorted: bool = True
    scoped: bool = False
    searched: bool = False
    faceted: bool = False


_ID = FieldTraits(ValueClass.TEXT, plain_text=True)
_STRING = FieldTraits(ValueClass.TEXT, plain_text=True, scoped=True, searched=True)
_LONG_TEXT = FieldTraits(
    ValueClass.TEXT,
    plain_text=True,
    long=True,
    sorted=False,
    scoped=True,
    searched=True,
)
_NUMBER = FieldTraits(ValueClass.NUMBER)
_BOOLEAN = FieldTraits(ValueClass.BOOLEAN, compared=False, faceted=True)
_DATE = FieldTraits(ValueClass.DATE)
_DATE_TIME = FieldTraits(ValueClass.DATE_TIME)
_PICKLIST = FieldTraits(ValueClass.TEXT, compared=False, searched=True, faceted=True)
_REFERENCE = FieldTraits(ValueClass.TEXT, faceted=True)
# A handle says nothing to people: files are neither compared nor sorted by it.
_FILE = FieldTraits(ValueClass.TEXT, compared=False, sorted=False)


def traits(kind: FieldType) -> FieldTraits:
    """Return what VQL may do with fields of a type."""
    match kind:
        case FieldType.ID:
            return _ID
        case FieldType.STRING:
            return _STRING
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            return _LONG_TEXT
        case FieldType.NUMBER:
            return _NUMBER
        case FieldType.BOOLEAN:
            return _BOOLEAN
        case FieldType.DATE:
            return _DATE
        case FieldType.DATE_TIME:
            return _DATE_TIME
        case FieldType.PICKLIST:
            return _PICKLIST
        case FieldType.OBJECT:
            return _REFERENCE
        case FieldType.ATTACHMENT:
            return _FILE
        case _:
            assert_never(kind)


def types_with(has: Callable[[FieldTraits], bool]) -> frozenset[FieldType]:
    """Return the types whose traits meet a condition."""
    return frozenset(kind for kind in FieldType if has(traits(kind)))


def scalar_type(field: Field) -> str:
    """Return the PostgreSQL type of one value of a field.

    Values of a multi-value picklist are text each; ``column_type`` is the type of all of them together.
    """
    values = traits(field.type).values
    match values:
        case ValueClass.TEXT:
            return "text"
        case ValueClass.NUMBER:
            return "bigint" if is_integer(field) else "numeric"
        case ValueClass.BOOLEAN:
            return "boolean"
        case ValueClass.DATE:
            return "date"
        case ValueClass.DATE_TIME:
            return "timestamptz"
        case _:
            assert_never(values)


def column_type(field: Field) -> str:
    """Return the PostgreSQL type of a field's column."""
    scalar = scalar_type(field)
    return f"{scalar}[]" if field.multi_value else scalar


def is_integer(field: Field) -> bool:
    """Return whether a Number field is stored as a whole number: it has no decimal places."""
    return not field.scale


def query_type(field: Field) -> str:
    """Return the name of a field's type as SHOW FIELDS and the metadata of documents spell it."""
    if field.shown_type is not None:
        return field.shown_type
    # The metadata of objects says Object instead, and so does queryDescribe.
    is_reference = field.type is FieldType.OBJECT
    return "ObjectReference" if is_reference else field.type.value
