"""Compiles rules, once for each configuration, to functions from a source row to target values or field errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from services.connector.rules.compiled import CompiledField, CompiledRule
from services.connector.rules.conversion import (
    CODES,
    Convert,
    DefaultType,
    EmptySource,
    Reference,
    Unchanged,
    Unfit,
    by_key,
    computed,
    constant,
    converter,
    never,
    unchanged,
)
from services.connector.rules.lookups import (
    Lookups,
    LookupSet,
    MissingLookup,
    translation,
)
from services.connector.rules.object_metadata import (
    DOCUMENTS,
    FieldMetadata,
    FieldType,
    ObjectMetadata,
)
from services.connector.rules.query_plan import QueryPlan
from services.connector.rules.rows import Read, nothing, reader
from services.connector.rules.rule import FieldRule, IntegrationRule, RuleError

_KEY_PREFERENCE = ("link__sys", "global_id__sys")
_KEYS_OF_RECORDS = ("global_id__sys",)
# No field of documents is unique; how many have one value is counted when they are saved.
_KEYS_OF_DOCUMENTS = ("link__sys", "external_id__v")
_NAME_FIELD = "name__v"

# Rules name an object type, as configuration that moves between Vaults must; its id differs in each.
SENT_AS = {"object_type__v": "object_type__v.api_name__v"}

Objects = Mapping[str, ObjectMetadata]


@dataclass(frozen=True, slots=True)
class _Compilation:
    """Compiles one field rule to a function; its faults name the rule and the field rule."""

    rule: IntegrationRule
    part: FieldRule
    target: FieldMetadata
    lookup: LookupSet | None

    def reference(self) -> Reference | None:
        """Return the reference if the value is the key of another record; None for a value that is stored unchanged."""
        field = self.part.target_field_lookup
        referenced = self.part.referenced_object or self.target.object
        lookup = self.lookup
        by_lookup = lookup is not None and lookup.type.leads_to_records
        # A field rule's own target_field_lookup goes before what the lookup set says.
        if field is None and lookup is not None and by_lookup:
            # The target keys of such a set are record ids unless it names a key field.
            field = lookup.target_key_field or "id"
            referenced = lookup.target_object or referenced
        # An id in a field that refers to nothing is a text like another.
        if field is None or (field == "id" and referenced is None):
            return None
        return self._to(referenced, field, "target_field_lookup")

    def fit(self) -> Convert:
        """Return the function that converts a value for the target field."""
        reference = self.reference()
        return by_key(reference) if reference else self._stored()

    def default(self) -> Read:
        """Return the function from a row without a source value to its default value."""
        text = self.part.field_default
        if text is None:
            return constant(None)
        kind = self.part.field_default_type
        match kind:
            case DefaultType.CODE:
                return self._computed(text)
            case DefaultType.REFERENCE:
                return self._constant(text, self._fit_reference())
            case DefaultType.TEXT:
                return self._constant(text, self.fit())
            case _:
                assert_never(kind)

    def unchanged(self, *, empty: bool) -> Unchanged:
        """Return the function that says whether the target field takes the values of a column as they are."""
        if self.lookup is not None or self.reference() is not None:
            return never
        return unchanged(self._stored_field(), empty=empty)

    def _stored(self) -> Convert:
        return converter(self._stored_field(), length=self.part.length_check)

    def _stored_field(self) -> FieldMetadata:
        # The limit of a field that is sent as a name is that of the id stored in it.
        if self.target.name in SENT_AS:
            return replace(self.target, max_length=None)
        return self.target

    def _fit_reference(self) -> Convert:
        field = self.part.target_field_lookup or _NAME_FIELD
        referenced = self.part.referenced_object or self.target.object
        return by_key(self._to(referenced, field, "field_default_type"))

    def _computed(self, code: str) -> Read:
        if code not in CODES:
            allowed = ", ".join(CODES)
            raise self._fault(f"field_default of type code must be one of {allowed}")
        return computed(code, self.fit())

    def _constant(
        self,
        text: str,
        fit: Convert,
    ) -> Read:
        try:
            return constant(fit(text))
        except Unfit as problem:
            raise self._fault(f"field_default does not fit: {problem}") from None

    def _to(
        self,
        referenced: str | None,
        field: str,
        attribute: str,
    ) -> Reference:
        if referenced is None:
            name = self.target.name
            text = f"{attribute} needs a target field that refers to an object, and {name} refers to none"
            raise self._fault(text)
        return Reference(referenced, field)

    def _fault(self, text: str) -> RuleError:
        return RuleError(self.rule.name, self.part.name, text)


def compile_rule(
    rule: IntegrationRule,
    plan: QueryPlan,
    targets: Objects,
    lookups: Lookups,
) -> CompiledRule:
    """Compile a rule against the metadata of its target objects and the connection's lookup sets.

    :raises RuleError: a target object or field does not exist, or a default does not fit its field.
    """
    fields = [
        _field(
            rule,
            part,
            plan,
            targets,
            lookups,
        )
        for part in rule.field_rules
    ]
    return CompiledRule(
        name=rule.name,
        plan=plan,
        target_objects=rule.target_objects,
        keys=_keys(rule, targets),
        found_by=_found_by(rule, targets),
        fields=tuple(fields),
        references=tuple(part for part in fields if part.by_key),
    )


def _field(
    rule: IntegrationRule,
    part: FieldRule,
    plan: QueryPlan,
    targets: Objects,
    lookups: Lookups,
) -> CompiledField:
    target = _target_field(rule, part, targets)
    lookup = _lookup_set(part, lookups)
    work = _Compilation(rule, part, target, lookup)
    fit = work.fit()
    if lookup is not None:
        fit = translation(lookup, fit, part.missing_lookup)
    selection = plan.selections.get(part.name)
    owner = plan.related.get(part.name)
    refers = work.reference() is not None
    default = work.default()
    # A row without a value has to be looked at only where something takes the value's place.
    plain = owner is None and default is nothing
    return CompiledField(
        rule=part.name,
        target_object=part.target_object,
        target_field=part.target_field,
        sent_as=SENT_AS.get(part.target_field, part.target_field),
        selection=selection,
        # A function may return another type than its field has, so its value is not checked against the declared type.
        declared=None if part.query_field_select else part.query_field_type,
        source=reader(selection) if selection else nothing,
        fit=fit,
        default=default,
        lookup=lookup,
        by_key=refers or part.field_default_type is DefaultType.REFERENCE,
        unchanged=work.unchanged(empty=plain),
        owner=reader(owner) if owner else nothing,
        clears=_clears(part, target),
        warns=part.missing_lookup is MissingLookup.WARNING,
    )


def _clears(part: FieldRule, target: FieldMetadata) -> bool:
    """Return whether a source without a value empties the target field."""
    # A record always has a type, and some fields are filled by the Vault alone.
    if part.query_field is None or target.name in SENT_AS or not target.editable:
        return False
    match part.empty_source:
        case EmptySource.CLEAR:
            return True
        case EmptySource.KEEP:
            return False
        case _:
            assert_never(part.empty_source)


def _target_field(
    rule: IntegrationRule,
    part: FieldRule,
    targets: Objects,
) -> FieldMetadata:
    target = targets.get(part.target_object)
    if target is None:
        text = f"the target Vault has no object {part.target_object}"
        raise RuleError(rule.name, part.name, text)
    field = target.fields.get(part.target_field)
    if field is None:
        text = f"{part.target_object} has no field {part.target_field}; correct the field rule's target"
        raise RuleError(rule.name, part.name, text)
    return field


def _lookup_set(
    part: FieldRule,
    lookups: Lookups,
) -> LookupSet | None:
    name = part.reference_lookup
    if name is None:
        return None
    kind = part.reference_lookup_type
    # A set that does not exist is an empty one: each of its keys is missing, as the rule says what to do about.
    return lookups.get((kind, name)) or LookupSet(name, kind, {})


def _keys(
    rule: IntegrationRule,
    targets: Objects,
) -> dict[str, str]:
    """Return target object → upsert key field, for the objects of which the rule fills a key."""
    candidates: dict[str, list[str]] = {}
    for part in rule.field_rules:
        if not part.identifies:
            continue
        name = part.target_object
        field = targets[name].fields[part.target_field]
        others = _KEYS_OF_DOCUMENTS if name == DOCUMENTS else _KEYS_OF_RECORDS
        if field.unique or field.name in others:
            candidates.setdefault(name, []).append(field.name)
    return {name: _preferred(fields) for name, fields in candidates.items()}


def _found_by(rule: IntegrationRule, targets: Objects) -> dict[str, str]:
    """Return target object → the first text field that identifies the source record and need not be unique."""
    found: dict[str, str] = {}
    for part in rule.field_rules:
        field = targets[part.target_object].fields[part.target_field]
        searched = field.type is FieldType.STRING and field.editable
        if part.identifies and searched and part.target_object != DOCUMENTS:
            found.setdefault(part.target_object, field.name)
    return found


def _preferred(fields: list[str]) -> str:
    # A Link is unique and may be written; a Global ID is set by the Vault itself.
    for name in _KEY_PREFERENCE:
        if name in fields:
            return name
    return fields[0]
