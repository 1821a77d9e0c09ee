"""A compiled rule: one function for each target field, run over source rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.connector.rules.conversion import Convert, Unfit, is_empty
from services.connector.rules.field_errors import FieldError, ItemErrorType
from services.connector.rules.lookups import LookupSet, UnknownKey, UseDefault
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import Read, Row, Selection
from services.connector.rules.source_types import Describe, described_types, mismatch

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
