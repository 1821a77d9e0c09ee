"""The syntax tree of a VQL statement; ``at`` is the number of the token a node's name stands in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

Scalar = str | int | Decimal | bool | None
"""A literal's value."""


@dataclass(frozen=True, slots=True)
class RelativeDate:
    """A span of days, counted from the day the statement runs: ``TODAY``, ``LAST_DAYS:30``, ``MONTHS_AGO:2``."""

    kind: str  # THIS, LAST, NEXT or AGO
    unit: str  # DAYS, MONTHS, QUARTERS or YEARS
    count: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """``${Vault.id}``: a value that the Vault knows when the statement runs; the name in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class StateType:
    """``STATETYPE('initial_state__sys')``: the lifecycle states of this type."""

    name: str


@dataclass(frozen=True, slots=True)
class StateFunction:
    """``STEADYSTATE()`` and its like: the lifecycle states of documents that it stands for; in upper case."""

    name: str


Literal = Scalar | RelativeDate | Token | StateType | StateFunction
"""What a condition compares with."""


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
    value: Literal
    at: int


@dataclass(frozen=True, slots=True)
class Contains:
    """``field CONTAINS ('a', 'b')``."""

    operand: Operand
    values: tuple[Literal, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Between:
    """``field BETWEEN low AND high``, both ends included."""

    operand: Operand
    low: Literal
    high: Literal
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
class Word:
    """One search term: the literal parts between its ``*`` wildcards; ``exact`` when it stood in double quotes."""

    parts: tuple[str, ...]
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Terms of a search phrase, or phrases of a FIND, joined: ``operator`` is AND, OR or NOT (of one term)."""

    operator: str
    terms: tuple[SearchTerm, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A search phrase and where it is looked for; no scope stands for all text fields and picklists."""

    terms: Word | Search
    at: int
    scope: tuple[Operand, ...] = ()
    content: bool = False  # SCOPE CONTENT and ALL: within files of documents
    fields: bool = True  # all but SCOPE CONTENT


SearchTerm = Word | Phrase | Search


@dataclass(frozen=True, slots=True)
class Find:
    """``FIND ('words' SCOPE name__v)``, with its text for ``responseDetails``."""

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
    """``ORDER BY RANK``: what matches FIND best comes first."""

    at: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What part of the result is wanted, in rows; None where the statement does not say."""

    maxrows: int | None = None
    skip: int | None = None
    pagesize: int | None = None
    pageoffset: int | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT: the statement's own, a to-many sub-select, or that of a semi-join.

    ``option`` is ALLVERSIONS, FAVORITES or RECENT; ``latest`` stands for SELECT LATESTVERSION.
    """

    items: tuple[Item | Select, ...]
    source: str  # an object; in sub-selects a relationship
    at: int
    where: Expression | None = None
    order: tuple[Order | Rank, ...] = ()
    limits: Limits = Limits()
    find: Find | None = None
    option: str | None = None
    latest: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole statement with the text that places are counted in."""

    select: Select
    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """``SHOW TARGETS``, ``SHOW FIELDS FROM x``, ``SHOW RELATIONSHIPS FROM x``, each perhaps with LIKE.

    ``pattern`` holds the literal parts between the wildcards of LIKE.
    """

    kind: str  # TARGETS, FIELDS or RELATIONSHIPS
    text: str
    source: str | None = None
    at: int = 0
    pattern: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """A bare WHERE expression, as a filter clause holds it."""

    expression: Expression
    text: str

    def query(self, object_name: str) -> Query:
        """The statement that selects the ids of an object's records that meet the criteria."""
        return Query(
            Select((Item(Path(("id",), 0)),), object_name, 0, self.expression),
            self.text,
        )
