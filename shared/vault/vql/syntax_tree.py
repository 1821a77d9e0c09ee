"""Defines the nodes of a VQL statement's syntax tree; ``at`` is the number of the token with a node's name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

Scalar = str | int | Decimal | bool | None
"""A literal's value."""


class Operator(StrEnum):
    """The comparison operators of WHERE."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    GREATER = ">"
    AT_MOST = "<="
    AT_LEAST = ">="


class Connective(StrEnum):
    """The operators that join search terms; NOT takes one term."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


class Tense(StrEnum):
    """The place of a date literal's span, relative to the day on which the statement runs."""

    THIS = "THIS"
    LAST = "LAST"
    NEXT = "NEXT"
    AGO = "AGO"


class Unit(StrEnum):
    """The units of date literals."""

    DAYS = "DAYS"
    MONTHS = "MONTHS"
    QUARTERS = "QUARTERS"
    YEARS = "YEARS"


class SourceOption(StrEnum):
    """The options of FROM, which select other rows of the target than the usual ones."""

    ALLVERSIONS = "ALLVERSIONS"
    LATESTVERSION = "LATESTVERSION"
    FAVORITES = "FAVORITES"
    RECENT = "RECENT"


class StateFunctionName(StrEnum):
    """The functions for sets of lifecycle states of documents."""

    STEADY = "STEADYSTATE"
    OBSOLETE = "OBSOLETESTATE"
    SUPERSEDED = "SUPERSEDEDSTATE"
    DELETED = "DELETEDSTATE"


class ShowKind(StrEnum):
    """The things that SHOW can list."""

    TARGETS = "TARGETS"
    FIELDS = "FIELDS"
    RELATIONSHIPS = "RELATIONSHIPS"


@dataclass(frozen=True, slots=True)
class RelativeDate:
    """A span of days, counted from the day the statement runs: ``TODAY``, ``LAST_DAYS:30``, ``MONTHS_AGO:2``."""

    tense: Tense
    unit: Unit
    count: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """A Vault token such as ``${Vault.id}``, whose value is known when the statement runs; the name in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class StateType:
    """The lifecycle states of one type, as in ``STATETYPE('initial_state__sys')``."""

    name: str


@dataclass(frozen=True, slots=True)
class StateFunction:
    """The lifecycle states of documents of one kind, as in ``STEADYSTATE()``."""

    name: StateFunctionName


Literal = Scalar | RelativeDate | Token | StateType | StateFunction
"""The right side of a condition."""


@dataclass(frozen=True, slots=True)
class Path:
    """A field, or a field behind to-one relationships: ``("account__vr", "name__v")``."""

    parts: tuple[str, ...]
    at: int

    @property
    def text(self) -> str:
        """Return the path as VQL writes it, which is also its key in a result row."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Item:
    """One selected field, and the name in upper case of the function around it, if any."""

    path: Path
    # The parser takes any name here: which functions there are depends on the clause and the target.
    function: str | None = None
    alias: str | None = None

    @property
    def key(self) -> str:
        """Return the key of the field's value in a result row."""
        return self.alias or self.path.text


@dataclass(frozen=True, slots=True)
class Operand:
    """The left side of a condition."""

    path: Path
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison, as in ``field = 'x'``."""

    operand: Operand
    operator: Operator
    value: Literal
    at: int


@dataclass(frozen=True, slots=True)
class Contains:
    """A condition that a field has one of some values, as in ``field CONTAINS ('a', 'b')``."""

    operand: Operand
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Between:
    """A condition ``field BETWEEN low AND high``, both ends included."""

    operand: Operand
    low: Literal
    high: Literal
    at: int


@dataclass(frozen=True, slots=True)
class Like:
    """A condition ``field LIKE 'a%b'``, with the literal parts between the wildcards, here ``("a", "b")``."""

    operand: Operand
    segments: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class InSelect:
    """A semi-join, as in ``id IN (SELECT id FROM addresses__vr WHERE …)``."""

    operand: Operand
    select: Select
    at: int


@dataclass(frozen=True, slots=True)
class And:
    """A condition of two or more terms that must all hold."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """A condition of two or more terms of which one must hold."""

    terms: tuple[Expression, ...]


Condition = Comparison | Contains | Between | Like | InSelect
Expression = Condition | And | Or


@dataclass(frozen=True, slots=True)
class Word:
    """One search term: the literal parts between its ``*`` wildcards; ``exact`` when it stood in double quotes."""

    parts: tuple[str, ...]
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Terms of a search phrase, or phrases of a FIND, with the operator that joins them."""

    operator: Connective
    terms: tuple[SearchTerm, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A search phrase and its scope; without a scope, it is searched in all text fields and picklists.

    ``content`` (SCOPE CONTENT, SCOPE ALL) adds the files of documents; ``fields`` is False for SCOPE CONTENT only.
    """

    terms: Word | Search
    at: int
    scope: tuple[Operand, ...] = ()
    content: bool = False
    fields: bool = True


SearchTerm = Word | Phrase | Search


@dataclass(frozen=True, slots=True)
class Find:
    """A FIND clause, as in ``FIND ('words' SCOPE name__v)``, with its text for ``responseDetails``."""

    search: Phrase | Search
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Order:
    """One ORDER BY term."""

    path: Path
    descending: bool
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Rank:
    """The order ``ORDER BY RANK``, in which the best matches of FIND come first."""

    at: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The part of the result to return, in rows; None where the statement does not say."""

    maxrows: int | None = None
    skip: int | None = None
    pagesize: int | None = None
    pageoffset: int | None = None

    @property
    def unlimited(self) -> bool:
        """Return whether all rows of the result are wanted, on whatever pages."""
        return self.maxrows is None and not self.skip


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT: the statement's own, a to-many sub-select, or that of a semi-join.

    ``option`` is the word after FROM, if any; ``latest`` stands for SELECT LATESTVERSION, which keeps one
    version of each document that matches.
    """

    items: tuple[Item | Select, ...]
    source: str  # an object; in sub-selects a relationship
    at: int
    where: Expression | None = None
    order: tuple[Order | Rank, ...] = ()
    limits: Limits = Limits()
    find: Find | None = None
    option: SourceOption | None = None
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole statement with its text, to which the positions in errors refer.

    ``tested`` are conditions that rows need not meet: whether a row meets each of them is a column behind its keys.
    """

    select: Select
    text: str
    tested: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Show:
    """A SHOW: ``SHOW TARGETS``, ``SHOW FIELDS FROM x`` or ``SHOW RELATIONSHIPS FROM x``, each perhaps with LIKE.

    ``pattern`` contains the literal parts between the wildcards of LIKE.
    """

    kind: ShowKind
    text: str
    source: str | None = None
    at: int = 0
    pattern: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """A bare WHERE expression, as in a filter clause."""

    expression: Expression
    text: str

    def query(self, object_name: str) -> Query:
        """Return the statement that selects the ids of an object's records that meet the criteria."""
        identifier = Item(Path(("id",), 0))
        select = Select((identifier,), object_name, 0, self.expression)
        return Query(select, self.text)


def terms_of(where: Expression | None) -> list[Expression]:
    """Return the terms of a WHERE that must all hold."""
    match where:
        case None:
            return []
        case And():
            return [inner for term in where.terms for inner in terms_of(term)]
        case _:
            return [where]


def bounded_by_lists(where: Expression | None, keys: Collection[str]) -> bool:
    """Return whether lists of values bound the number of records that a WHERE finds; ``keys`` are the unique fields."""
    match where:
        case And():
            return any(bounded_by_lists(term, keys) for term in where.terms)
        case Or():
            return all(bounded_by_lists(term, keys) for term in where.terms)
        case Contains(Operand(path, None)):
            return path.text in keys
        case _:
            return False
