"""The syntax tree of a VQL statement; ``at`` is the number of the token a node's name stands in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Scalar = str | int | Decimal | bool | None
"""A literal's value."""


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or a field behind to-one relationships: ``("account__vr", "name__v")``."""

    parts: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        """The path as VQL writes it; also its key in a result row."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Item:
    """One selected field."""

    path: Path
    function: str | None = None  # in upper case
    alias: str | None = None

    @property
    def key(self) -> str:
        """The key of its value in a result row."""
        return self.alias or self.path.text


@dataclass(frozen=True, slots=True)
class Operand:
    """The left side of a condition."""

    path: Path
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field = 'x'``; the operator is one of ``= != < > <= >=``."""

    operand: Operand
    operator: str
    value: Scalar
    at: int


@dataclass(frozen=True, slots=True)
class Contains:
    """``field CONTAINS ('a', 'b')``."""

    operand: Operand
    values: tuple[Scalar, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Between:
    """``field BETWEEN low AND high``, both ends included."""

    operand: Operand
    low: Scalar
    high: Scalar
    at: int


@dataclass(frozen=True, slots=True)
class Like:
    """``field LIKE 'a%b'``: the literal parts between the wildcards, here ``("a", "b")``."""

    operand: Operand
    segments: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class InSelect:
    """``id IN (SELECT id FROM addresses__vr WHERE …)``."""

    operand: Operand
    select: Select
    at: int


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more terms."""

    terms: tuple[Expression, ...]


Condition = Comparison | Contains | Between | Like | InSelect
Expression = Condition | And | Or


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY term."""

    path: Path
    descending: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What part of the result is wanted, in rows; None where the statement does not say."""

    maxrows: int | None = None
    skip: int | None = None
    pagesize: int | None = None
    pageoffset: int | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT: the statement's own, a to-many sub-select, or that of a semi-join."""

    items: tuple[Item | Select, ...]
    source: str  # an object; in sub-selects a relationship
    at: int
    where: Expression | None = None
    order: tuple[Order, ...] = ()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Query:
    """A whole statement with the text that places are counted in."""

    select: Select
    text: str


@dataclass(frozen=True, slots=True)
class Criteria:
    """A bare WHERE expression, as a filter clause holds it."""

    expression: Expression
    text: str

    def query(self, object_name: str) -> Query:
        """The statement that selects the ids of an object's records that meet the criteria."""
        return Query(Select((Item(Path(("id",), 0)),), object_name, 0, self.expression), self.text)
