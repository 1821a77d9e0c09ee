"""Literals as parameters: the SQL type and value for each field type, and its errors for others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql.operands import UnsuitableLiteral, parameters
from shared.vault.vql.syntax_tree import Scalar
from tests.unit.vql.sample import a_field

WHOLE = a_field("beds__v", FieldType.NUMBER)
DECIMAL = a_field("score__v", FieldType.NUMBER, scale=2)
DOCUMENT_ID = a_field("id", FieldType.NUMBER, shown_type="id")
YES_NO = a_field("do_not_call__v", FieldType.BOOLEAN)
DAY = a_field("birth_date__v", FieldType.DATE)
MOMENT = a_field("created_date__v", FieldType.DATE_TIME)
NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "kind",
    [
        FieldType.ID,
        FieldType.STRING,
        FieldType.LONG_TEXT,
        FieldType.RICH_TEXT,
        FieldType.PICKLIST,
        FieldType.OBJECT,
        FieldType.ATTACHMENT,
    ],
)
def test_text(kind: FieldType) -> None:
    field = a_field("a__v", kind)
    assert parameters(field, ["x", "y"]) == ("text", ["x", "y"])
    with pytest.raises(UnsuitableLiteral, match="text in single quotes"):
        parameters(field, ["x", 1])


@pytest.mark.parametrize(
    ("field", "values", "sql_type", "bound"),
    [
        (WHOLE, [1, -2], "bigint", [1, -2]),
        (WHOLE, [1, Decimal("2.5")], "numeric", [Decimal(1), Decimal("2.5")]),
        (WHOLE, [2**63], "numeric", [Decimal(2**63)]),
        (DECIMAL, [1], "numeric", [Decimal(1)]),
        (DOCUMENT_ID, ["17", 18], "bigint", [17, 18]),
        (YES_NO, [True], "boolean", [True]),
        (DAY, ["2025-01-31"], "date", [date(2025, 1, 31)]),
        (MOMENT, ["2025-01-31T12:00:00.000Z"], "timestamptz", [NOON]),
        (MOMENT, ["2025-01-31T12:00"], "timestamptz", [NOON]),
        (MOMENT, ["2025-01-31T14:00:00+02:00"], "timestamptz", [NOON]),
        (MOMENT, ["2025-01-31"], "timestamptz", [NOON.replace(hour=0)]),
    ],
)
def test_values(
    field: Field, values: list[Scalar], sql_type: str, bound: list[object]
) -> None:
    assert parameters(field, values) == (sql_type, bound)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (WHOLE, "1", "a number"),
        (WHOLE, True, "a number"),
        (WHOLE, None, "a number"),
        (DOCUMENT_ID, "V17", "a number"),
        (YES_NO, "true", "true or false"),
        (YES_NO, 1, "true or false"),
        (DAY, "2025-02-30", "a date"),
        (DAY, "20250131", "a date"),
        (DAY, 20250131, "a date"),
        (MOMENT, "2025-01-31 12:00", "a date and time"),
        (MOMENT, "9999-12-31T23:00:00-02:00", "a date and time"),
    ],
)
def test_other_values(field: Field, value: Scalar, expected: str) -> None:
    with pytest.raises(UnsuitableLiteral, match=expected):
        parameters(field, [value])
