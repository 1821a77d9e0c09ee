"""Plans the source query of a rule: the VQL for a batch of ids, and the place of each value in the result rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from services.connector.rules.object_metadata import FieldType, ObjectMetadata
from services.connector.rules.rows import (
    QueryKind,
    Selection,
    modified_field,
    query_kind,
    select,
    statements,
)
from services.connector.rules.rule import FieldRule, IntegrationRule, RuleError

ALWAYS = ("id", "global_id__sys")

# A string that is not closed goes to the end: nothing is read twice.
_TOKEN = re.compile(
    r"'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)|[A-Za-z_][A-Za-z0-9_.]*+(?:\s*+\()?+|.",
    re.DOTALL,
)
_SELECT = re.compile(
    r"(?:(?P<path>[\w.]+)|(?P<function>[A-Za-z]\w*)\(\s*(?P<argument>[\w.]+)\s*\))"
    r"(?:\s+(?:[Aa][Ss]\s+)?(?P<alias>\w+))?"
)
_WHOLE_TEXT = ("LONGTEXT", "RICHTEXT")
_TYPE = "object_type__vr"


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The statement template of one rule and, by field rule, the column of each value in its rows.

    ``related`` has the column of the related record's id, where its field identifies a target record. ``paths`` lead to
    all related records that are read: a to-many relationship or None, and to-one relationships from there. ``columns``
    are the selected expressions and sub-selects by name.
    """

    rule: str
    object: str
    columns: Mapping[str, str]
    conditions: str | None
    selections: Mapping[str, Selection]
    related: Mapping[str, Selection]
    paths: tuple[tuple[str | None, str], ...]

    @property
    def head(self) -> str:
        """Return the statement without conditions."""
        return select(", ".join(self.columns.values()), self.object)

    @property
    def filtered(self) -> bool:
        """Return whether a query object rule may leave out a record that exists."""
        return self.conditions is not None

    def statements(self, ids: Iterable[str]) -> Iterator[str]:
        """Yield the statements that read these source records, each within the length limit of a query."""
        return statements(self.head, "id", ids, conditions=self.conditions)

    def existence(self, ids: Iterable[str]) -> Iterator[str]:
        """Yield the statements that find which of these records exist, filtered or not."""
        head = f"SELECT id FROM {self.object}"  # noqa: S608  VQL, literals quoted
        return statements(head, "id", ids)


@dataclass(frozen=True, slots=True)
class _Place:
    """The path from the primary query object to another one: a to-one prefix, or a to-many relationship."""

    prefix: str = ""
    child: str | None = None


def plan(
    rule: IntegrationRule,
    primary: ObjectMetadata,
    extra: Iterable[str] = (),
) -> QueryPlan:
    """Plan the source query of a rule; ``extra`` are further paths of the primary object to select.

    :raises RuleError: a query object cannot be reached from the primary one, or a field does not exist.
    """
    object_name = rule.primary_query_object
    always = (*ALWAYS, modified_field(object_name), *extra)
    own = _Columns(rule.name, {name: name for name in always})
    columns: dict[str | None, _Columns] = {None: own}
    selections: dict[str, Selection] = {}
    related: dict[str, Selection] = {}
    for part in rule.field_rules:
        if part.query_field is None:
            continue
        query_object = part.query_object or object_name
        place = _locate(rule, part.name, query_object, primary)
        _require_field(rule, part, place, primary)
        selected = columns.setdefault(place.child, _Columns(rule.name, {}))
        key = selected.select(part, place, primary)
        selections[part.name] = Selection(key, place.child)
        owner = selected.select_owner(part, place)
        if owner is not None:
            related[part.name] = Selection(owner, place.child)
    # A condition on related records narrows which of them are read, not which primary records.
    conditions, child_conditions = _conditions(rule, primary)
    items = dict(own.texts)
    for child, selected in columns.items():
        if child is not None:
            condition = child_conditions.get(child)
            items[child] = _sub_select(child, selected, condition)
    paths = ((child, path) for child in columns for path in columns[child].paths())
    known = tuple(dict.fromkeys(paths))
    return QueryPlan(
        rule.name, object_name, items, conditions, selections, related, known
    )


def _sub_select(child: str, columns: _Columns, condition: str | None) -> str:
    names = ", ".join(columns.texts.values())
    where = f" WHERE {condition}" if condition else ""
    return f"(SELECT {names} FROM {child}{where})"  # noqa: S608  VQL of names


def _require_field(
    rule: IntegrationRule,
    part: FieldRule,
    place: _Place,
    primary: ObjectMetadata,
) -> None:
    field = part.query_field or ""
    # Only the source Vault knows whether fields of related objects, and expressions, exist.
    elsewhere = place.prefix or place.child is not None or "." in field
    if elsewhere or part.query_field_select or field in primary.fields:
        return
    text = f"{primary.name} in the source Vault has no field {field}; correct query_field or add the field"
    raise RuleError(rule.name, part.name, text)


@dataclass(slots=True)
class _Columns:
    """The expressions selected from one object, by their names in the result rows."""

    rule: str
    texts: dict[str, str]

    def select(
        self,
        part: FieldRule,
        place: _Place,
        primary: ObjectMetadata,
    ) -> str:
        """Select the expression of a field rule, and return its name in the result rows.

        :raises RuleError: another expression is selected under that name.
        """
        expression = (part.query_field_select or "").strip()
        if expression:
            name = self._name(part, expression)
        else:
            name = place.prefix + (part.query_field or "")
            described = primary if place.child is None else None
            expression = _expression(part, name, described)
        known = self.texts.get(name)
        # One answer has one value under a name, so two expressions cannot share it.
        if known is not None and _value(known) != _value(expression):
            text = f"something else is selected as {name} already; use another alias"
            raise RuleError(self.rule, part.name, text)
        # Two rules may read a text and its whole: selecting the whole serves both.
        if known is None or "(" in expression:
            self.texts[name] = expression
        return name

    def paths(self) -> Iterator[str]:
        """Yield the to-one paths to the related records of which a field is selected, and to those between."""
        for expression in self.texts.values():
            *relationships, _ = _value(expression)[-1].split(".")
            for number, name in enumerate(relationships, 1):
                # Types are no records.
                if name != _TYPE:
                    yield ".".join(relationships[:number])

    def select_owner(self, part: FieldRule, place: _Place) -> str | None:
        """Select the id of the related record that a key is read from, and return its name in the result rows.

        Return None for a value that is no key, and for a key of the primary record itself.
        """
        if part.query_field_select or not (
            part.reference_lookup or part.target_field_lookup
        ):
            return None
        path = place.prefix + (part.query_field or "")
        relationship, _, _ = path.rpartition(".")
        if not relationship and place.child is None:
            return None
        # Without it, a related record without the key would look the same as no related record.
        name = f"{relationship}.id" if relationship else "id"
        self.texts.setdefault(name, name)
        return name

    def _name(
        self,
        part: FieldRule,
        expression: str,
    ) -> str:
        match = _SELECT.fullmatch(expression)
        if match is None:
            text = "query_field_select must be a field or FUNCTION(field), with or without an alias"
            raise RuleError(self.rule, part.name, text)
        alias = match["alias"]
        if alias is not None and alias != part.query_field:
            text = "the alias in query_field_select must be the query_field"
            raise RuleError(self.rule, part.name, text)
        return alias or match["argument"] or match["path"]


def _value(expression: str) -> tuple[str, ...]:
    """Return a key of an expression's value; a field and the function for the field's whole text have the same key."""
    match = _SELECT.fullmatch(expression)
    if match is None:
        return (expression,)
    function = (match["function"] or "").upper()
    field = match["argument"] or match["path"]
    return (field,) if function in ("", *_WHOLE_TEXT) else (function, field)


def _expression(
    part: FieldRule,
    path: str,
    primary: ObjectMetadata | None,
) -> str:
    function = _declared_whole_text(part.query_field_type)
    if function is None and primary is not None and path in primary.fields:
        function = whole_text(primary.fields[path].type)
    if function:
        return f"{function}({path})"
    return path


def whole_text(type: FieldType) -> str | None:
    """Return the VQL function that reads a field's whole text; None for a type that VQL never shortens."""
    # VQL returns the first 250 characters of a bare long text; these functions return all of it.
    match type:
        case FieldType.LONG_TEXT:
            return "LONGTEXT"
        case FieldType.RICH_TEXT:
            return "RICHTEXT"
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
            | FieldType.OTHER
        ):
            return None
        case _:
            assert_never(type)


def _declared_whole_text(declared: str | None) -> str | None:
    # The metadata does not describe fields of related objects, so the rule has to declare a long text.
    if declared is None:
        return None
    kind = query_kind(declared)
    match kind:
        case QueryKind.LONG_TEXT:
            return "LONGTEXT"
        case QueryKind.RICH_TEXT:
            return "RICHTEXT"
        case (
            QueryKind.BOOLEAN
            | QueryKind.COMPONENT
            | QueryKind.CURRENCY
            | QueryKind.DATE
            | QueryKind.DATE_TIME
            | QueryKind.DOCUMENT_REFERENCE
            | QueryKind.FORMULA
            | QueryKind.ID
            | QueryKind.LOOKUP
            | QueryKind.NUMBER
            | QueryKind.OBJECT_REFERENCE
            | QueryKind.PARENT_OBJECT_REFERENCE
            | QueryKind.PICKLIST
            | QueryKind.TEXT
            | QueryKind.URL
        ):
            return None
        case _:
            assert_never(kind)


def _locate(
    rule: IntegrationRule,
    part: str,
    query_object: str,
    primary: ObjectMetadata,
) -> _Place:
    if query_object == rule.primary_query_object:
        return _Place()
    place = _to_one(rule, part, query_object, primary)
    place = place or _to_many(rule, part, query_object, primary)
    if place is None:
        text = (
            f"query object {query_object} is not related to the primary query object {primary.name}; "
            "correct query_object"
        )
        raise RuleError(rule.name, part, text)
    return place


def _to_one(
    rule: IntegrationRule,
    part: str,
    query_object: str,
    primary: ObjectMetadata,
) -> _Place | None:
    references = [field for field in primary.fields.values() if field.outbound]
    # A query object may be the name of a relationship, or a path of several, or the object referred to.
    relationship = query_object.partition(".")[0]
    # A path through a to-one relationship reads in the same row, without a sub-select.
    if any(field.outbound == relationship for field in references):
        return _Place(prefix=f"{query_object}.")
    pointing = [field for field in references if field.object == query_object]
    if len(pointing) > 1:
        # With several references to the object, the one named like the object is used.
        pointing = [field for field in pointing if field.name == query_object]
        if not pointing:
            text = f"{primary.name} refers to {query_object} in several fields; name the relationship as query_object"
            raise RuleError(rule.name, part, text)
    return _Place(prefix=f"{pointing[0].outbound}.") if pointing else None


def _to_many(
    rule: IntegrationRule,
    part: str,
    query_object: str,
    primary: ObjectMetadata,
) -> _Place | None:
    named = [
        child.name
        for child in primary.children
        if query_object in (child.name, child.object)
    ]
    if len(named) > 1:
        text = f"{query_object} refers to {primary.name} in several fields; name the relationship as query_object"
        raise RuleError(rule.name, part, text)
    return _Place(child=named[0]) if named else None


def _conditions(
    rule: IntegrationRule,
    primary: ObjectMetadata,
) -> tuple[str | None, dict[str, str]]:
    """Return the condition on the primary object, and those on to-many relationships by name."""
    own: list[str] = []
    children: dict[str, list[str]] = {}
    for query_rule in rule.query_object_rules:
        if not query_rule.filter_clause:
            continue
        place = _locate(
            rule,
            query_rule.name,
            query_rule.query_object,
            primary,
        )
        clause = f"({prefixed(query_rule.filter_clause, place.prefix)})"
        if place.child is None:
            own.append(clause)
        else:
            children.setdefault(place.child, []).append(clause)
    joined = {child: " AND ".join(clauses) for child, clauses in children.items()}
    return " AND ".join(own) or None, joined


def prefixed(
    clause: str,
    prefix: str,
) -> str:
    """Return a filter clause with a to-one path before every field name; literals and functions stay unchanged."""
    if not prefix:
        return clause

    def place(match: re.Match[str]) -> str:
        word = match.group()
        # Names of fields have a namespace ("__v"), which keywords of VQL have not.
        is_name = "__" in word and word[0] != "'" and not word.endswith("(")
        return prefix + word if is_name or word == "id" else word

    return _TOKEN.sub(place, clause)
