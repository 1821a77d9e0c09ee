"""Runs a compiled rule over source rows, field by field; references by key are still pending afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from services.connector.rules.conversion import (
    Convert,
    Unchanged,
    Unfit,
    is_empty,
    never,
)
from services.connector.rules.item_failures import FieldError, ItemErrorType
from services.connector.rules.lookups import (
    KeyedEntries,
    LookupName,
    LookupSet,
    UnknownKey,
    UseDefault,
    source_key,
)
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import (
    Describe,
    Read,
    Row,
    Selection,
    SourceColumns,
    described_types,
    mismatch,
    nothing,
)

Values = dict[str, object]
Targets = dict[str, Values]
"""Target object → field → value; None empties a field, and a field that is to keep its value is absent."""

_ABSENT = object()
"""Stands in a column of target values where a row has no such field."""

# The errors that a field rule may turn into warnings.
_OF_KEYS = frozenset({ItemErrorType.LOOKUP, ItemErrorType.REFERENCE})


class Reference(NamedTuple):
    """The object that a target field refers to, and the key field that identifies its records."""

    object: str
    field: str


class PendingReference(NamedTuple):
    """A reference by a unique key of a record, whose id is found later, for all rows at once."""

    object: str
    field: str
    key: str


def by_key(reference: Reference) -> Convert:
    """Return the function that converts a value to the key of a reference; it raises ``Unfit`` for an invalid key."""

    # Many rows refer to few records.
    @lru_cache(maxsize=256)
    def pending(key: str) -> PendingReference:
        return PendingReference(reference.object, reference.field, key)

    def convert(value: object) -> object:
        # A key may be a picklist value, which comes as a list.
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unfit(
                "the value cannot be the key of a record; map a source field that contains one key"
            )
        return pending(str(value))

    return convert


class BlankKey(Unfit):
    """Raised for a related record that has no value in the field that identifies its target record."""

    def __init__(self, selection: Selection | None) -> None:
        field = selection.key if selection else "the query field"
        super().__init__(
            f"the related record exists and has no {field}, by which the target record is found; fill that field"
        )


class Column(NamedTuple):
    """What a field rule makes of rows: their values, and the problems of rows without a value, by place."""

    values: list[object]
    problems: dict[int, Unfit]


@dataclass(frozen=True, slots=True)
class CompiledField:
    """One field rule ready to run: reads the source value or the default, translates and converts it.

    * ``sent_as`` is the target field's name in a row that is written.
    * ``declared`` is the query field type with which the source Vault's description has to agree, if any.
    * ``by_key``: the value may be a PendingReference.
    * ``unchanged`` returns whether all values of a column are stored as they are read.
    * ``owner`` reads the id of the related record that ``source`` is a key of.
    * ``clears``: a source without a value empties the target field.
    * ``warns``: a record without a usable key is transferred with a warning.
    """

    rule: str
    target_object: str
    target_field: str
    sent_as: str
    selection: Selection | None
    declared: str | None
    source: Read
    fit: Convert
    default: Read
    lookup: LookupSet | None
    by_key: bool
    unchanged: Unchanged = never
    owner: Read = nothing
    clears: bool = False
    warns: bool = False

    def column(self, rows: Sequence[Row], sources: SourceColumns) -> Column:
        """Return the target values of rows in their order, None for no value, and the problems of rows without one."""
        values = sources.values(self.selection)
        problems: dict[int, Unfit] = {}
        if self.unchanged(values):
            return Column(values, problems)
        for place, (row, source) in enumerate(zip(rows, values, strict=True)):
            try:
                values[place] = self._value(row, source)
            except Unfit as problem:
                values[place] = None
                problems[place] = problem
        return Column(values, problems)

    def _value(self, row: Row, source: object) -> object:
        """Return the target value of a row; None for no value.

        :raises Unfit: the target field cannot take the row's value.
        :raises BlankKey: a related record exists and has no key, for which there is no default either.
        """
        if is_empty(source):
            default = self.default(row)
            if default is None and not is_empty(self.owner(row)):
                raise BlankKey(self.selection)
            return default
        try:
            return self.fit(source)
        except UseDefault:
            return self.default(row)


@dataclass(slots=True)
class Evaluated:
    """The target values of a row, and the errors and warnings of fields without one.

    A row with errors is not written; one with warnings is.
    """

    targets: Targets
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)

    def note(self, part: CompiledField, error: FieldError) -> None:
        """Record the error of a field; as a warning if its rule allows keys that lead to no record."""
        of_key = error.error_type in _OF_KEYS
        noted = self.warnings if part.warns and of_key else self.errors
        noted.append(error)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule ready to run.

    ``keys`` has each target object's upsert key field, if the rule fills one; ``found_by`` a text field that is not
    unique, by which records can be searched for where there is no key. ``references`` are the fields whose
    references are resolved after the evaluation.
    """

    name: str
    plan: QueryPlan
    target_objects: tuple[str, ...]
    keys: Mapping[str, str]
    fields: tuple[CompiledField, ...]
    references: tuple[CompiledField, ...]
    found_by: Mapping[str, str] = field(default_factory=dict)

    def evaluate(self, row: Row) -> Evaluated:
        """Return the target values of one source row, and the errors and warnings of fields without one."""
        (evaluated,) = self.evaluate_all([row])
        return evaluated

    def evaluate_all(self, rows: Sequence[Row]) -> list[Evaluated]:
        """Return the target values of source rows, and the errors and warnings of fields without one."""
        # Field by field: what the rows have in common is then decided once, and not for each of them.
        evaluated = [Evaluated({}) for _ in rows]
        sources = SourceColumns(rows)
        tables = {name: _Table(len(rows)) for name in self.target_objects}
        for part in self.fields:
            values, problems = part.column(rows, sources)
            table = tables[part.target_object]
            table.set(part.sent_as, values, problems, clears=part.clears)
            for place, problem in problems.items():
                evaluated[place].note(part, self.error(part, problem))
        for name, table in tables.items():
            for each, target in zip(evaluated, table.rows(), strict=True):
                each.targets[name] = target
        return evaluated

    def mismatches(self, describe: Describe | None) -> list[FieldError]:
        """Return the errors of fields whose declared type differs from the source Vault's description.

        With any such error no row of the source can be evaluated.
        """
        # A column that the source does not describe, such as an expression, is not checked.
        described = described_types(describe)
        found = []
        for part in self.fields:
            # Few field rules declare a type; without one, any type is converted if it can be.
            if part.declared is None or part.selection not in described:
                continue
            problem = mismatch(part.declared, described[part.selection])
            if problem:
                found.append(self.error(part, Unfit(problem)))
        return found

    def missing_keys(self, rows: Iterable[Row]) -> Iterator[tuple[LookupSet, str]]:
        """Yield the source keys without a row in their lookup sets, whatever the field rules do about missing keys."""
        looking = [(part, part.lookup) for part in self.fields if part.lookup]
        for lookup, keys in _source_keys(looking, rows):
            for key in keys - lookup.entries.keys():
                yield lookup, key

    def keyed(self, rows: Iterable[Row]) -> list[tuple[LookupSet, set[str]]]:
        """Return the lookup sets that are read key by key, each with the distinct source keys of the rows."""
        looking = [
            (part, part.lookup)
            for part in self.fields
            if part.lookup and isinstance(part.lookup.entries, KeyedEntries)
        ]
        sets: dict[LookupName, LookupSet] = {}
        wanted: dict[LookupName, set[str]] = {}
        for lookup, keys in _source_keys(looking, rows):
            name = (lookup.type, lookup.name)
            sets[name] = lookup
            wanted.setdefault(name, set()).update(keys)
        return [(sets[name], keys) for name, keys in wanted.items()]

    def error(
        self,
        part: CompiledField,
        problem: Unfit,
        kind: ItemErrorType | None = None,
    ) -> FieldError:
        """Return the error of one field, naming rule, field rule and target field."""
        target = f"{part.target_object}.{part.target_field}"
        text = f"Integration rule {self.name}, field rule {part.rule}, target field {target}: {problem}"
        if kind is None:
            kind = _error_type(problem)
        return FieldError(
            self.name,
            part.rule,
            part.target_field,
            kind,
            text,
        )


def _source_keys(
    looking: Sequence[tuple[CompiledField, LookupSet]],
    rows: Iterable[Row],
) -> Iterator[tuple[LookupSet, set[str]]]:
    """Yield the lookup set of each of these field rules with the source keys that it reads of a row."""
    if not looking:
        return
    for row in rows:
        for part, lookup in looking:
            value = part.source(row)
            if is_empty(value):
                continue
            elements = value if isinstance(value, list) else [value]
            # A key counts once a row and field rule, however often the value has it.
            yield lookup, {source_key(element) for element in elements}


def _error_type(problem: Unfit) -> ItemErrorType:
    if isinstance(problem, UnknownKey):
        return ItemErrorType.LOOKUP
    if isinstance(problem, BlankKey):
        return ItemErrorType.REFERENCE
    return ItemErrorType.FIELD_VALUE


class _Table:
    """The fields of one target object for some source rows, set column by column."""

    def __init__(self, count: int) -> None:
        """Take the number of source rows."""
        self._count = count
        self._columns: dict[str, Sequence[object]] = {}
        self._is_full = True

    def set(
        self,
        name: str,
        values: list[object],
        failed: Collection[int],
        *,
        clears: bool,
    ) -> None:
        """Set a field by a column of values; None empties the field of a row if ``clears``, else leaves it as it is.

        ``failed`` are the places of rows whose field stays as it is.
        """
        if not clears and None in values:
            if values.count(None) == self._count:
                return
            values = [_ABSENT if value is None else value for value in values]
            self._is_full = False
        for place in failed:
            values[place] = _ABSENT
            self._is_full = False
        known = self._columns.get(name)
        # Another field rule may have filled the field: of several, one with a value decides.
        if known is not None:
            values = list(map(_later, known, values))
        self._columns[name] = values

    def rows(self) -> list[Values]:
        """Return the fields of each source row."""
        if not self._columns:
            return [{} for _ in range(self._count)]
        names = tuple(self._columns)
        rows = zip(*self._columns.values(), strict=True)
        # Mostly no row lacks a field: then no value has to be looked at again.
        if self._is_full:
            return list(map(dict, map(zip, repeat(names), rows)))
        return [
            {
                name: value
                for name, value in zip(names, row, strict=True)
                if value is not _ABSENT
            }
            for row in rows
        ]


def _later(known: object, value: object) -> object:
    """Return the value of a field that two field rules fill."""
    if value is _ABSENT or (value is None and known is not _ABSENT):
        return known
    return value
