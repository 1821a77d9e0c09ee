"""Reads integration rules, as the configuration endpoint returns them, into typed rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from services.connector.rules.conversion import DefaultType, EmptySource, LengthCheck
from services.connector.rules.lookups import (
    LOOKUP_TYPES,
    LookupType,
    MissingLookup,
    read_lookup_type,
)
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import QUERY_FIELD_TYPES

KEY_SOURCES = frozenset({"id", "global_id__sys", "link__sys"})
"""Source fields that identify a record; a target field that is filled from one of them can identify its record."""
Json = Mapping[str, object]
_RELATIONSHIP = re.compile(r"__(?:vr|cr|sysr)\b")
_UNNAMED = "(unnamed)"
_Choice = TypeVar("_Choice", bound=StrEnum)


class RuleError(Exception):
    """Raised for a rule that cannot be carried out until the configuration changes; the text says what to change.

    ``rule`` and ``field_rule`` are component names.
    """

    def __init__(
        self,
        rule: str,
        field_rule: str | None,
        message: str,
    ) -> None:
        part = f", field rule {field_rule}" if field_rule else ""
        super().__init__(f"Integration rule {rule}{part}: {message}")
        self.rule = rule
        self.field_rule = field_rule


@dataclass(frozen=True, slots=True)
class FieldRule:
    """The source of one target field's value; names have no ``Object.``/``Field.`` prefix.

    A rule for a document field has ``documents`` as its target object.
    """

    name: str
    target_object: str
    target_field: str
    query_object: str | None = None
    query_field: str | None = None
    query_field_select: str | None = None
    query_field_type: str | None = None
    referenced_object: str | None = None
    target_field_lookup: str | None = None
    reference_lookup_type: LookupType = LookupType.UNTYPED
    reference_lookup: str | None = None
    missing_lookup: MissingLookup = MissingLookup.ERROR
    field_default: str | None = None
    field_default_type: DefaultType = DefaultType.TEXT
    length_check: LengthCheck = LengthCheck.ERROR
    empty_source: EmptySource = EmptySource.CLEAR

    @property
    def identifies(self) -> bool:
        """Return whether the value is the source record's own key, unchanged."""
        # A key that is translated on its way is no longer the source record's own.
        translated = self.reference_lookup or self.target_field_lookup
        return not translated and self.query_field in KEY_SOURCES


@dataclass(frozen=True, slots=True)
class QueryObjectRule:
    """A VQL condition on the records of one query object."""

    name: str
    query_object: str
    filter_clause: str


@dataclass(frozen=True, slots=True)
class IntegrationRule:
    """One active rule with its active parts, for records of one query object.

    ``integration_point`` and ``connection`` are API names. A component without a primary query object becomes
    a rule for each query object of its field rules, except those that only add to the records of the first one.
    """

    name: str
    connection: str
    integration_point: str | None
    primary_query_object: str
    field_rules: tuple[FieldRule, ...]
    query_object_rules: tuple[QueryObjectRule, ...] = ()
    copy_of: str | None = None
    role: str = field(init=False)
    """The rule's own name or, on the copy of a connection, the name of the original rule."""
    target_objects: tuple[str, ...] = field(init=False)
    """The objects that the field rules write, each once, in order of first mention."""

    def __post_init__(self) -> None:
        # Once, and not for every unit that asks.
        names = (part.target_object for part in self.field_rules)
        object.__setattr__(self, "role", self.copy_of or self.name)
        object.__setattr__(self, "target_objects", tuple(dict.fromkeys(names)))


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """An active rule that cannot be read; only messages of its integration point fail because of it."""

    integration_point: str | None
    error: RuleError


def read_rules(
    components: Iterable[Json],
) -> tuple[tuple[IntegrationRule, ...], tuple[BrokenRule, ...]]:
    """Read the rows of ``GET /configuration/Integrationrule``; inactive rules and parts are left out."""
    rules: list[IntegrationRule] = []
    broken: list[BrokenRule] = []
    for component in components:
        if not _active(component):
            continue
        try:
            rules += read_rule(component)
        # One rule that cannot be read must not keep the rules of other integration points from running.
        except RuleError as error:
            point = _text(component, "integration_point")
            broken.append(BrokenRule(point, error))
    return tuple(rules), tuple(broken)


def read_rule(component: Json) -> tuple[IntegrationRule, ...]:
    """Read one component: one rule, or where it has no primary query object, one for each query object.

    :raises RuleError: the component has no connection or query object, or a field rule that cannot be carried out.
    """
    name = _text(component, "name") or _UNNAMED
    connection = _text(component, "connection")
    if connection is None:
        text = "it names no connection; set the attribute connection"
        raise RuleError(name, None, text)
    field_rules = _active_children(component, "Fieldrule")
    query_rules = _active_children(component, "Queryobjectrule")
    rule = IntegrationRule(
        name=name,
        connection=connection,
        integration_point=_text(component, "integration_point"),
        primary_query_object=_text(component, "primary_query_object") or "",
        field_rules=tuple(_field_rule(name, entry) for entry in field_rules),
        query_object_rules=tuple(_query_rule(name, entry) for entry in query_rules),
        copy_of=_text(component, "copy_of"),
    )
    if rule.primary_query_object:
        return (rule,)
    return _by_query_object(rule)


def _by_query_object(rule: IntegrationRule) -> tuple[IntegrationRule, ...]:
    """Return a rule for each query object of a rule without a primary one.

    The first field rule's query object is the primary one. A query object that only adds to its target records has no
    rule of its own: it is read by the relationships of the primary one, as in the vendor's Spark sample.
    """
    objects = (part.query_object for part in rule.field_rules)
    named = tuple(dict.fromkeys(name for name in objects if name))
    if not named:
        text = "set primary_query_object: its field rules name no query object"
        raise RuleError(rule.name, None, text)
    for part in rule.field_rules:
        paths = f"{part.query_object} {part.query_field} {part.query_field_select}"
        if _RELATIONSHIP.search(paths):
            text = "set primary_query_object: without it no relationship can be read"
            raise RuleError(rule.name, part.name, text)
    added = _added_to_first(rule, named)
    first = _reading_only(rule, named[0], added)
    others = [name for name in named[1:] if name not in added]
    return (first, *(_reading_only(rule, name) for name in others))


def _added_to_first(rule: IntegrationRule, named: Sequence[str]) -> frozenset[str]:
    """Return the query objects that fill only target objects of which the first query object fills the key.

    None of them could be evaluated separately, without a key of its target objects.
    """
    first, *others = named
    reading = {
        name: [part for part in rule.field_rules if part.query_object == name]
        for name in named
    }
    keyed = {part.target_object for part in reading[first] if part.identifies}
    return frozenset(
        name
        for name in others
        if not any(part.identifies for part in reading[name])
        and {part.target_object for part in reading[name]} <= keyed
    )


def _reading_only(
    rule: IntegrationRule,
    object_name: str,
    added: frozenset[str] = frozenset(),
) -> IntegrationRule:
    # A field rule without a query object reads the primary one, whichever that is.
    own = {object_name, *added}
    field_rules = tuple(
        part for part in rule.field_rules if part.query_object in {*own, None}
    )
    query_rules = tuple(
        part for part in rule.query_object_rules if part.query_object in own
    )
    return replace(
        rule,
        primary_query_object=object_name,
        field_rules=field_rules,
        query_object_rules=query_rules,
    )


def _field_rule(
    rule: str,
    entry: Json,
) -> FieldRule:
    name = _text(entry, "name") or _UNNAMED
    target_object = _text(entry, "target_object")
    target_field = _text(entry, "target_object_field")
    document_field = _text(entry, "target_docfield")
    # A field rule has one target; that of a document goes before that of an object.
    if document_field is not None:
        target_object, target_field = DOCUMENTS, document_field
    if target_object is None or target_field is None:
        text = "set target_object and target_object_field, or target_docfield"
        raise RuleError(rule, name, text)
    attributes = _Attributes(rule, name, entry)
    return FieldRule(
        name=name,
        target_object=target_object,
        target_field=target_field,
        query_object=_text(entry, "query_object"),
        query_field=_text(entry, "query_field"),
        query_field_select=_text(entry, "query_field_select"),
        query_field_type=attributes.query_field_type(),
        referenced_object=_text(entry, "target_obj_field_ref_obj"),
        target_field_lookup=_text(entry, "target_field_lookup"),
        reference_lookup_type=attributes.lookup_type(),
        reference_lookup=_text(entry, "reference_lookup"),
        missing_lookup=attributes.choice("missing_lookup", MissingLookup.ERROR),
        field_default=_text(entry, "field_default"),
        field_default_type=attributes.choice("field_default_type", DefaultType.TEXT),
        length_check=attributes.choice("evaluate_field_length", LengthCheck.ERROR),
        empty_source=attributes.choice("empty_source", EmptySource.CLEAR),
    )


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of one field rule whose values are enumerated."""

    rule: str
    part: str
    entry: Json

    def query_field_type(self) -> str | None:
        declared = _text(self.entry, "query_field_type")
        if declared is None or declared in QUERY_FIELD_TYPES:
            return declared
        raise self._fault(f"there is no query_field_type {declared}")

    def lookup_type(self) -> LookupType:
        name = _text(self.entry, "reference_lookup_type")
        if name is None:
            return LookupType.UNTYPED
        kind = read_lookup_type(name)
        if kind is None:
            allowed = ", ".join(LOOKUP_TYPES)
            raise self._fault(f"reference_lookup_type must be one of {allowed}")
        return kind

    def choice(
        self,
        attribute: str,
        default: _Choice,
    ) -> _Choice:
        text = _text(self.entry, attribute)
        if text is None:
            return default
        choices = type(default)
        try:
            return choices(text)
        except ValueError:
            allowed = ", ".join(choices)
            raise self._fault(f"{attribute} must be one of {allowed}") from None

    def _fault(self, text: str) -> RuleError:
        return RuleError(self.rule, self.part, text)


def _query_rule(
    rule: str,
    entry: Json,
) -> QueryObjectRule:
    name = _text(entry, "name") or _UNNAMED
    query_object = _text(entry, "query_object")
    if query_object is None:
        raise RuleError(rule, name, "set query_object")
    clause = _text(entry, "filter_clause") or ""
    return QueryObjectRule(name, query_object, clause.strip())


def _active_children(
    component: Json,
    subtype: str,
) -> list[Json]:
    children = component.get(subtype)
    if not isinstance(children, list):
        return []
    return [
        child for child in children if isinstance(child, Mapping) and _active(child)
    ]


def _active(component: Json) -> bool:
    value = component.get("active", True)
    return value not in (False, "false", [False])


def _text(
    entry: Json,
    name: str,
) -> str | None:
    value = entry.get(name)
    if isinstance(value, list):
        # An attribute may be answered as a list of its one value.
        value = value[0] if len(value) == 1 else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or not value:
        return None
    # A component reference is spelled Type.name, or Type.parent.name; a default or a filter is taken as it stands.
    if name.startswith("target_") and "." in value:
        return value.rpartition(".")[2]
    return value
