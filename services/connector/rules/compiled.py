"""Runs a compiled rule over source rows, field by field; then settles the references by key, for all rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple, assert_never

from services.connector.rules.conversion import (
    BlankKey,
    Convert,
    PendingReference,
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
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import (
    Describe,
    Read,
    Row,
    Selection,
    SourceColumns,
    Table,
    Values,
    described_types,
    mismatch,
    nothing,
    statements,
)
from shared.protocol.edge_spaces import edge_space_note

Targets = dict[str, Values]
"""Target object → field → value; None empties a field, and a field that is to keep its value is absent."""

# The errors that a field rule may turn into warnings.
_OF_KEYS = frozenset({ItemErrorType.LOOKUP, ItemErrorType.REFERENCE})


Unique = tuple[str, str]
"""(object, field by whose value its records are known)."""


class Unusable(Enum):
    """The reasons why an existing key identifies no record: several records have it, or its record is inactive."""

    AMBIGUOUS = auto()
    INACTIVE = auto()


Found = Mapping[Unique, Mapping[str, str | Unusable]]
"""Record id by key, or why the records with the key cannot be referred to."""

_STATUS = "status__v"
# A picklist comes as a list.
_INACTIVE = (["inactive__v"], "inactive__v")
MAX_SHOWN_KEY = 100
"""Characters of a key that an error text shows."""


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
        tables = {name: Table(len(rows)) for name in self.target_objects}
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


def pending_keys(
    compiled: CompiledRule,
    rows: Iterable[Targets],
) -> dict[Unique, dict[str, None]]:
    """Return the distinct keys that the rows refer to, by object and field, in order of first mention by a field."""
    keys: dict[Unique, dict[str, None]] = {}
    made = list(rows)
    for part in compiled.references:
        values = [row[part.target_object].get(part.sent_as) for row in made]
        pending = [each for each in values if isinstance(each, PendingReference)]
        for name, key_field, key in dict.fromkeys(pending):
            keys.setdefault((name, key_field), {})[key] = None
    return keys


def key_statements(
    unique: Unique,
    keys: Iterable[str],
) -> Iterator[str]:
    """Yield the VQL that finds the records of these keys in the target Vault."""
    name, field = unique
    # The status of a document is the state of its lifecycle, and decides nothing here.
    columns = ("id", field) if name == DOCUMENTS else ("id", field, _STATUS)
    names = ", ".join(dict.fromkeys(columns))
    head = f"SELECT {names} FROM {name}"  # noqa: S608  VQL, literals quoted
    return statements(head, field, keys)


def index(
    field: str,
    rows: Iterable[Row],
) -> dict[str, str | Unusable]:
    """Return key → record id, or why no record can be referred to, from rows of ``key_statements``."""
    found: dict[str, str | Unusable] = {}
    for row in rows:
        key = str(row.get(field))
        known = found.get(key, Unusable.INACTIVE)
        record = str(row["id"])
        # An inactive record does not stand in the way of an active one with its key.
        if row.get(_STATUS) in _INACTIVE:
            found[key] = known
        # The same record may be among the rows twice.
        elif known in (Unusable.INACTIVE, record):
            found[key] = record
        else:
            found[key] = Unusable.AMBIGUOUS
    return found


def settle(
    compiled: CompiledRule,
    rows: Mapping[str, Evaluated],
    found: Found,
) -> set[str]:
    """Replace the pending references of rows by record ids; return the rows with keys that lead to no active record.

    Each such key is noted with its row.
    """
    noted: set[str] = set()
    for part in compiled.references:
        name, field = part.target_object, part.sent_as
        for item, evaluated in rows.items():
            values = evaluated.targets[name]
            value = values.get(field)
            if not isinstance(value, PendingReference):
                continue
            record = found.get((value.object, value.field), {}).get(value.key)
            if isinstance(record, str):
                values[field] = record
                continue
            # What the field refers to now stays, as with any value that cannot be translated.
            del values[field]
            problem = _unusable(value, record)
            error = compiled.error(part, problem, ItemErrorType.REFERENCE)
            evaluated.note(part, error)
            noted.add(item)
    return noted


def _unusable(reference: PendingReference, reason: Unusable | None) -> Unfit:
    """Return why a reference leads to no record; ``reason`` is None when no record has the key."""
    name, field, key = reference
    record = f"{name} with {field} {_shown(key)}"
    match reason:
        case None:
            note = edge_space_note(key)
            return Unfit(
                f"no {record} exists in the target Vault; add it or correct the source record{note}"
            )
        case Unusable.AMBIGUOUS:
            return Unfit(
                f"several {name} records have {field} {_shown(key)}; leave only one of them"
            )
        case Unusable.INACTIVE:
            return Unfit(
                f"the {record} is inactive in the target Vault; activate it or correct the source record"
            )
        case _:
            assert_never(reason)


def _shown(key: str) -> str:
    # An address or a sentence in a key field may be personal; codes and external ids are not.
    code = key.strip()
    is_code = len(key) <= MAX_SHOWN_KEY and "@" not in code and " " not in code
    return code if is_code else "as in the source record"
