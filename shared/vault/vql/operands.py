"""The left side of a condition: its column or the function of it, and the literals that suit it as parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

from shared.vault.model.component_model import Field, FieldType
from shared.vault.vql.deferred import TOKENS, TokenValue
from shared.vault.vql.functions import FILE_FUNCTIONS, label_sql, named_file
from shared.vault.vql.resolve import Scope
from shared.vault.vql.syntax_tree import (
    Literal,
    Operand,
    RelativeDate,
    Scalar,
    StateFunction,
    StateType,
    Token,
)
from shared.vault.vql.vql_errors import VqlNameError

TEXT = frozenset(
    (
        FieldType.ID,
        FieldType.STRING,
        FieldType.LONG_TEXT,
        FieldType.RICH_TEXT,
        FieldType.PICKLIST,
        FieldType.OBJECT,
        FieldType.ATTACHMENT,
    )
)
"""Fields whose values are text, also where the text is a name or an id."""


_INT64 = 2**63


_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


class UnsuitableLiteral(Exception):
    """A literal that is no value of the field's type; the text says what would be."""


def parameters(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    """The SQL type and the values to bind; raises UnsuitableLiteral (null is never suitable here)."""
    if field.type in TEXT:
        return "text", _all_of(values, str, "text in single quotes")
    if field.type is FieldType.NUMBER:
        return _numbers(field, values)
    if field.type is FieldType.BOOLEAN:
        return "boolean", _all_of(values, bool, "true or false")
    if field.type is FieldType.DATE:
        return "date", _dates(values, _date, "a date, 'YYYY-MM-DD'")
    return "timestamptz", _dates(
        values, _date_time, "a date and time, 'YYYY-MM-DDTHH:MM:SS.mmmZ'"
    )


def is_integer(field: Field) -> bool:
    """Whether a Number field is stored as a whole number."""
    return not field.scale


def _all_of(values: Sequence[Scalar], kind: type, expected: str) -> list[object]:
    if set(map(type, values)) != {kind}:
        raise UnsuitableLiteral(expected)
    return list(values)


def _numbers(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    numbers: list[object] = []
    whole = is_integer(field)
    for given in values:
        value = given
        if (
            field.shown_type == "id"
            and isinstance(given, str)
            and _DIGITS.fullmatch(given)
        ):
            value = int(
                given
            )  # a document's id is a number; who knows ids as text writes it in quotes
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            message = "a number"
            raise UnsuitableLiteral(message)
        whole = whole and isinstance(value, int) and -_INT64 <= value < _INT64
        numbers.append(value)
    if whole:
        return "bigint", numbers
    # A fraction compared with a whole-number column: PostgreSQL compares both as numeric.
    return "numeric", [Decimal(str(number)) for number in numbers]


def _dates(
    values: Sequence[Scalar], read: Callable[[str], date], expected: str
) -> list[object]:
    try:
        return [
            read(value) if isinstance(value, str) else _refuse() for value in values
        ]
    except (ValueError, OverflowError):
        raise UnsuitableLiteral(expected) from None


def _refuse() -> date:
    raise ValueError


def _date(text: str) -> date:
    return date.fromisoformat(text) if _DATE.fullmatch(text) else _refuse()


def _date_time(text: str) -> date:
    if not _DATE_TIME.fullmatch(text):
        return _refuse()
    moment = datetime.fromisoformat(text)
    # Vault's date-times are UTC, also where the statement leaves the zone out.
    return (
        moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    )


PLAIN_TEXT = frozenset(
    (FieldType.ID, FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT)
)
DATES = frozenset((FieldType.DATE, FieldType.DATE_TIME))
_UNORDERED = frozenset((FieldType.PICKLIST, FieldType.BOOLEAN, FieldType.ATTACHMENT))
_WHOLE = frozenset(("LONGTEXT", "RICHTEXT"))  # an alias of these stands for the field
_SCALARS = frozenset((str, int, Decimal, bool, type(None)))


class Column:
    """The left side of a condition, found in the registry."""

    __slots__ = (
        "at",
        "field",
        "ignore_case",
        "label",
        "multi_value",
        "owner",
        "path",
        "scope",
        "sql",
    )

    def __init__(self, scope: Scope, operand: Operand) -> None:
        self.scope = scope
        self.at = operand.path.at
        self.path, function = scope.aliased(operand.path, operand.function)
        self.sql, self.field, self.owner = scope.column(self.path)
        self.label = function == "TOLABEL" or (
            function is None and scope.shows_label(self.field, self.owner)
        )
        if self.label:
            self.sql, self.field, self.owner = label_sql(scope, self.path)
        self.multi_value = self.field.multi_value
        self.ignore_case = function == "CASEINSENSITIVE"
        if self.ignore_case:
            if self.field.type not in PLAIN_TEXT:
                raise self.unsuitable("CASEINSENSITIVE takes text fields only", self.at)
            self.sql = f"lower({self.sql})"
        elif function == "TONAME":
            self._require_documents(function)
        elif function in FILE_FUNCTIONS:
            self.sql, self.field = named_file(scope, self.path, function)
        elif (
            function is not None
            and not self.label
            and (operand.function is not None or function not in _WHOLE)
        ):
            raise self.unsupported(
                f"function [{function[:40]}] is not available in WHERE"
            )

    @property
    def is_text(self) -> bool:
        """Whether the values are single texts, which LIKE can search."""
        return not self.multi_value and (self.label or self.field.type in PLAIN_TEXT)

    def bind(self, value: Literal, at: int) -> str:
        """One literal as a parameter of the column's type."""
        if isinstance(value, Token):
            return self._bind_token(value, at)
        sql_type, values = self._typed((self._scalar(value, at),), at)
        holder = self.scope.statement.bind(values[0], sql_type)
        return f"lower({holder})" if self.ignore_case else holder

    def bind_list(self, values: Sequence[Literal], at: int) -> str:
        """Many literals as one array parameter."""
        if not _SCALARS.issuperset(map(type, values)):
            values = [self._scalar(value, at) for value in values]
        sql_type, typed = self._typed(cast("Sequence[Scalar]", values), at)
        return self.scope.statement.bind(typed, f"{sql_type}[]")

    def require_order(self) -> None:
        """Refuse what has no order; raises VqlNameError."""
        if self.ignore_case:
            raise self.unsuitable(
                "CASEINSENSITIVE goes with =, !=, LIKE and CONTAINS only", self.at
            )
        if self.field.type in _UNORDERED:
            raise self.unsuitable(
                "it is compared with =, != and CONTAINS only", self.at
            )

    def unsuitable(self, reason: str, at: int) -> VqlNameError:
        """The error about a value or operator that does not suit the field."""
        message = f"field [{self.field.name}] of object [{self.owner.name}]: {reason}"
        return self.scope.statement.fault(message, at)

    def unsupported(self, message: str) -> VqlNameError:
        """The error about what VQL does not have here."""
        return self.scope.statement.fault(message, self.at, "ATTRIBUTE_NOT_SUPPORTED")

    def _require_documents(self, function: str) -> None:
        target = self.scope.statement.targets.get(self.owner.name)
        if target is None or not target.documents:
            raise self.unsupported(f"function [{function}] is for queries of documents")

    def _scalar(self, value: Literal, at: int) -> Scalar:
        if isinstance(value, RelativeDate):
            raise self.unsuitable(
                "date literals go with comparison operators and with dates only", at
            )
        if isinstance(value, StateType | StateFunction):
            raise self.unsuitable(
                "functions of states go with = and != only, and with the field of a state",
                at,
            )
        if isinstance(value, Token):
            raise self.unsuitable(
                "Vault tokens go with comparison operators and BETWEEN only", at
            )
        return value

    def _bind_token(self, token: Token, at: int) -> str:
        kind = TOKENS.get(token.name)
        if kind is None:
            message = f"unknown Vault token [{token.name[:60]}]"
            raise self.scope.statement.fault(message, at)
        text = self.label or self.field.type in TEXT
        if not text and not (self.field.type is FieldType.NUMBER and kind is int):
            raise self.unsuitable(
                f"Vault token [{token.name}] is no value of its type", at
            )
        holder = self.scope.statement.bind(
            TokenValue(token.name, text), "text" if text else "bigint"
        )
        return f"lower({holder})" if self.ignore_case else holder

    def _typed(self, values: Sequence[Scalar], at: int) -> tuple[str, list[object]]:
        try:
            if self.label:
                return "text", texts(values)
            return parameters(self.field, values)
        except UnsuitableLiteral as expected:
            raise self.unsuitable(f"a value for it must be {expected}", at) from None


def texts(values: Sequence[Scalar]) -> list[object]:
    """The values, which must all be text; raises UnsuitableLiteral."""
    if not all(isinstance(value, str) for value in values):
        expected = "text in single quotes"
        raise UnsuitableLiteral(expected)
    return list(values)
