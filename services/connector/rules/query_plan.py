"""What a rule has to ask the source Vault: one VQL statement a batch of ids, and where each value stands in a row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.connector.rules.object_metadata import ObjectMetadata
from services.connector.rules.rows import Selection
from services.connector.rules.rule import FieldRule, IntegrationRule, RuleError
from services.connector.rules.vql_text import modified_field, select, statements

ALWAYS = ("id", "global_id__sys")

_TOKEN = re.compile(
    r"'(?:\\.|''|[^'\\])*'|[A-Za-z_][A-Za-z0-9_.]*(?:\s*\()?|.", re.DOTALL
)
_SELECT = re.compile(
    r"(?:(?P<path>[\w.]+)|(?P<function>[A-Za-z]\w*)\(\s*(?P<argument>[\w.]+)\s*\))"
    r"(?:\s+(?:[Aa][Ss]\s+)?(?P<alias>\w+))?"
)
_WHOLE_TEXT = ("LONGTEXT", "RICHTEXT")
_FUNCTIONS = {"LongText": "LONGTEXT", "RichText": "RICHTEXT"}
_FUNCTION_OF_TYPE = {
    "vobject_longtext__sys": "LONGTEXT",
    "vobject_richtext__sys": "RICHTEXT",
}


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """The statement template of one rule and, by field rule, the place of each value in its rows.

    ``filtered`` says that rows which exist may be left out by a query object rule.
    """

    rule: str
    object: str
    head: str
    conditions: str | None
    selections: Mapping[str, Selection]

    @property
    def filtered(self) -> bool:
        """Whether a record may be left out although it exists."""
        return self.conditions is not None

    def statements(self, ids: Iterable[str]) -> Iterator[str]:
        """The statements that read these source records, each within the length limit of a query."""
        return statements(self.head, "id", ids, conditions=self.conditions)

    def existence(self, ids: Iterable[str]) -> Iterator[str]:
        """The statements that tell which of these records exist at all, filtered or not."""
        return statements(f"SELECT id FROM {self.object}", "id", ids)  # noqa: S608  VQL, literals quoted


@dataclass(frozen=True, slots=True)
class _Place:
    """How a query object is reached from the primary one: a to-one prefix, or a to-many relationship."""

    prefix: str = ""
    child: str | None = None


def plan(
    rule: IntegrationRule, primary: ObjectMetadata, extra: Iterable[str] = ()
) -> QueryPlan:
    """Plan the source query of a rule; ``extra`` are further paths of the primary object to select.

    Raises RuleError when a query object cannot be reached from the primary one or a field is unknown.
    """
    own = _Columns(
        rule.name,
        {
            name: name
            for name in (*ALWAYS, modified_field(rule.primary_query_object), *extra)
        },
    )
    children: dict[str, _Columns] = {}
    selections: dict[str, Selection] = {}
    for field_rule in rule.field_rules:
        if field_rule.query_field is None:
            continue
        place = _locate(
            rule,
            field_rule.name,
            field_rule.query_object or rule.primary_query_object,
            primary,
        )
        _require_field(rule, field_rule, place, primary)
        columns = (
            own
            if place.child is None
            else children.setdefault(place.child, _Columns(rule.name, {}))
        )
        selections[field_rule.name] = Selection(
            columns.select(field_rule, place, primary), place.child
        )
    conditions, child_conditions = _conditions(rule, primary)
    items = list(own.texts.values())
    for child, columns in children.items():
        where = f" WHERE {child_conditions[child]}" if child in child_conditions else ""
        items.append(
            f"(SELECT {', '.join(columns.texts.values())} FROM {child}{where})"  # noqa: S608  VQL of names
        )
    head = select(", ".join(items), rule.primary_query_object)
    return QueryPlan(rule.name, rule.primary_query_object, head, conditions, selections)


def _require_field(
    rule: IntegrationRule, field_rule: FieldRule, place: _Place, primary: ObjectMetadata
) -> None:
    field = field_rule.query_field or ""
    elsewhere = (
        place.prefix
        or place.child is not None
        or "." in field
        or field_rule.query_field_select
    )
    if not elsewhere and field not in primary.fields:
        raise RuleError(
            rule.name,
            field_rule.name,
            f"{primary.name} in the source Vault has no field {field}; correct query_field or add the field",
        )


@dataclass(slots=True)
class _Columns:
    """What is selected of one object, by the name under which an answer has it."""

    rule: str
    texts: dict[str, str]

    def select(
        self, field_rule: FieldRule, place: _Place, primary: ObjectMetadata
    ) -> str:
        """Select what a field rule reads; the name under which the answer has it."""
        select = (field_rule.query_field_select or "").strip()
        if not select:
            name = place.prefix + (field_rule.query_field or "")
            select = _expression(
                field_rule, name, primary if place.child is None else None
            )
        else:
            name = self._name(field_rule, select)
        known = self.texts.get(name)
        if known is not None and _value(known) != _value(select):
            raise RuleError(
                self.rule,
                field_rule.name,
                f"something else is selected as {name} already; use another alias",
            )
        if known is None or "(" in select:  # the whole text rather than its beginning
            self.texts[name] = select
        return name

    def _name(self, field_rule: FieldRule, select: str) -> str:
        match = _SELECT.fullmatch(select)
        if match is None:
            raise RuleError(
                self.rule,
                field_rule.name,
                "query_field_select must be a field or FUNCTION(field), with or without an alias",
            )
        alias = match["alias"]
        if alias is not None and alias != field_rule.query_field:
            raise RuleError(
                self.rule,
                field_rule.name,
                "the alias in query_field_select must be the query_field",
            )
        return alias or match["argument"] or match["path"]


def _value(select: str) -> tuple[str, ...]:
    """What an expression gives, however it is written; a text and the whole of it are the same value."""
    match = _SELECT.fullmatch(select)
    if match is None:
        return (select,)
    function, field = (
        (match["function"] or "").upper(),
        match["argument"] or match["path"],
    )
    return (field,) if function in ("", *_WHOLE_TEXT) else (function, field)


def _expression(rule: FieldRule, path: str, primary: ObjectMetadata | None) -> str:
    known = primary.fields.get(path) if primary else None
    # Bare long text comes back cut to 250 characters; the function returns all of it under the field's name.
    function = _FUNCTION_OF_TYPE.get(rule.query_field_type or "") or _FUNCTIONS.get(
        known.type if known else ""
    )
    return f"{function}({path})" if function else path


def _locate(
    rule: IntegrationRule, part: str, query_object: str, primary: ObjectMetadata
) -> _Place:
    if query_object == rule.primary_query_object:
        return _Place()
    references = [field for field in primary.fields.values() if field.outbound]
    relationship = query_object.partition(".")[0]
    if any(field.outbound == relationship for field in references):
        return _Place(prefix=query_object + ".")
    pointing = [field for field in references if field.object == query_object]
    if len(pointing) > 1:
        pointing = [field for field in pointing if field.name == query_object]
        if not pointing:
            raise RuleError(
                rule.name,
                part,
                f"{primary.name} refers to {query_object} in several fields; name the relationship as query_object",
            )
    if pointing:
        return _Place(prefix=f"{pointing[0].outbound}.")
    named = [
        child
        for child in primary.children
        if query_object in (child.name, child.object)
    ]
    if len(named) == 1:
        return _Place(child=named[0].name)
    if named:
        raise RuleError(
            rule.name,
            part,
            f"{query_object} refers to {primary.name} in several fields; name the relationship as query_object",
        )
    raise RuleError(
        rule.name,
        part,
        f"query object {query_object} is not related to the primary query object {primary.name}; correct query_object",
    )


def _conditions(
    rule: IntegrationRule, primary: ObjectMetadata
) -> tuple[str | None, dict[str, str]]:
    own: list[str] = []
    children: dict[str, list[str]] = {}
    for query_rule in rule.query_object_rules:
        if not query_rule.filter_clause:
            continue
        place = _locate(rule, query_rule.name, query_rule.query_object, primary)
        clause = f"({prefixed(query_rule.filter_clause, place.prefix)})"
        if place.child is None:
            own.append(clause)
        else:
            children.setdefault(place.child, []).append(clause)
    joined = {child: " AND ".join(clauses) for child, clauses in children.items()}
    return " AND ".join(own) or None, joined


def prefixed(clause: str, prefix: str) -> str:
    """A filter clause with every field name led by a to-one path; literals and functions stay as they are."""
    if not prefix:
        return clause

    def place(match: re.Match[str]) -> str:
        word = match.group()
        is_field = word == "id" or (
            "__" in word and word[0] != "'" and not word.endswith("(")
        )
        return prefix + word if is_field else word

    return _TOKEN.sub(place, clause)
