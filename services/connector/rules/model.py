"""Integration rules as the configuration endpoint returns them, typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Json = Mapping[str, object]


class RuleError(Exception):
    """A rule that cannot be carried out by anyone: the configuration has to change first.

    ``rule`` and ``field_rule`` are component names; the text says what to do.
    """

    def __init__(self, rule: str, field_rule: str | None, message: str) -> None:
        where = f"Integration rule {rule}" + (f", field rule {field_rule}" if field_rule else "")
        super().__init__(f"{where}: {message}")
        self.rule = rule
        self.field_rule = field_rule


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Where one target field's value comes from; names carry no ``Object.``/``Field.`` prefix."""

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
    field_default: str | None = None


@dataclass(frozen=True, slots=True)
class QueryObjectRule:
    """A VQL condition on the records of one query object."""

    name: str
    query_object: str
    filter_clause: str


@dataclass(frozen=True, slots=True)
class IntegrationRule:
    """One active rule with its active parts; ``integration_point`` and ``connection`` are API names."""

    name: str
    connection: str
    integration_point: str | None
    primary_query_object: str
    field_rules: tuple[FieldRule, ...]
    query_object_rules: tuple[QueryObjectRule, ...] = ()

    @property
    def target_objects(self) -> tuple[str, ...]:
        """The objects that the field rules write, each once, in order of first mention."""
        return tuple(dict.fromkeys(rule.target_object for rule in self.field_rules))


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """An active rule that cannot be read; only the messages of its integration point suffer from it."""

    integration_point: str | None
    error: RuleError


def read_rules(components: Iterable[Json]) -> tuple[tuple[IntegrationRule, ...], tuple[BrokenRule, ...]]:
    """Type the rows of ``GET /configuration/Integrationrule``; inactive rules and parts are left out."""
    rules, broken = [], []
    for component in components:
        if not _active(component):
            continue
        try:
            rules.append(read_rule(component))
        except RuleError as error:
            broken.append(BrokenRule(_text(component, "integration_point"), error))
    return tuple(rules), tuple(broken)


def read_rule(component: Json) -> IntegrationRule:
    """Type one rule.

    Raises RuleError for a rule without a connection or query object, or with a field rule without a target.
    """
    name = _text(component, "name") or "(unnamed)"
    connection = _text(component, "connection")
    if connection is None:
        raise RuleError(name, None, "it names no connection; set the attribute connection")
    fields = tuple(_field_rule(name, entry) for entry in _children(component, "Fieldrule") if _active(entry))
    filters = tuple(_query_rule(name, entry) for entry in _children(component, "Queryobjectrule") if _active(entry))
    primary = _text(component, "primary_query_object")
    if primary is None:
        # Without a primary query object no relationship can be followed, so one object is all there is.
        named = tuple(dict.fromkeys(rule.query_object for rule in fields if rule.query_object))
        if len(named) != 1:
            raise RuleError(
                name, None, "set primary_query_object: its field rules do not name exactly one query object"
            )
        primary = named[0]
    return IntegrationRule(
        name=name,
        connection=connection,
        integration_point=_text(component, "integration_point"),
        primary_query_object=primary,
        field_rules=fields,
        query_object_rules=filters,
    )


def _field_rule(rule: str, entry: Json) -> FieldRule:
    name = _text(entry, "name") or "(unnamed)"
    target_object, target_field = _text(entry, "target_object"), _text(entry, "target_object_field")
    if target_object is None or target_field is None:
        raise RuleError(rule, name, "set target_object and target_object_field; document fields cannot be written")
    lookup_type = _text(entry, "reference_lookup_type")
    return FieldRule(
        name=name,
        target_object=target_object,
        target_field=target_field,
        query_object=_text(entry, "query_object"),
        query_field=_text(entry, "query_field"),
        query_field_select=_text(entry, "query_field_select"),
        query_field_type=_text(entry, "query_field_type"),
        referenced_object=_text(entry, "target_obj_field_ref_obj"),
        target_field_lookup=_text(entry, "target_field_lookup"),
        reference_lookup_type=lookup_type.removesuffix("__sys") if lookup_type else None,
        reference_lookup=_text(entry, "reference_lookup"),
        field_default=_text(entry, "field_default"),
    )


def _query_rule(rule: str, entry: Json) -> QueryObjectRule:
    name = _text(entry, "name") or "(unnamed)"
    query_object = _text(entry, "query_object")
    if query_object is None:
        raise RuleError(rule, name, "set query_object")
    return QueryObjectRule(name, query_object, (_text(entry, "filter_clause") or "").strip())


def _children(component: Json, subtype: str) -> list[Json]:
    children = component.get(subtype)
    return [child for child in children if isinstance(child, Mapping)] if isinstance(children, list) else []


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
