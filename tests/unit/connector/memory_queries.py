"""Answers the connector's VQL from records in memory; anything else raises Unsupported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import wraps
from typing import Protocol, TypeVar

from shared.vault import vql
from shared.vault.components.registry import Registry
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.model.field_types import outbound
from shared.vault.queries.query_targets import targets_of
from shared.vault.vql.syntax_tree import (
    And,
    Comparison,
    Connective,
    Contains,
    Expression,
    InSelect,
    Item,
    Like,
    Operand,
    Operator,
    Or,
    Order,
    Path,
    Phrase,
    Query,
    Search,
    SearchTerm,
    Select,
    StateFunction,
    Word,
)
from shared.vault.vql.targets import Target, inbound

Record = dict[str, object]

SHORT = 250
"""Characters of a long text that a query returns unless LONGTEXT or RICHTEXT reads all of it."""
_CUT = (FieldType.LONG_TEXT, FieldType.RICH_TEXT)
_SHOWN_BARE = ("state__v", "lifecycle__v", "object_type__v")
"""Components that a query returns as texts, though the registry lists some as picklists."""


class Unsupported(Exception):
    """Raised for VQL that the connector does not write, and that is not evaluated here."""


class Stored(Protocol):
    """Records by object and id."""

    registry: Registry

    def all_of(self, object_name: str) -> Iterable[Record]: ...

    def one_of(self, object_name: str, record: str) -> Record | None: ...


T = TypeVar("T")


def kept(make: Callable[..., T]) -> Callable[..., T]:
    """Make something once for each registry, which is not hashable, and each name."""
    made: dict[tuple[object, ...], tuple[Registry, T]] = {}

    @wraps(make)
    def found(registry: Registry, *names: str) -> T:
        key = (id(registry), *names)
        if key not in made:
            # With its registry, whose id could be another one's later.
            made[key] = registry, make(registry, *names)
        return made[key][1]

    return found


@kept
def known_targets(registry: Registry) -> Mapping[str, Target]:
    """The query targets besides the objects of a registry, such as documents."""
    return targets_of(registry)


def object_of(registry: Registry, name: str) -> VaultObject:
    """An object, or a target that is queried like one."""
    known = registry.objects.get(name)
    return known or known_targets(registry)[name].object


def described(registry: Registry, query: Query) -> Record:
    """The ``queryDescribe`` block of a statement.

    :raises VqlError: a real Vault would not run the statement.
    """
    targets = known_targets(registry)
    return vql.describe(
        vql.compile_query(query, registry, lambda _name: True, targets=targets)
    )


def answer(stored: Stored, select: Select) -> list[Record]:
    """The rows of a statement, in its order."""
    source = object_of(stored.registry, select.source)
    reader = _Reader(stored, source)
    found = [row for row in stored.all_of(source.name) if reader.fits(select, row)]
    for term in reversed(select.order):
        if not isinstance(term, Order):
            raise Unsupported("ORDER BY RANK")
        # Records without a value come last, and the sort is stable.
        path = term.path
        found.sort(key=lambda row: _sort_key(reader.value(row, path)))
        if term.descending:
            found.reverse()
    skip = select.limits.skip or 0
    rows = (
        found[skip:]
        if select.limits.maxrows is None
        else found[skip:][: select.limits.maxrows]
    )
    return [reader.shown(select, row) for row in rows]


class _Reader:
    """Reads records of one object by the names in a statement."""

    def __init__(self, stored: Stored, owner: VaultObject) -> None:
        self._stored = stored
        self._owner = owner

    def shown(self, select: Select, row: Record) -> Record:
        """One row of the answer."""
        return {
            (item.source if isinstance(item, Select) else item.key): (
                self._children(item, row)
                if isinstance(item, Select)
                else self._item(item, row)
            )
            for item in select.items
        }

    def _item(self, item: Item, row: Record) -> object:
        value, field = self._valued(row, item.path)
        if item.function not in (None, "LONGTEXT", "RICHTEXT", "TONAME"):
            raise Unsupported(f"{item.function}()")
        if item.function is None and field.type in _CUT and isinstance(value, str):
            return value[:SHORT]
        picks = field.type is FieldType.PICKLIST and field.name not in _SHOWN_BARE
        several = picks or (field.multi_value and field.type is FieldType.OBJECT)
        if value is None or not several or isinstance(value, list):
            return value
        return [value]

    def _children(self, select: Select, row: Record) -> Record:
        data = [
            _Reader(self._stored, self._child(select.source)[0]).shown(select, child)
            for child in self.related(select, row)
        ]
        return {"responseDetails": {"total": len(data)}, "data": data}

    def related(self, select: Select, row: Record) -> list[Record]:
        """Records behind a to-many relationship that meet a sub-select's condition."""
        child, reference = self._child(select.source)
        reader = _Reader(self._stored, child)
        return [
            each
            for each in self._stored.all_of(child.name)
            if each.get(reference.name) == row["id"] and reader.fits(select, each)
        ]

    def _child(self, relationship: str) -> tuple[VaultObject, Field]:
        registry = self._stored.registry
        known = inbound(registry, known_targets(registry), self._owner.name)
        name, reference = known[relationship]
        return object_of(registry, name), reference

    def value(self, row: Record, path: Path) -> object:
        """The value of a field, or of one behind to-one relationships."""
        return self._valued(row, path)[0]

    def _valued(self, row: Record, path: Path) -> tuple[object, Field]:
        owner, record, parts = self._owner, row, path.parts
        for relationship in parts[:-1]:
            if relationship == "object_type__vr":
                return record.get("object_type__v"), owner.fields["object_type__v"]
            reference = outbound(owner, relationship)
            if reference is None:
                raise Unsupported(f"{relationship} of {owner.name}")
            owner = object_of(self._stored.registry, reference.target)
            following = record.get(reference.field)
            known = (
                self._stored.one_of(owner.name, str(following)) if following else None
            )
            record = known or {}
        return record.get(parts[-1]), owner.fields[parts[-1]]

    def fits(self, select: Select, row: Record) -> bool:
        """Whether a record fulfils the conditions of a SELECT."""
        if select.find is not None and not self._found(select.find.search, row):
            return False
        return select.where is None or self._holds(select.where, row)

    def _found(self, term: SearchTerm, row: Record) -> bool:
        match term:
            case Search(Connective.AND, terms):
                return all(self._found(each, row) for each in terms)
            case Search(Connective.OR, terms):
                return any(self._found(each, row) for each in terms)
            case Phrase(terms=Word() | Search() as terms, scope=(Operand(path=path),)):
                text = str(self.value(row, path) or "")
                return _matches(terms, re.findall(r"\w+", text.lower()))
            case _:
                raise Unsupported("FIND")

    def _holds(self, condition: Expression, row: Record) -> bool:
        match condition:
            case And(terms):
                holds = all(self._holds(term, row) for term in terms)
            case Or(terms):
                holds = any(self._holds(term, row) for term in terms)
            case Contains(operand, values):
                holds = any(self._equals(operand, row, value) for value in values)
            case Comparison(operand, Operator.EQUAL, value):
                holds = self._equals(operand, row, value)
            case Comparison(operand, Operator.NOT_EQUAL, value):
                holds = not self._equals(operand, row, value)
            case Comparison(operand, operator, value):
                holds = _ordered(self.value(row, operand.path), operator, value)
            case Like(operand, segments):
                pattern = ".*".join(re.escape(segment) for segment in segments)
                text = str(self.value(row, operand.path) or "")
                holds = bool(re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL))
            case InSelect(operand, select) if operand.path.parts == ("id",):
                holds = bool(self.related(select, row))
            case _:
                raise Unsupported(type(condition).__name__)
        return holds

    def _equals(self, operand: Operand, row: Record, literal: object) -> bool:
        value = self.value(row, operand.path)
        values = value if isinstance(value, list) else [value]
        if isinstance(literal, StateFunction):
            states = known_targets(self._stored.registry)[self._owner.name].states
            names = {each.rpartition(".")[2] for each in states[literal.name]}
            return bool(names.intersection(map(str, values)))
        if literal is None:
            return value in (None, "", [])
        if isinstance(literal, (bool, str, int, Decimal)):
            return any(_same(each, literal) for each in values)
        raise Unsupported(type(literal).__name__)


def _same(value: object, literal: bool | str | int | Decimal) -> bool:
    if isinstance(literal, bool) or value is None:
        return value is literal
    return str(value) == str(literal)


def _ordered(value: object, operator: Operator, literal: object) -> bool:
    if value is None:
        return False
    left, right = (
        (value, literal)
        if isinstance(value, (int, float))
        else (str(value), str(literal))
    )
    match operator:
        case Operator.LESS:
            return left < right  # type: ignore[operator]
        case Operator.AT_MOST:
            return left <= right  # type: ignore[operator]
        case Operator.GREATER:
            return left > right  # type: ignore[operator]
        case Operator.AT_LEAST:
            return left >= right  # type: ignore[operator]
        case _:
            raise Unsupported(operator)


def _matches(term: SearchTerm, words: list[str]) -> bool:
    match term:
        case Word((beginning, "")):
            return any(word.startswith(beginning.lower()) for word in words)
        case Word((whole,)):
            return whole.lower() in words
        case Search(Connective.AND, terms):
            return all(_matches(each, words) for each in terms)
        case Search(Connective.OR, terms):
            return any(_matches(each, words) for each in terms)
        case _:
            raise Unsupported("a search phrase")


def _sort_key(value: object) -> tuple[bool, str]:
    return value is None, "" if value is None else str(value)
