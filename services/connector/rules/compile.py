"""Rules compiled once a configuration to plain functions: source row in, target values or field errors out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from services.connector.rules.compiled import (
    CompiledField,
    CompiledRule,
    PendingReference,
)
from services.connector.rules.conversion import (
    CODES,
    Convert,
    DefaultType,
    Unfit,
    computed,
    constant,
    converter,
)
from services.connector.rules.lookups import OBJECT, Lookups, LookupSet, translation
from services.connector.rules.object_metadata import (
    DOCUMENTS,
    FieldMetadata,
    ObjectMetadata,
)
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import Read, Row, reader
from services.connector.rules.rule import FieldRule, IntegrationRule, RuleError

KEY_SOURCES = frozenset({"id", "global_id__sys", "link__sys"})
_KEY_PREFERENCE = ("link__sys", "global_id__sys")
_KEYS_OF_RECORDS = ("global_id__sys",)
_KEYS_OF_DOCUMENTS = (
    "link__sys",
    "external_id__v",
)  # no field of documents is unique; what is found is counted
_NAME_FIELD = "name__v"

# Rules name an object type, as configuration that moves between Vaults must; its id differs in each.
SENT_AS = {"object_type__v": "object_type__v.api_name__v"}


class _Reference(NamedTuple):
    """The object that a target field refers to, and the field by whose value its records are known."""

    object: str
    field: str


@dataclass(frozen=True, slots=True)
class _Compilation:
    """One field rule on its way to a function; its faults name rule and field rule."""

    rule: IntegrationRule
    part: FieldRule
    target: FieldMetadata
    lookup: LookupSet | None

    def fault(self, text: str) -> RuleError:
        return RuleError(self.rule.name, self.part.name, text)

    def reference(self) -> _Reference | None:
        """What the value refers to by a key; None for a value that is stored as it comes."""
        field, referenced = (
            self.part.target_field_lookup,
            self.part.referenced_object or self.target.object,
        )
        lookup = self.lookup
        if field is None and lookup is not None and lookup.type == OBJECT:
            if lookup.target_key_field in (None, "id"):
                return None
            field, referenced = (
                lookup.target_key_field,
                lookup.target_object or referenced,
            )
        if field is None:
            return None
        return self._to(referenced, field, "target_field_lookup")

    def fit(self) -> Convert:
        """How a value is made fit for the target field."""
        reference = self.reference()
        return _by_key(reference) if reference else self.stored()

    def stored(self) -> Convert:
        # The limit of a field that is sent as a name is that of the id stored in it.
        limited = (
            replace(self.target, max_length=None)
            if self.target.name in SENT_AS
            else self.target
        )
        return converter(limited, truncate=self.part.truncate)

    def default(self) -> Read:
        """The value of a row whose source has none."""
        text, kind = self.part.field_default, self.part.field_default_type
        if text is None:
            return constant(None)
        if kind is DefaultType.CODE:
            if text not in CODES:
                raise self.fault(
                    f"field_default of type code must be one of {', '.join(CODES)}"
                )
            return computed(text, self.fit())
        if kind is DefaultType.REFERENCE:
            field = self.part.target_field_lookup or _NAME_FIELD
            fit = _by_key(
                self._to(
                    self.part.referenced_object or self.target.object,
                    field,
                    "field_default_type",
                )
            )
        else:
            fit = self.fit()
        try:
            return constant(fit(text))
        except Unfit as problem:
            raise self.fault(f"field_default does not fit: {problem}") from None

    def _to(self, referenced: str | None, field: str, attribute: str) -> _Reference:
        if referenced is None:
            name = self.target.name
            raise self.fault(
                f"{attribute} needs a target field that refers to an object, and {name} refers to none"
            )
        return _Reference(referenced, field)


def compile_rule(
    rule: IntegrationRule,
    plan: QueryPlan,
    targets: Mapping[str, ObjectMetadata],
    lookups: Lookups,
) -> CompiledRule:
    """Compile a rule against the metadata of its target objects and the connection's lookup sets.

    Raises RuleError when a target object or field does not exist, or a default does not fit its field.
    """
    fields = [_field(rule, part, plan, targets, lookups) for part in rule.field_rules]
    return CompiledRule(
        name=rule.name,
        plan=plan,
        target_objects=rule.target_objects,
        keys=_keys(rule, targets),
        fields=tuple(fields),
        references=tuple(part for part in fields if part.by_key),
    )


def _field(
    rule: IntegrationRule,
    part: FieldRule,
    plan: QueryPlan,
    targets: Mapping[str, ObjectMetadata],
    lookups: Lookups,
) -> CompiledField:
    work = _Compilation(
        rule, part, _target_field(rule, part, targets), _lookup_set(part, lookups)
    )
    fit = work.fit()
    selection = plan.selections.get(part.name)
    return CompiledField(
        rule=part.name,
        target_object=part.target_object,
        target_field=part.target_field,
        sent_as=SENT_AS.get(part.target_field, part.target_field),
        selection=selection,
        # A function may give another type than its field has, so what it gives is taken as it comes.
        declared=None if part.query_field_select else part.query_field_type,
        source=reader(selection) if selection else _nothing,
        fit=translation(work.lookup, fit, part.missing_lookup) if work.lookup else fit,
        default=work.default(),
        lookup=work.lookup,
        by_key=work.reference() is not None
        or part.field_default_type is DefaultType.REFERENCE,
    )


def _nothing(_row: Row) -> object:
    return None


def _target_field(
    rule: IntegrationRule, field_rule: FieldRule, targets: Mapping[str, ObjectMetadata]
) -> FieldMetadata:
    target = targets.get(field_rule.target_object)
    if target is None:
        raise RuleError(
            rule.name,
            field_rule.name,
            f"the target Vault has no object {field_rule.target_object}",
        )
    field = target.fields.get(field_rule.target_field)
    if field is None:
        raise RuleError(
            rule.name,
            field_rule.name,
            f"{field_rule.target_object} has no field {field_rule.target_field}; correct the field rule's target",
        )
    return field


def _lookup_set(part: FieldRule, lookups: Lookups) -> LookupSet | None:
    if part.reference_lookup is None:
        return None
    kind = part.reference_lookup_type or ""
    return lookups.get((kind, part.reference_lookup)) or LookupSet(
        part.reference_lookup, kind, {}
    )


def _by_key(reference: _Reference) -> Convert:
    def convert(value: object) -> object:
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Unfit(
                "the value cannot be the key of a record; map a source field that holds one key"
            )
        return PendingReference(reference.object, reference.field, str(value))

    return convert


def _keys(
    rule: IntegrationRule, targets: Mapping[str, ObjectMetadata]
) -> dict[str, str]:
    candidates: dict[str, list[str]] = {}
    for field_rule in rule.field_rules:
        if (
            field_rule.query_field not in KEY_SOURCES
            or field_rule.reference_lookup
            or field_rule.target_field_lookup
        ):
            continue
        target = field_rule.target_object
        field = targets[target].fields[field_rule.target_field]
        if field.unique or field.name in (
            _KEYS_OF_DOCUMENTS if target == DOCUMENTS else _KEYS_OF_RECORDS
        ):
            candidates.setdefault(target, []).append(field.name)
    return {
        name: next(
            (preferred for preferred in _KEY_PREFERENCE if preferred in fields),
            fields[0],
        )
        for name, fields in candidates.items()
    }
