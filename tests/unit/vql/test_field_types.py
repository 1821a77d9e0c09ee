"""The traits of each field type, as a table."""

from __future__ import annotations

import pytest

from shared.vault.model.component_model import FieldType
from shared.vault.model.field_types import (
    FieldTraits,
    column_type,
    query_type,
    scalar_type,
    traits,
)
from tests.unit.vql.sample import a_field

TRAITS = {
    # Type: what VQL does with it.
    FieldType.ID: "plain_text compared sorted",
    FieldType.STRING: "plain_text compared sorted scoped searched",
    FieldType.LONG_TEXT: "plain_text long compared scoped searched",
    FieldType.RICH_TEXT: "plain_text long compared scoped searched",
    FieldType.NUMBER: "compared sorted",
    FieldType.BOOLEAN: "sorted faceted",
    FieldType.DATE: "compared sorted",
    FieldType.DATE_TIME: "compared sorted",
    FieldType.PICKLIST: "sorted searched faceted",
    FieldType.OBJECT: "compared sorted faceted",
    FieldType.ATTACHMENT: "",
}
COLUMNS = {
    FieldType.ID: "text",
    FieldType.STRING: "text",
    FieldType.LONG_TEXT: "text",
    FieldType.RICH_TEXT: "text",
    FieldType.NUMBER: "bigint",
    FieldType.BOOLEAN: "boolean",
    FieldType.DATE: "date",
    FieldType.DATE_TIME: "timestamptz",
    FieldType.PICKLIST: "text",
    FieldType.OBJECT: "text",
    FieldType.ATTACHMENT: "text",
}


def names(found: FieldTraits) -> str:
    return " ".join(name for name in found.__slots__ if getattr(found, name))


@pytest.mark.parametrize("kind", FieldType)
def test_what_vql_does_with_a_type(kind: FieldType) -> None:
    assert set(names(traits(kind)).split()) == set(TRAITS[kind].split())


@pytest.mark.parametrize("kind", FieldType)
def test_columns(kind: FieldType) -> None:
    assert column_type(a_field("a__v", kind)) == COLUMNS[kind]


def test_a_number_with_decimals_is_numeric() -> None:
    assert column_type(a_field("a__v", FieldType.NUMBER, scale=2)) == "numeric"


def test_a_picklist_of_many_values_is_an_array_of_text() -> None:
    many = a_field("a__v", FieldType.PICKLIST, multi_value=True)
    assert (scalar_type(many), column_type(many)) == ("text", "text[]")


@pytest.mark.parametrize(
    ("kind", "shown", "expected"),
    [
        (FieldType.OBJECT, None, "ObjectReference"),
        (FieldType.STRING, None, "String"),
        (FieldType.DATE_TIME, None, "DateTime"),
        (FieldType.STRING, "URL", "URL"),
        (FieldType.OBJECT, "id", "id"),
    ],
)
def test_the_name_of_a_type(kind: FieldType, shown: str | None, expected: str) -> None:
    assert query_type(a_field("a__v", kind, shown_type=shown)) == expected
