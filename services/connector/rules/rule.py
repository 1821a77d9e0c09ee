"""Integration rules as the configuration endpoint returns them, typed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from services.connector.rules.conversion import DefaultType
from services.connector.rules.lookups import DEPRECATED, TYPES, MissingLookup
from services.connector.rules.object_metadata import DOCUMENTS
from services.connector.rules.rows import QUERY_FIELD_TYPES

Json = Mapping[str, object]
_RELATIONSHIP = re.compile(r"__(?:vr|cr|sysr)\b")
_Choice = TypeVar("_Choice", bound=StrEnum)


class RuleError(Exception):
    """A rule that cannot be carried out by anyone: the configuration has to change first.

    ``rule`` and ``field_rule`` are component names; the text says what to do.
    """

    def __init__(self, rule: str, field_rule: str | None, message: str) -> None:
        where = f"Integration rule {rule}" + (
            f", field rule {field_rule}" if field_rule else ""
        )
        super().__init__(f"{where}: {message}")
        self.rule = rule
        self.field_rule = field_rule


class LengthCheck(StrEnum):
    """What becomes of a text that is longer than its target field takes."""

    ERROR = "error"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Where one target field's value comes from; names carry no ``Object.``/``Field.`` prefix.

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
    reference_lookup_type: str | None = None
    reference_lookup: str | None = None
    missing_lookup: MissingLookup = MissingLookup.ERROR
    field_default: str | None = None
    field_default_type: DefaultType = DefaultType.TEXT
    truncate: bool = False


@dataclass(frozen=True, slots=True)
class QueryObjectRule:
    """A VQL condition on the records of one query object."""

    name: str
    query_object: str
    filter_clause: str


@dataclass(frozen=True, slots=True)
class IntegrationRule:
    """One active rule with its active parts, as it reads records of one object.

    ``integration_point`` and ``connection`` are API names. A component without a primary query object is a rule
    for each query object that its field rules name.
    """

    name: str
    connection: str
    integration_point: str | None
    primary_query_object: str
    field_rules: tuple[FieldRule, ...]
    query_object_rules: tuple[QueryObjectRule, ...] = ()
    copy_of: str | None = None

    @property
    def role(self) -> str:
        """The name of the rule whose part it plays, where it is a copy's; its own else."""
        return self.copy_of or self.name

    @property
    def target_objects(self) -> tuple[str, ...]:
        """The objects that the field rules write, each once, in order of first mention."""
        return tuple(dict.fromkeys(rule.target_object for rule in self.field_rules))


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """An active rule that cannot be read; only the messages of its integration point suffer from it."""

    integration_point: str | None
    error: RuleError


def read_rules(
    components: Iterable[Json],
) -> tuple[tuple[IntegrationRule, ...], tuple[BrokenRule, ...]]:
    """Type the rows of ``GET /configuration/Integrationrule``; inactive rules and parts are left out."""
    rules: list[IntegrationRule] = []
    broken: list[BrokenRule] = []
    for component in components:
        if not _active(component):
            continue
        try:
            rules += read_rule(component)
        except RuleError as error:
            broken.append(BrokenRule(_text(component, "integration_point"), error))
    return tuple(rules), tuple(broken)


def read_rule(component: Json) -> tuple[IntegrationRule, ...]:
    """Type one component: one rule, or where it has no primary query object, one for each query object.

    Raises RuleError for a rule without a connection or query object, or with a field rule that cannot be carried out.
    """
    name = _text(component, "name") or "(unnamed)"
    connection = _text(component, "connection")
    if connection is None:
        raise RuleError(
            name, None, "it names no connection; set the attribute connection"
        )
    rule = IntegrationRule(
        name=name,
        connection=connection,
        integration_point=_text(component, "integration_point"),
        primary_query_object=_text(component, "primary_query_object") or "",
        field_rules=tuple(
            _field_rule(name, entry)
            for entry in _children(component, "Fieldrule")
            if _active(entry)
        ),
        query_object_rules=tuple(
            _query_rule(name, entry)
            for entry in _children(component, "Queryobjectrule")
            if _active(entry)
        ),
        copy_of=_text(component, "copy_of"),
    )
    return (rule,) if rule.primary_query_object else _by_query_object(rule)


def _by_query_object(rule: IntegrationRule) -> tuple[IntegrationRule, ...]:
    """A rule without a primary query object: it reads every object that it names, and no relationships."""
    named = tuple(
        dict.fromkeys(
            part.query_object for part in rule.field_rules if part.query_object
        )
    )
    if not named:
        raise RuleError(
            rule.name,
            None,
            "set primary_query_object: its field rules name no query object",
        )
    for part in rule.field_rules:
        if _RELATIONSHIP.search(
            f"{part.query_object} {part.query_field} {part.query_field_select}"
        ):
            raise RuleError(
                rule.name,
                part.name,
                "set primary_query_object: without it no relationship can be read",
            )
    return tuple(
        replace(
            rule,
            primary_query_object=name,
            field_rules=tuple(
                part for part in rule.field_rules if part.query_object in (name, None)
            ),
            query_object_rules=tuple(
                part for part in rule.query_object_rules if part.query_object == name
            ),
        )
        for name in named
    )


def _field_rule(rule: str, entry: Json) -> FieldRule:
    name = _text(entry, "name") or "(unnamed)"
    target_object, target_field = (
        _text(entry, "target_object"),
        _text(entry, "target_object_field"),
    )
    docfield = _text(entry, "target_docfield")
    if docfield is not None:
        target_object, target_field = DOCUMENTS, docfield
    if target_object is None or target_field is None:
        raise RuleError(
            rule, name, "set target_object and target_object_field, or target_docfield"
        )
    return FieldRule(
        name=name,
        target_object=target_object,
        target_field=target_field,
        query_object=_text(entry, "query_object"),
        query_field=_text(entry, "query_field"),
        query_field_select=_text(entry, "query_field_select"),
        query_field_type=_query_field_type(rule, name, entry),
        referenced_object=_text(entry, "target_obj_field_ref_obj"),
        target_field_lookup=_text(entry, "target_field_lookup"),
        reference_lookup_type=_lookup_type(rule, name, entry),
        reference_lookup=_text(entry, "reference_lookup"),
        missing_lookup=_choice(
            rule, name, entry, "missing_lookup", MissingLookup.ERROR
        ),
        field_default=_text(entry, "field_default"),
        field_default_type=_choice(
            rule, name, entry, "field_default_type", DefaultType.TEXT
        ),
        truncate=_choice(rule, name, entry, "evaluate_field_length", LengthCheck.ERROR)
        is LengthCheck.TRUNCATE,
    )


def _query_field_type(rule: str, name: str, entry: Json) -> str | None:
    declared = _text(entry, "query_field_type")
    if declared is not None and declared not in QUERY_FIELD_TYPES:
        raise RuleError(rule, name, f"there is no query_field_type {declared}")
    return declared


def _lookup_type(rule: str, name: str, entry: Json) -> str | None:
    kind = _text(entry, "reference_lookup_type")
    if kind is None:
        return None
    kind = kind.removesuffix("__sys")
    kind = DEPRECATED.get(kind, kind)
    if kind not in TYPES:
        raise RuleError(
            rule, name, f"reference_lookup_type must be one of {', '.join(TYPES)}"
        )
    return kind


def _choice(
    rule: str, name: str, entry: Json, attribute: str, unless_said: _Choice
) -> _Choice:
    said = _text(entry, attribute)
    kind = type(unless_said)
    try:
        return kind(said) if said else unless_said
    except ValueError:
        raise RuleError(
            rule, name, f"{attribute} must be one of {', '.join(kind)}"
        ) from None


def _query_rule(rule: str, entry: Json) -> QueryObjectRule:
    name = _text(entry, "name") or "(unnamed)"
    query_object = _text(entry, "query_object")
    if query_object is None:
        raise RuleError(rule, name, "set query_object")
    return QueryObjectRule(
        name, query_object, (_text(entry, "filter_clause") or "").strip()
    )


def _children(component: Json, subtype: str) -> list[Json]:
    children = component.get(subtype)
    return (
        [child for child in children if isinstance(child, Mapping)]
        if isinstance(children, list)
        else []
    )


def _active(component: Json) -> bool:
    value = component.get("active", True)
    return value not in (False, "false", [False])


def _text(entry: Json, name: str) -> str | None:
    value = entry.get(name)
    if isinstance(value, list):
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
