"""Finds the field rules of a rule that cannot work, and those that would leave a field empty without an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import assert_never

from services.connector.rules.compiled import CompiledRule
from services.connector.rules.conversion import EmptySource
from services.connector.rules.lookups import MissingLookup
from services.connector.rules.object_metadata import DOCUMENTS, ObjectMetadata
from services.connector.rules.order import write_order
from services.connector.rules.point_share import PointShare
from services.connector.rules.rule import FieldRule, IntegrationRule, RuleError

Objects = Mapping[str, ObjectMetadata]

# The Vault gives a record the first of the two without a rule, and the connector sends the type by its name.
_ALWAYS_SET = frozenset({"status__v", "object_type__v"})


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """One fault to correct in a rule, with the names of its place; ``message`` contains them all, and what to do.

    ``prevents_transfer`` is True for what fails each message, or each message of which the field has a value.
    """

    rule: str
    message: str
    prevents_transfer: bool
    field_rule: str | None = None
    target_object: str | None = None
    target_field: str | None = None
    reference_lookup: str | None = None
    source_key: str | None = None
    target_key: str | None = None

    @classmethod
    def of_error(cls, error: RuleError) -> RuleFinding:
        """Return the finding of a rule that cannot be read or compiled."""
        return cls(
            error.rule,
            str(error),
            prevents_transfer=True,
            field_rule=error.field_rule,
        )

    @classmethod
    def of_field(
        cls,
        rule: str,
        part: FieldRule,
        problem: str,
        *,
        prevents: bool,
    ) -> RuleFinding:
        """Return the finding about one field rule."""
        target = f"{part.target_object}.{part.target_field}"
        text = f"Integration rule {rule}, field rule {part.name}, target field {target}: {problem}"
        return cls(
            rule,
            text,
            prevents,
            part.name,
            part.target_object,
            part.target_field,
            part.reference_lookup,
        )

    @classmethod
    def of_target(
        cls,
        rule: str,
        object_name: str,
        field: str | None,
        problem: str,
        *,
        prevents: bool,
    ) -> RuleFinding:
        """Return the finding about a target object or field that no field rule fills."""
        target = f"{object_name}.{field}" if field else object_name
        text = f"Integration rule {rule}, target {target}: {problem}"
        return cls(
            rule,
            text,
            prevents,
            target_object=object_name,
            target_field=field,
        )

    def to_json(self) -> dict[str, object]:
        """Return the finding as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """One component: its name, and for each of its query objects the rule and the compiled rule."""

    name: str
    parts: tuple[tuple[IntegrationRule, CompiledRule], ...]

    def unread(self, share: PointShare) -> frozenset[str]:
        """Return the query objects without a key for a target object, in a component where another one has its keys."""
        lacking = frozenset(
            rule.primary_query_object
            for rule, compiled in self.parts
            if share.without_key(rule, compiled)
        )
        if len(lacking) < len(self.parts):
            return lacking
        return frozenset()


def rule_findings(
    checked: CheckedRule,
    share: PointShare,
    targets: Objects,
    others: Sequence[IntegrationRule],
) -> Iterator[RuleFinding]:
    """Yield the faults of a rule; ``others`` are all rules of its connection.

    :raises RuleError: the target objects refer to each other in a circle.
    """
    if not all(share.evaluates(rule) for rule, _ in checked.parts):
        text = (
            f"Integration rule {checked.name}: its integration point does not use this rule; move it to another "
            "integration point, or deactivate it"
        )
        yield RuleFinding(checked.name, text, prevents_transfer=False)
        return
    if not share.only_shows:
        yield from _without_key(checked, share)
        yield from _unwritable(checked, share, targets, others)
    for rule, compiled in checked.parts:
        yield from _rules_of_one_field(rule)
        yield from _without_rows(rule, compiled)


def _unwritable(
    checked: CheckedRule,
    share: PointShare,
    targets: Objects,
    others: Sequence[IntegrationRule],
) -> Iterator[RuleFinding]:
    """Yield the faults that keep the rows of a rule, or some of their fields, from being written."""
    unread = checked.unread(share)
    for rule, compiled in checked.parts:
        yield from _unwritten(rule, share)
        yield from _set_by_vault(rule, compiled, share, targets)
        # Nothing can be required of rows that are not written.
        if rule.primary_query_object not in unread:
            yield from _required(rule, compiled, share, targets, others)


def _without_key(checked: CheckedRule, share: PointShare) -> Iterator[RuleFinding]:
    """Yield the objects without a key, and the field rules that are evaluated only for those."""
    unread = checked.unread(share)
    read = [
        rule.primary_query_object
        for rule, _ in checked.parts
        if rule.primary_query_object not in unread
    ]
    for rule, compiled in checked.parts:
        own = rule.primary_query_object
        for name in share.without_key(rule, compiled):
            if own in unread:
                yield from _unread(rule, name, read)
                continue
            text = (
                f"no field rule gives {name} a key for {own}; map the source id, global_id__sys or link__sys onto a "
                "unique field"
            )
            yield RuleFinding.of_target(rule.name, name, None, text, prevents=True)


def _unread(
    rule: IntegrationRule,
    object_name: str,
    read: Sequence[str],
) -> Iterator[RuleFinding]:
    """Yield the field rules of a query object without a key, in a component that has other query objects with one."""
    own = rule.primary_query_object
    for part in rule.field_rules:
        if part.target_object != object_name or part.query_object is None:
            continue
        text = (
            f"it is never evaluated for {', '.join(read)}, only for messages about {own}, for which no field rule "
            f"gives {object_name} a key; set primary_query_object, so that {own} is read by its relationship, or map "
            f"a key of {own}"
        )
        yield RuleFinding.of_field(rule.name, part, text, prevents=False)


def _unwritten(rule: IntegrationRule, share: PointShare) -> Iterator[RuleFinding]:
    """Yield the field rules of objects that the integration point does not write."""
    written = share.written(rule)
    for part in rule.field_rules:
        if part.target_object not in written:
            text = (
                f"the integration point does not write {part.target_object}; remove the field rule, or give it a rule "
                "at an integration point of your own"
            )
            yield RuleFinding.of_field(rule.name, part, text, prevents=False)


def _required(
    rule: IntegrationRule,
    compiled: CompiledRule,
    share: PointShare,
    targets: Objects,
    others: Sequence[IntegrationRule],
) -> Iterator[RuleFinding]:
    """Yield the required fields of new records that no field rule fills."""
    linked = _linked(rule, share, targets)
    for name in share.written(rule):
        fields = targets[name].fields
        key = compiled.keys.get(name)
        # A key that the Vault sets finds records and makes none, so nothing is required of them.
        creates = key is None or fields[key].editable
        required = [
            field.name
            for field in fields.values()
            if creates and field.required and field.editable
        ]
        filled = _filled(rule, name) | share.fills | linked.get(name, frozenset())
        for field in (*required, *share.requires):
            if field in filled or field in _ALWAYS_SET:
                continue
            # Another rule may have made the record before, by the same key.
            elsewhere = any(field in _filled(other, name) for other in others)
            text = "the field is required and no field rule fills it; add one"
            prevents = field in share.requires or not elsewhere
            yield RuleFinding.of_target(rule.name, name, field, text, prevents=prevents)


def _filled(rule: IntegrationRule, object_name: str) -> frozenset[str]:
    return frozenset(
        part.target_field
        for part in rule.field_rules
        if part.target_object == object_name
    )


def _linked(
    rule: IntegrationRule,
    share: PointShare,
    targets: Objects,
) -> dict[str, frozenset[str]]:
    """Return by object the fields that are set to the ids of other rows of the same source record."""
    # A point with keys of its own links its records itself.
    if share.keys:
        return {}
    names = share.written(rule)
    ruled = {name: _filled(rule, name) for name in names}
    steps = write_order(rule.name, names, ruled, targets)
    return {step.object: frozenset(link.field for link in step.links) for step in steps}


def _set_by_vault(
    rule: IntegrationRule,
    compiled: CompiledRule,
    share: PointShare,
    targets: Objects,
) -> Iterator[RuleFinding]:
    """Yield the rules for fields that only the Vault sets, unless records are found by them."""
    written = share.written(rule)
    for part in rule.field_rules:
        name = part.target_object
        # What of documents may be set at their creation only is not sent again.
        if name == DOCUMENTS or name not in written:
            continue
        field = targets[name].fields[part.target_field]
        is_key = compiled.keys.get(name) == field.name
        if not field.editable and not is_key and field.name not in _ALWAYS_SET:
            text = (
                "the target Vault sets this field itself and takes no value for it; remove the field rule or map onto "
                "another field"
            )
            yield RuleFinding.of_field(rule.name, part, text, prevents=True)


def _rules_of_one_field(rule: IntegrationRule) -> Iterator[RuleFinding]:
    """Yield field rules of one target field of which some never apply, or whose order is undefined."""
    by_target: dict[tuple[str, str], list[FieldRule]] = {}
    for part in rule.field_rules:
        target = (part.target_object, part.target_field)
        by_target.setdefault(target, []).append(part)
    for parts in by_target.values():
        # Of several with a value the last decides, and one with a default always has a value.
        last = max(
            (place for place, part in enumerate(parts) if part.field_default),
            default=0,
        )
        for part in parts[:last]:
            text = (
                f"its value is always replaced by that of the field rule {parts[last].name}, which comes later and has "
                "a default; remove one of the two, or put the one with the default first"
            )
            yield RuleFinding.of_field(rule.name, part, text, prevents=False)
        for part in parts[last + 1 :]:
            if _names_fallback(part.empty_source):
                continue
            text = (
                f"the field rule {parts[last].name} fills the field, too, and the last one with a value decides; "
                "remove one of the two, or say with empty_source('keep') that the other is the fallback of this one"
            )
            yield RuleFinding.of_field(rule.name, part, text, prevents=False)


def _without_rows(
    rule: IntegrationRule,
    compiled: CompiledRule,
) -> Iterator[RuleFinding]:
    """Yield the field rules whose lookup set has no active row, so that each source key is missing."""
    for part, ready in zip(rule.field_rules, compiled.fields, strict=True):
        lookup = ready.lookup
        if lookup is None or lookup.entries:
            continue
        kind = lookup.type or "no type"
        text = (
            f"reference lookup {lookup.name} ({kind}) has no active row; add rows to the connection's Reference "
            "Lookups, or correct reference_lookup and reference_lookup_type"
        )
        fails = _fails(part.missing_lookup)
        yield RuleFinding.of_field(rule.name, part, text, prevents=fails)


def _names_fallback(empty: EmptySource) -> bool:
    """Return whether a field rule keeps the value of an earlier rule when it has no value itself."""
    match empty:
        case EmptySource.KEEP:
            return True
        case EmptySource.CLEAR:
            return False
        case _:
            assert_never(empty)


def _fails(missing: MissingLookup) -> bool:
    """Return whether records with a source key that has no row are not transferred."""
    match missing:
        case MissingLookup.ERROR:
            return True
        case MissingLookup.DEFAULT | MissingLookup.WARNING:
            return False
        case _:
            assert_never(missing)
