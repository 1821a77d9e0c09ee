"""A compiled rule: one function for each target field, run over source rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.connector.rules.conversion import Convert, Unfit, is_empty
from services.connector.rules.item_failures import FieldError, ItemErrorType
from services.connector.rules.lookups import (
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
    described_types,
    mismatch,
)
from services.connector.rules.vql_text import statements

Values = dict[str, object]
Targets = dict[str, Values]
"""Target object → field → value; a field without a value is absent, never null."""


@dataclass(frozen=True, slots=True)
class CompiledField:
    """One field rule ready to run: source value, else default; translated by a lookup; made fit for its target.

    ``sent_as`` is what the target field is called in a row that is written. ``declared`` is the query field type
    that the source Vault's description has to agree with, if any. With ``by_key`` the value may be a PendingReference.
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

    def value(self, row: Row) -> object:
        """The target value of a row, None for none; raises Unfit."""
        given = self.source(row)
        if is_empty(given):
            return self.default(row)
        try:
            return self.fit(given)
        except UseDefault:
            return self.default(row)


@dataclass(slots=True)
class Evaluated:
    """What a row came to: target values, and the fields that could not be given one.

    A warning, other than an error, keeps nothing from being written.
    """

    targets: Targets
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[FieldError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule ready to run.

    ``keys`` names each target object's upsert key field, where the rule has one. ``references`` are the fields to
    settle after evaluation.
    """

    name: str
    plan: QueryPlan
    target_objects: tuple[str, ...]
    keys: Mapping[str, str]
    fields: tuple[CompiledField, ...]
    references: tuple[CompiledField, ...]

    def evaluate(self, row: Row) -> Evaluated:
        """The target values of one source row, and the errors of the fields that could not be given one."""
        evaluated = Evaluated({name: {} for name in self.target_objects})
        targets = evaluated.targets
        for part in self.fields:
            try:
                value = part.value(row)
            except Unfit as problem:
                warning = isinstance(problem, UnknownKey) and problem.warning
                (evaluated.warnings if warning else evaluated.errors).append(
                    self.error(part, problem)
                )
            else:
                if value is not None:
                    targets[part.target_object][part.sent_as] = value
        return evaluated

    def mismatches(self, describe: Describe | None) -> list[FieldError]:
        """The fields whose declared type is not what the source Vault describes: no row can be evaluated then."""
        described = described_types(describe)
        found = []
        for part in self.fields:
            if part.declared and part.selection in described:
                problem = mismatch(part.declared, described[part.selection])
                if problem:
                    found.append(self.error(part, Unfit(problem)))
        return found

    def missing_keys(self, rows: Iterable[Row]) -> Iterator[tuple[LookupSet, str]]:
        """Yield each source key that a lookup set has no row for, whatever its field rule does about that."""
        looking = [(part, part.lookup) for part in self.fields if part.lookup]
        for row in rows:
            for part, lookup in looking:
                value = part.source(row)
                if is_empty(value):
                    continue
                values = value if isinstance(value, list) else [value]
                # A key counts once a row and field rule, however often the value has it.
                for key in {source_key(element) for element in values}:
                    if key not in lookup.entries:
                        yield lookup, key

    def error(
        self, part: CompiledField, problem: Unfit, kind: ItemErrorType | None = None
    ) -> FieldError:
        """The error of one field, naming rule, field rule and target field."""
        if kind is None:
            kind = (
                ItemErrorType.LOOKUP
                if isinstance(problem, UnknownKey)
                else ItemErrorType.FIELD_VALUE
            )
        target = f"{part.target_object}.{part.target_field}"
        text = f"Integration rule {self.name}, field rule {part.rule}, target field {target}: {problem}"
        return FieldError(self.name, part.rule, part.target_field, kind, text)


Unique = tuple[str, str]
"""(object, field by whose value its records are known)."""


Found = Mapping[Unique, Mapping[str, str]]
"""Record id by key; a key that several records have maps to AMBIGUOUS."""


AMBIGUOUS = ""


class PendingReference(NamedTuple):
    """A reference known by a unique key of the record meant; its id is looked up later, for all rows at once."""

    object: str
    field: str
    key: str


def pending_keys(
    compiled: CompiledRule, rows: Iterable[Targets]
) -> dict[Unique, dict[str, None]]:
    """The distinct keys that the rows refer to, by object and field, in order of first mention."""
    keys: dict[Unique, dict[str, None]] = {}
    fields = [(part.target_object, part.sent_as) for part in compiled.references]
    for targets in rows:
        for target_object, target_field in fields:
            value = targets[target_object].get(target_field)
            if isinstance(value, PendingReference):
                keys.setdefault((value.object, value.field), {})[value.key] = None
    return keys


def key_statements(unique: Unique, keys: Iterable[str]) -> Iterator[str]:
    """The VQL that finds the records of these keys in the target Vault."""
    name, field = unique
    return statements(f"SELECT id, {field} FROM {name}", field, keys)  # noqa: S608  VQL, literals quoted


def index(field: str, rows: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Record ids by key, of the rows that ``key_statements`` brought back."""
    found: dict[str, str] = {}
    for row in rows:
        key = str(row.get(field))
        found[key] = (
            AMBIGUOUS if key in found and found[key] != row["id"] else str(row["id"])
        )
    return found


def settle(compiled: CompiledRule, targets: Targets, found: Found) -> list[FieldError]:
    """Put record ids in place of a row's pending references; the errors name those that lead nowhere."""
    errors: list[FieldError] = []
    for part in compiled.references:
        values = targets[part.target_object]
        value = values.get(part.sent_as)
        if not isinstance(value, PendingReference):
            continue
        record = found.get((value.object, value.field), {}).get(value.key)
        if record:
            values[part.sent_as] = record
            continue
        problem = (
            f"no {value.object} with {value.field} {_named(value.key)} exists in the target Vault; "
            "add it or correct the source record"
            if record is None
            else f"several {value.object} records have {value.field} {_named(value.key)}; leave only one of them"
        )
        errors.append(compiled.error(part, Unfit(problem), ItemErrorType.REFERENCE))
    return errors


def _named(key: str) -> str:
    # An address or a sentence in a key field may be personal; codes and external ids are not.
    return (
        key
        if len(key) <= 100 and "@" not in key and " " not in key
        else "as in the source record"
    )
