"""Finds the target keys and defaults of a rule that are invalid in its target fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from services.connector.rules.compile import SENT_AS
from services.connector.rules.compiled import (
    CompiledField,
    CompiledRule,
    Unique,
    Unusable,
)
from services.connector.rules.conversion import PendingReference, Unfit
from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rule import FieldRule, IntegrationRule
from services.connector.rules.rule_findings import RuleFinding

MAX_FINDINGS = 20
"""Findings about the values of one field rule; the others are only counted."""
MAX_SHOWN = 100
"""Characters of a lookup row's key that a finding shows."""


@dataclass(frozen=True, slots=True)
class PicklistValues:
    """The values of one picklist: whether each is active, by name, and the name of each label."""

    active: Mapping[str, bool]
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TargetValues:
    """The values in the target Vault that rules may map to: picklists by name, and the records of keys.

    ``refused`` has the reason why the records of an object cannot be found by a field.
    """

    picklists: Mapping[str, PicklistValues] = field(default_factory=dict)
    records: Mapping[Unique, Mapping[str, str | Unusable]] = field(default_factory=dict)
    refused: Mapping[Unique, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Mapped:
    """One value that a field rule can give: converted, or the reason why it is invalid.

    A default has no ``source_key``.
    """

    value: object
    source_key: str | None = None
    target_key: str | None = None


def mapped_keys(rules: Iterable[CompiledRule]) -> dict[Unique, dict[str, None]]:
    """Return the distinct record keys that lookups and defaults map to, by object and field."""
    keys: dict[Unique, dict[str, None]] = {}
    for rule in rules:
        for part in rule.fields:
            for mapped in _mapped(part):
                value = mapped.value
                if isinstance(value, PendingReference):
                    unique = (value.object, value.field)
                    keys.setdefault(unique, {})[value.key] = None
    return keys


def value_findings(
    rule: IntegrationRule,
    compiled: CompiledRule,
    targets: Mapping[str, ObjectMetadata],
    values: TargetValues,
) -> Iterator[RuleFinding]:
    """Yield the lookup rows and defaults whose value is invalid in its target field, up to 20 for a field rule."""
    for part, ready in zip(rule.field_rules, compiled.fields, strict=True):
        choices = _choices(targets[part.target_object], part.target_field, values)
        found = list(_of_part(rule.name, part, ready, choices, values))
        yield from found[:MAX_FINDINGS]
        left = len(found) - MAX_FINDINGS
        if left > 0:
            text = f"{left:,} more rows of its reference lookup do not fit the field; correct them, too"
            yield RuleFinding.of_field(rule.name, part, text, prevents=False)


def _of_part(
    rule: str,
    part: FieldRule,
    ready: CompiledField,
    choices: _Choices | None,
    values: TargetValues,
) -> Iterator[RuleFinding]:
    for mapped in _mapped(ready):
        problem = _problem(mapped.value, choices, values)
        if problem is None:
            continue
        # Where nothing is read, the default is the value of every record.
        always = part.query_field is None and not ready.warns
        if mapped.source_key is None:
            text = f"field_default: {problem}"
            yield RuleFinding.of_field(rule, part, text, prevents=always)
            continue
        source, key = (mapped.source_key[:MAX_SHOWN], mapped.target_key)
        shown = (key or "")[:MAX_SHOWN]
        text = f"reference lookup {part.reference_lookup}, source key {source}, target key {shown}: {problem}"
        finding = RuleFinding.of_field(rule, part, text, prevents=False)
        yield replace(finding, source_key=source, target_key=shown)


def _mapped(part: CompiledField) -> Iterator[_Mapped]:
    """Yield the values that the lookup rows of a field rule map to, and its default."""
    entries = part.lookup.entries if part.lookup else {}
    for source, target in entries.items():
        yield _Mapped(_fitted(part, source), source, target)
    # A default that is computed has no value without a record.
    default = part.default({})
    if default is not None:
        yield _Mapped(default)


def _fitted(part: CompiledField, source: str) -> object:
    try:
        return part.fit(source)
    except Unfit as problem:
        return problem


@dataclass(frozen=True, slots=True)
class _Choices:
    """The values that a field allows: those of a picklist or the object types, named by ``source``."""

    source: str
    values: PicklistValues

    def problem(self, name: str) -> str | None:
        """Return why a value is none of the choices, None when it is."""
        active = self.values.active.get(name)
        if active:
            return None
        shown = name[:MAX_SHOWN]
        if active is False:
            return f"the value {shown} of {self.source} is inactive; activate it or name another one"
        of_label = self.values.names.get(name)
        if of_label:
            return f"{shown} is a label of {self.source}; give the name of the value, {of_label}"
        return (
            f"{self.source} has no value {shown}; give the name of a value, or add it"
        )


def _choices(
    owner: ObjectMetadata,
    field_name: str,
    values: TargetValues,
) -> _Choices | None:
    """Return the choices of a field; None for one that allows any value of its type."""
    if field_name in SENT_AS:
        # An object that allows no types has none to choose from.
        types = PicklistValues(owner.types, {})
        return _Choices("the list of object types", types) if owner.types else None
    name = owner.fields[field_name].picklist
    picklist = values.picklists.get(name or "")
    return _Choices(f"picklist {name}", picklist) if picklist else None


def _problem(
    value: object,
    choices: _Choices | None,
    values: TargetValues,
) -> str | None:
    """Return why a value is invalid in its target field; None when it is valid."""
    if isinstance(value, Unfit):
        return str(value)
    if isinstance(value, PendingReference):
        return _no_record(value, values)
    if choices is None:
        return None
    names = value if isinstance(value, list) else [value]
    problems = (choices.problem(str(name)) for name in names)
    return next((problem for problem in problems if problem), None)


def _no_record(reference: PendingReference, values: TargetValues) -> str | None:
    name, key_field, key = reference
    unique = (name, key_field)
    if unique in values.refused:
        reason = values.refused[unique]
        return f"the target Vault cannot find {name} by {key_field}: {reason}; correct object and key field"
    record = values.records.get(unique, {}).get(key)
    shown = f"{name} with {key_field} {key[:MAX_SHOWN]}"
    match record:
        case str():
            return None
        case None:
            return f"no {shown} exists in the target Vault; add it or correct the key"
        case Unusable.INACTIVE:
            return f"the {shown} is inactive in the target Vault; activate it or correct the key"
        case Unusable.AMBIGUOUS:
            return f"several {shown} exist in the target Vault; leave only one of them"
        case _:
            assert_never(record)
