"""Compiles the left side of a condition, and binds literals as parameters of its type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import assert_never, cast

from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import (
    ValueClass,
    covers,
    follows_from_id,
    ids_of_global_ids,
    is_integer,
    traits,
    value_class,
)
from shared.vault.vql.deferred import TOKENS, TokenValue
from shared.vault.vql.functions import (
    Function,
    function_named,
    label_sql,
    named_file,
    require_documents,
    unavailable,
)
from shared.vault.vql.numbered_ids import in_number_order, numbered
from shared.vault.vql.resolve import Scope
from shared.vault.vql.syntax_tree import (
    Literal,
    Operand,
    Path,
    RelativeDate,
    Scalar,
    StateFunction,
    StateType,
    Token,
)
from shared.vault.vql.vql_errors import VqlNameError

DATES = "date literals go with comparison operators and with dates only"

_INT64 = 2**63
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_SCALARS = frozenset((str, int, Decimal, bool, type(None)))


class LeftSide:
    """The left side of a condition, resolved by the registry: a column, or a function of a column.

    ``covered``: the search index of the scope's object has the words of its values.
    """

    __slots__ = (
        "at",
        "covered",
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
        self.path, name = scope.aliased(operand.path, operand.function)
        column = scope.column(self.path)
        shows_label = scope.shows_label(column.field, column.owner)
        self.label = name == Function.TOLABEL or (name is None and shows_label)
        if self.label:
            column = label_sql(scope, self.path)
        self.sql, self.field, self.owner = column
        self.multi_value = self.field.multi_value
        self.ignore_case = name == Function.CASEINSENSITIVE
        is_own = len(self.path.parts) == 1 and not self.label
        is_plain = name is None or self.ignore_case
        # Conditions compare rich text with its markup, of which the index has no words.
        is_rich = self.field.type is FieldType.RICH_TEXT
        self.covered = is_own and is_plain and covers(self.field) and not is_rich
        if name is not None:
            self._apply(name, aliased=operand.function is None)

    @property
    def _numbered(self) -> bool:
        """Return whether the values are ids of users or the like: text here, and numbers in much of the API."""
        return numbered(self.scope, self.field, self.owner)

    @property
    def ordered_sql(self) -> str:
        """Return the SQL of the values for comparisons of their order."""
        return in_number_order(self.sql) if self._numbered else self.sql

    @property
    def is_text(self) -> bool:
        """Return whether the values are single texts, which LIKE can search."""
        if self.multi_value:
            return False
        return self.label or traits(self.field.type).plain_text

    @property
    def is_date(self) -> bool:
        """Return whether the values are dates, with or without a time."""
        values = value_class(self.field.type)
        return values in (ValueClass.DATE, ValueClass.DATE_TIME)

    def bind(self, value: Literal, at: int) -> str:
        """Bind one literal as a parameter of the column's type, and return its placeholder."""
        if isinstance(value, Token):
            return self._bind_token(value, at)
        scalar = self._scalar(value, at)
        sql_type, values = self._typed((scalar,), at)
        (parameter,) = values
        return self._bound(parameter, sql_type)

    def bind_list(self, values: Sequence[Literal], at: int) -> str:
        """Bind several literals as one array parameter, and return its placeholder."""
        # Lists of ids have thousands of values: one look at their types decides for all.
        if not _SCALARS.issuperset(map(type, values)):
            values = [self._scalar(value, at) for value in values]
        scalars = cast("Sequence[Scalar]", values)
        sql_type, typed = self._typed(scalars, at)
        return self.scope.statement.bind(typed, f"{sql_type}[]")

    def equal_to(self, bound: str, *, several: bool = False) -> str:
        """Return the condition that the column has a bound value, or one of several, by indexes that find it."""
        compared = f"ANY({bound})" if several else bound
        condition = f"{self.sql} = {compared}"
        if self.ignore_case or self.label:
            return condition
        alias = self.sql.partition(".")[0]
        target = self.scope.statement.targets.get(self.owner.name)
        if target is not None:
            found_by = target.found_by.get(self.field.name)
            if found_by is None:
                return condition
            # Each row that is found is looked for in a sub-select by its hash, in an array of ids one by one.
            among = f"IN (SELECT unnest({bound}))" if several else f"= {bound}"
            return (
                f"({found_by.format(alias=alias, ids=compared)} AND {self.sql} {among})"
            )
        if not follows_from_id(self.field):
            return condition
        ids = ids_of_global_ids(bound, several=several)
        return f'({alias}."id" = {ids} AND {condition})'

    def by_reference(self, condition: str) -> str:
        """Return a condition on a unique field behind a reference as one on the reference; any other unchanged.

        PostgreSQL knows how many records refer to which one, but not how many have a key behind a join: it would then
        read all records, instead of those of one page by the index of their order.
        """
        relationship = self.path.parts[:-1]
        is_plain = not (self.ignore_case or self.label or self.multi_value)
        is_key = self.field.unique and self.field.type is not FieldType.ID
        statement = self.scope.statement
        is_table = self.owner.name not in statement.targets
        if len(relationship) != 1 or not (is_plain and is_key and is_table):
            return condition
        reference = self.scope.column(Path((*relationship, "id"), self.at))
        alias = self.sql.partition(".")[0]
        relation = statement.relation(self.owner, alias)
        keys = f'SELECT {alias}."id" FROM {relation} WHERE {condition}'
        return f"{reference.sql} = ANY(ARRAY({keys}))"

    def require_order(self) -> None:
        """Check that the values have an order.

        :raises VqlNameError: they have none.
        """
        if self.ignore_case:
            message = "CASEINSENSITIVE goes with =, !=, LIKE and CONTAINS only"
            raise self.unsuitable(message, self.at)
        if not traits(self.field.type).compared:
            message = "it is compared with =, != and CONTAINS only"
            raise self.unsuitable(message, self.at)

    def unsuitable(self, reason: str, at: int) -> VqlNameError:
        """Return the error for a value or operator that does not suit the field."""
        message = f"field [{self.field.name}] of object [{self.owner.name}]: {reason}"
        return self.scope.statement.fault(message, at)

    def _apply(self, name: str, *, aliased: bool) -> None:
        """Apply a function to the column; ``aliased`` when the condition names it by an alias of the SELECT."""
        function = function_named(name)
        match function:
            case Function.TOLABEL:
                return  # the label is the column already
            case Function.CASEINSENSITIVE:
                self._fold_case()
            case Function.TONAME:
                message = f"function [{name}] is for queries of documents"
                require_documents(self.scope, self.path, self.owner, message)
            case (
                Function.FILENAME
                | Function.FILESIZE
                | Function.MIMETYPE
                | Function.MD5CHECKSUM
            ):
                self.sql, self.field = named_file(self.scope, self.path, name)
            # Stored texts are whole: the alias of a whole text stands for the field.
            case Function.LONGTEXT | Function.RICHTEXT if aliased:
                return
            case (
                Function.LONGTEXT
                | Function.RICHTEXT
                | Function.TRIM
                | Function.TODISPLAYFORMAT
                | None
            ):
                raise unavailable(self.scope, self.path, name, "WHERE")
            case _:
                assert_never(function)

    def _fold_case(self) -> None:
        if not traits(self.field.type).plain_text:
            raise self.unsuitable("CASEINSENSITIVE takes text fields only", self.at)
        self.sql = f"platform.caseless({self.sql})"

    def _bound(self, value: object, sql_type: str) -> str:
        holder = self.scope.statement.bind(value, sql_type)
        if not self.ignore_case:
            return holder
        # PostgreSQL lowers both sides: its rules for case are not Python's. Once for all records, in a sub-select.
        return f"(SELECT platform.caseless({holder}))"

    def _scalar(self, value: Literal, at: int) -> Scalar:
        """Return a literal that is a plain value.

        :raises VqlNameError: the literal is a function, a date literal or a Vault token.
        """
        match value:
            case RelativeDate():
                raise self.unsuitable(DATES, at)
            case StateType() | StateFunction():
                message = "functions of states go with = and != only, and with the field of a state"
                raise self.unsuitable(message, at)
            case Token():
                message = "Vault tokens go with comparison operators and BETWEEN only"
                raise self.unsuitable(message, at)
            case str() | bool() | int() | Decimal() | None:
                return value
            case _:
                assert_never(value)

    def _bind_token(self, token: Token, at: int) -> str:
        kind = TOKENS.get(token.name)
        if kind is None:
            message = f"unknown Vault token [{token.name[:60]}]"
            raise self.scope.statement.fault(message, at)
        values = value_class(self.field.type)
        text = self.label or values is ValueClass.TEXT
        if not text and not (values is ValueClass.NUMBER and kind is int):
            message = f"Vault token [{token.name}] is no value of its type"
            raise self.unsuitable(message, at)
        value = TokenValue(token.name, text)
        return self._bound(value, "text" if text else "bigint")

    def _typed(self, values: Sequence[Scalar], at: int) -> tuple[str, list[object]]:
        try:
            if self.label:
                return "text", _texts(values)
            if self._numbered:
                values = [_id_text(value) for value in values]
            return parameters(self.field, values)
        except UnsuitableLiteral as expected:
            raise self.unsuitable(f"a value for it must be {expected}", at) from None


def _id_text(value: Scalar) -> Scalar:
    """Return a number as the text of an id; other literals as they are."""
    if type(value) is int:
        return str(value)
    return value


class UnsuitableLiteral(Exception):
    """Raised for a literal that is not a value of the field's type; the text names the expected kind."""


def parameters(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    """Return the SQL type of literals for a field, and the values to bind.

    :raises UnsuitableLiteral: a literal is not a value of the field's type; null is a value of no type.
    """
    kind = value_class(field.type)
    match kind:
        case ValueClass.TEXT:
            return "text", _texts(values)
        case ValueClass.NUMBER:
            return _numbers(field, values)
        case ValueClass.BOOLEAN:
            return "boolean", _all_of(values, bool, "true or false")
        case ValueClass.DATE:
            return "date", _dates(values, _date, "a date, 'YYYY-MM-DD'")
        case ValueClass.DATE_TIME:
            expected = "a date and time, 'YYYY-MM-DDTHH:MM:SS.mmmZ'"
            return "timestamptz", _dates(values, _date_time, expected)
        case _:
            assert_never(kind)


def _texts(values: Sequence[Scalar]) -> list[object]:
    return _all_of(values, str, "text in single quotes")


def _all_of(
    values: Sequence[Scalar],
    kind: type,
    expected: str,
) -> list[object]:
    kinds = set(map(type, values))
    if kinds != {kind}:
        raise UnsuitableLiteral(expected)
    return list(values)


def _numbers(field: Field, values: Sequence[Scalar]) -> tuple[str, list[object]]:
    numbers = [_number(field, value) for value in values]
    if is_integer(field) and all(map(_is_bigint, numbers)):
        return "bigint", [*numbers]
    # A fraction compared with a whole-number column: PostgreSQL compares both as numeric.
    return "numeric", [Decimal(number) for number in numbers]


def _number(field: Field, value: Scalar) -> int | Decimal:
    # A document's id is a number here; clients that know ids as text write it in quotes.
    if field.shown_type == "id" and isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    # In Python a Boolean is an int, in VQL it is not a number.
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnsuitableLiteral("a number")
    return value


def _is_bigint(number: int | Decimal) -> bool:
    return isinstance(number, int) and -_INT64 <= number < _INT64


def _dates(
    values: Sequence[Scalar],
    read: Callable[[str], date],
    expected: str,
) -> list[object]:
    texts = _all_of(values, str, expected)
    try:
        return [read(str(text)) for text in texts]
    except (ValueError, OverflowError):
        raise UnsuitableLiteral(expected) from None


def _date(text: str) -> date:
    # Python reads more forms of ISO 8601 than Vault takes.
    if not _DATE.fullmatch(text):
        raise ValueError
    return date.fromisoformat(text)


def _date_time(text: str) -> date:
    if not _DATE_TIME.fullmatch(text):
        raise ValueError
    moment = datetime.fromisoformat(text)
    # Vault's date-times are UTC, also where the statement leaves the zone out.
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def literal(value: str) -> str:
    """Return the string token of a text, with its characters escaped."""
    # The backslash first: the one in front of a quote must not be doubled.
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
