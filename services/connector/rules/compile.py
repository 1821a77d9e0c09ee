"""Rules compiled once a configuration to plain functions: source row in, target values or field errors out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from services.connector.rules.errors import FieldError, ItemErrorType
from services.connector.rules.lookups import OBJECT, TYPES, Lookups, LookupSet
from services.connector.rules.metadata import FieldMetadata, ObjectMetadata
from services.connector.rules.model import FieldRule, IntegrationRule, RuleError
from services.connector.rules.plan import QueryPlan, Selection
from services.connector.rules.values import Convert, Unfit, converter, is_empty

Row = Mapping[str, object]
Values = dict[str, object]
Targets = dict[str, Values]
"""Target object → field → value; a field without a value is absent, never null."""

_Evaluate = Callable[[Row], object]

KEY_SOURCES = frozenset({"id", "global_id__sys", "link__sys"})
_KEY_PREFERENCE = ("link__sys", "global_id__sys")

# Rules name an object type, as configuration that moves between Vaults must; its id differs in each.
SENT_AS = {"object_type__v": "object_type__v.api_name__v"}


class PendingReference(NamedTuple):
    """A reference known by a unique key of the record meant; its id is looked up later, for all rows at once."""

    object: str
    field: str
    key: str


class UnknownKey(Unfit):
    """A source key that the lookup set has no row for."""


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """A target field whose value may be a PendingReference."""

    target_object: str
    target_field: str
    field_rule: str


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule ready to run.

    ``keys`` names each target object's upsert key field, where the rule has one. ``references`` are the
    fields to settle after evaluation.
    """

    name: str
    plan: QueryPlan
    target_objects: tuple[str, ...]
    keys: Mapping[str, str]
    references: tuple[ReferenceField, ...]
    fields: tuple[tuple[str, tuple[tuple[str, str, _Evaluate], ...]], ...]

    def evaluate(self, row: Row) -> tuple[Targets, list[FieldError]]:
        """The target values of one source row, and the errors of the fields that could not be given one."""
        targets: Targets = {}
        errors: list[FieldError] = []
        for target_object, fields in self.fields:
            values: Values = {}
            for field_rule, target_field, evaluate in fields:
                try:
                    value = evaluate(row)
                except Unfit as problem:
                    errors.append(self._error(field_rule, target_object, target_field, problem))
                else:
                    if value is not None:
                        values[target_field] = value
            targets[target_object] = values
        return targets, errors

    def _error(self, field_rule: str, target_object: str, target_field: str, problem: Unfit) -> FieldError:
        kind = ItemErrorType.LOOKUP if isinstance(problem, UnknownKey) else ItemErrorType.FIELD_VALUE
        where = f"Integration rule {self.name}, field rule {field_rule}, target field {target_object}.{target_field}"
        return FieldError(self.name, field_rule, target_field, kind, f"{where}: {problem}")


def compile_rule(
    rule: IntegrationRule, plan: QueryPlan, targets: Mapping[str, ObjectMetadata], lookups: Lookups
) -> CompiledRule:
    """Compile a rule against the metadata of its target objects and the connection's lookup sets.

    Raises RuleError when a target object or field does not exist, or a default does not fit its field.
    """
    fields: dict[str, list[tuple[str, str, _Evaluate]]] = {}
    references: list[ReferenceField] = []
    for field_rule in rule.field_rules:
        target = _target_field(rule, field_rule, targets)
        lookup = _lookup_set(rule, field_rule, lookups)
        fit, pending = _fit(rule, field_rule, target, lookup)
        if pending:
            references.append(ReferenceField(field_rule.target_object, field_rule.target_field, field_rule.name))
        evaluate = _evaluator(rule, field_rule, plan, fit, lookup)
        sent_as = SENT_AS.get(field_rule.target_field, field_rule.target_field)
        fields.setdefault(field_rule.target_object, []).append((field_rule.name, sent_as, evaluate))
    return CompiledRule(
        name=rule.name,
        plan=plan,
        target_objects=rule.target_objects,
        keys=_keys(rule, targets),
        references=tuple(references),
        fields=tuple((name, tuple(entries)) for name, entries in fields.items()),
    )


def _target_field(rule: IntegrationRule, field_rule: FieldRule, targets: Mapping[str, ObjectMetadata]) -> FieldMetadata:
    target = targets.get(field_rule.target_object)
    if target is None:
        raise RuleError(rule.name, field_rule.name, f"the target Vault has no object {field_rule.target_object}")
    field = target.fields.get(field_rule.target_field)
    if field is None:
        raise RuleError(
            rule.name,
            field_rule.name,
            f"{field_rule.target_object} has no field {field_rule.target_field}; correct target_object_field",
        )
    return field


def _lookup_set(rule: IntegrationRule, field_rule: FieldRule, lookups: Lookups) -> LookupSet | None:
    if field_rule.reference_lookup is None:
        return None
    kind = field_rule.reference_lookup_type or ""
    if kind not in TYPES:
        raise RuleError(rule.name, field_rule.name, f"reference_lookup_type must be one of {', '.join(TYPES)}")
    return lookups.get((kind, field_rule.reference_lookup)) or LookupSet(field_rule.reference_lookup, kind, {})


def _fit(
    rule: IntegrationRule, field_rule: FieldRule, target: FieldMetadata, lookup: LookupSet | None
) -> tuple[Convert, bool]:
    """How a value is made fit for the target field, and whether it ends as a PendingReference."""
    field, referenced = field_rule.target_field_lookup, field_rule.referenced_object or target.object
    if field is None and lookup is not None and lookup.type == OBJECT and lookup.target_key_field not in (None, "id"):
        field, referenced = lookup.target_key_field, lookup.target_object or referenced
    if field is None:
        # The limit of a field that is sent as a name is that of the id stored in it.
        limited = replace(target, max_length=None) if target.name in SENT_AS else target
        return converter(limited), False
    if referenced is None:
        raise RuleError(
            rule.name,
            field_rule.name,
            f"target_field_lookup needs a target field that refers to an object, and {target.name} refers to none",
        )
    return _reference(referenced, field), True


def _reference(referenced: str, field: str) -> Convert:
    def convert(value: object) -> object:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unfit("the value cannot be the key of a record; map a source field that holds one key")
        return PendingReference(referenced, field, str(value))

    return convert


def _evaluator(
    rule: IntegrationRule, field_rule: FieldRule, plan: QueryPlan, fit: Convert, lookup: LookupSet | None
) -> _Evaluate:
    default: object = None
    if field_rule.field_default is not None:
        try:
            default = fit(field_rule.field_default)
        except Unfit as problem:
            raise RuleError(rule.name, field_rule.name, f"field_default does not fit: {problem}") from None
    if field_rule.query_field is None:
        return lambda _row: default
    selection = plan.selections[field_rule.query_object or rule.primary_query_object, field_rule.query_field]
    mapped = fit if lookup is None else _looked_up(lookup, fit, default)
    return _from_child(selection, mapped, default) if selection.child else _from_row(selection.key, mapped, default)


def _from_row(key: str, fit: Convert, default: object) -> _Evaluate:
    def evaluate(row: Row) -> object:
        value = row.get(key)
        if value is None or value in ("", []):
            return default
        return fit(value)

    return evaluate


def _from_child(selection: Selection, fit: Convert, default: object) -> _Evaluate:
    child, key = selection.child or "", selection.key

    def evaluate(row: Row) -> object:
        answer = row.get(child)
        rows = answer.get("data") if isinstance(answer, Mapping) else answer
        # A record without related records gives no value, as an outer join would.
        first = rows[0] if isinstance(rows, list) and rows else None
        value = first.get(key) if isinstance(first, Mapping) else None
        return default if is_empty(value) else fit(value)

    return evaluate


def _looked_up(lookup: LookupSet, fit: Convert, default: object) -> Convert:
    entries = lookup.entries
    # Fitting a target key again for every row would cost more than the lookup, so that is done once a key.
    fitted: dict[str, object] = {}

    def one(value: object) -> object:
        key = value if isinstance(value, str) else _key(value)
        found = fitted.get(key)
        if found is None:
            target = entries.get(key)
            if target is None:
                return None
            found = fitted[key] = fit(target)
        return found

    def convert(value: object) -> object:
        if isinstance(value, list) and len(value) > 1:
            targets = [entries.get(_key(element)) for element in value]
            missing = [_key(element) for element, target in zip(value, targets, strict=True) if target is None]
            if not missing:
                return fit(targets)
        else:
            single = value[0] if isinstance(value, list) else value
            found = one(single)
            if found is not None:
                return found
            missing = [_key(single)]
        if default is not None:
            return default
        # Keys of picklists and objects are codes; a generic lookup may read any text, so its key is not named.
        named = f" {', '.join(missing)}" if isinstance(value, list) or lookup.type == OBJECT else " this record holds"
        raise UnknownKey(
            f"reference lookup {lookup.name} ({lookup.type}) has no active row for the source key{named}; "
            "add one to the connection's Reference Lookups"
        )

    return convert


def _key(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _keys(rule: IntegrationRule, targets: Mapping[str, ObjectMetadata]) -> dict[str, str]:
    candidates: dict[str, list[str]] = {}
    for field_rule in rule.field_rules:
        if field_rule.query_field not in KEY_SOURCES or field_rule.reference_lookup or field_rule.target_field_lookup:
            continue
        field = targets[field_rule.target_object].fields[field_rule.target_field]
        if field.unique or field.name == "global_id__sys":
            candidates.setdefault(field_rule.target_object, []).append(field.name)
    return {
        name: next((preferred for preferred in _KEY_PREFERENCE if preferred in fields), fields[0])
        for name, fields in candidates.items()
    }
