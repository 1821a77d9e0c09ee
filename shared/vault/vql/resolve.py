"""Finds the names of a statement in the registry, asks whether they may be read, and joins what they lie in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.vault.model.component_model import (
    Field,
    FieldType,
    Lifecycle,
    Picklist,
    VaultObject,
)
from shared.vault.vql.deferred import TokenValue
from shared.vault.vql.syntax_tree import Item, Operand, Path, Select
from shared.vault.vql.targets import ABSENT, OBJECT_TYPE, USER_OBJECT, Target
from shared.vault.vql.vql_errors import NameErrorType, VqlLimitError, VqlNameError
from shared.vault.vql.vql_tokens import place, position_of

MAX_PATH = 10  # to-one relationships in one path
MAX_JOINS = 64  # distinct to-one relationships in one SELECT
MAX_SEMI_JOINS = 20  # in one statement
MAX_SHOWN_NAME = 128  # characters of a name that an error repeats

LATEST = "LATESTVERSION"
DOCUMENT_ID = "ID"  # how documents, and only they, may have their id written as well
FAVORITES = "FAVORITES"
OWN = frozenset((FAVORITES, "RECENT"))
RECENT_ROWS = 20
CHANGED = ("modified_by__v", "modified_date__v")

Readable = Callable[[str], bool]
"""Whether the caller may read records of the object with this name."""

# To-one relationships through platform fields that are no references: field, object behind it, cast of the field.
_PLATFORM_RELATIONSHIPS = {
    "object_type__vr": ("object_type__v", OBJECT_TYPE, ""),
    "created_by__vr": ("created_by__v", USER_OBJECT, "::text"),
    "modified_by__vr": ("modified_by__v", USER_OBJECT, "::text"),
}


class Registry(Protocol):
    """What VQL needs of the component registry."""

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Objects by name."""
        ...

    @property
    def picklists(self) -> Mapping[str, Picklist]:
        """Picklists by name."""
        ...

    @property
    def lifecycles(self) -> Mapping[str, Lifecycle]:
        """Object lifecycles by name."""
        ...

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        """To-many relationships of an object by name: the child object and its referring field."""
        ...


def quoted(name: str) -> str:
    """An identifier of the registry for SQL text."""
    return '"' + name.replace('"', '""') + '"'


def table(name: str) -> str:
    """The table that holds an object's records."""
    return f"records.{quoted(name)}"


def outbound(owner: VaultObject, relationship: str) -> tuple[str, str, str] | None:
    """The field, the object behind it and the field's cast of a to-one relationship, or None."""
    reference = owner.outbound.get(relationship)
    if reference is not None and reference.object is not None:
        return reference.name, reference.object, ""
    found = _PLATFORM_RELATIONSHIPS.get(relationship)
    return found if found is not None and found[0] in owner.fields else None


def inbound(
    registry: Registry, targets: Mapping[str, Target], object_name: str
) -> Mapping[str, tuple[str, Field]]:
    """To-many relationships of an object by name, those from targets included: the child and its referring field."""
    found = {
        field.relationship_inbound_name: (name, field)
        for name, target in targets.items()
        for field in target.object.outbound.values()
        if field.object == object_name and field.relationship_inbound_name is not None
    }
    return (
        {**found, **registry.inbound(object_name)}
        if found
        else registry.inbound(object_name)
    )


def readable_by(targets: Mapping[str, Target], name: str) -> str:
    """The object or target whose permissions decide who may read this one."""
    target = targets.get(name)
    return name if target is None else target.part_of or name


class Statement:
    """What one SQL statement collects while it is compiled: parameters, table aliases, objects allowed."""

    __slots__ = (
        "_aliases",
        "_allowed",
        "_readable",
        "_semi_joins",
        "_text",
        "parameters",
        "registry",
        "targets",
    )

    def __init__(
        self,
        registry: Registry,
        readable: Readable,
        text: str,
        targets: Mapping[str, Target],
    ) -> None:
        self.registry = registry
        self.targets = targets
        self.parameters: list[object] = []
        self._readable = readable
        self._text = text
        self._aliases = 0
        self._semi_joins = 0
        self._allowed: set[str] = set()

    def bind(self, value: object, sql_type: str) -> str:
        """Add a parameter; its place holder with a cast, so that its type never depends on context."""
        self.parameters.append(value)
        return f"${len(self.parameters)}::{sql_type}"

    def alias(self) -> str:
        """A table alias not yet used."""
        self._aliases += 1
        return f"t{self._aliases - 1}"

    def fault(
        self, message: str, at: int, error: NameErrorType = "INVALID_DATA"
    ) -> VqlNameError:
        """The error to raise about the token ``at``."""
        return VqlNameError(error, f"{message} ({self.place(at)})")

    def place(self, at: int) -> str:
        """``line 1, column 8`` of the token ``at``."""
        return place(self._text, position_of(self._text, at))

    def object(self, name: str, at: int) -> VaultObject:
        """The object or target with this name; raises VqlNameError when it is not there or may not be read."""
        target = self.targets.get(name)
        found = self.registry.objects.get(name) if target is None else target.object
        if found is None and name in ABSENT:
            message = f"query target [{name}] is not available in this Vault"
            raise self.fault(message, at, "ATTRIBUTE_NOT_SUPPORTED")
        if found is None:
            message = f"unknown object [{_shown(name)}]"
            raise self.fault(message, at)
        if name not in self._allowed:
            if not self._readable(readable_by(self.targets, name)):
                message = f"no permission to read object [{name}]"
                raise self.fault(message, at, "INSUFFICIENT_ACCESS")
            self._allowed.add(name)
        return found

    def relation(
        self, source: VaultObject, alias: str, option: str | None = None
    ) -> str:
        """What stands in FROM for an object or target: its table, or its rows as a parameter."""
        target = self.targets.get(source.name)
        changed = self._changed(source)
        if option in OWN and changed is not None:
            every = table(source.name) if target is None else target.relation
            return f"{self._own(every, option, changed)} {alias}"
        if target is None:
            return f"{table(source.name)} {alias}"
        if target.rows is not None:
            return f"jsonb_to_recordset({self.bind(target.rows, 'jsonb')}) AS {alias}({target.recordset()})"
        return f"{target.options[option] if option else target.relation} {alias}"

    def option(self, source: VaultObject, select: Select) -> str | None:
        """The option of a SELECT's FROM, if any; raises VqlNameError where its target has none such."""
        option = LATEST if select.latest else select.option
        target = self.targets.get(source.name)
        offered = () if target is None else target.options
        if (
            option is not None
            and option not in offered
            and not (option in OWN and self._changed(source))
        ):
            message = f"{option} is not available for query target [{source.name}]"
            raise self.fault(message, select.at, "ATTRIBUTE_NOT_SUPPORTED")
        return option

    def _changed(self, source: VaultObject) -> tuple[str, str] | None:
        """The fields that say who changed a record last, and when, where the source has such."""
        target = self.targets.get(source.name)
        if target is not None:
            return target.changed
        return CHANGED if all(name in source.fields for name in CHANGED) else None

    def _own(self, every: str, option: str | None, changed: tuple[str, str]) -> str:
        """What the caller has changed last, of all rows; there is no way to mark a favorite, so those are none."""
        if option == FAVORITES:
            return f"(SELECT * FROM {every} q WHERE false)"
        who, when = changed
        caller = self.bind(TokenValue("user.id", text=False), "bigint")
        latest = f"ORDER BY q.{quoted(when)} DESC LIMIT {RECENT_ROWS}"
        return f"(SELECT * FROM {every} q WHERE q.{quoted(who)} = {caller} {latest})"

    def child(
        self, parent: VaultObject, relationship: str, at: int
    ) -> tuple[VaultObject, Field]:
        """The child object of a to-many relationship and its referring field; raises VqlNameError."""
        found = inbound(self.registry, self.targets, parent.name).get(relationship)
        if found is None:
            message = f"unknown relationship [{_shown(relationship)}] of object [{parent.name}]"
            raise self.fault(message, at)
        name, reference = found
        return self.object(name, at), reference

    def count_semi_join(self, at: int) -> None:
        """Note one more semi-join; raises VqlLimitError for one too many."""
        self._semi_joins += 1
        if self._semi_joins > MAX_SEMI_JOINS:
            message = f"a statement takes at most {MAX_SEMI_JOINS} sub-selects with IN"
            raise VqlLimitError(f"{message} ({self.place(at)})")


class Scope:
    """One SELECT's object and the to-one joins that its paths need, one join a path however often it is used."""

    __slots__ = (
        "_aliases",
        "_joined",
        "_relation",
        "alias",
        "joins",
        "key",
        "object",
        "searched",
        "statement",
    )

    def __init__(
        self, statement: Statement, source: VaultObject, select: Select | None = None
    ) -> None:
        self.statement = statement
        self.object = source
        self.alias = statement.alias()
        option = None if select is None else statement.option(source, select)
        self._relation = statement.relation(source, self.alias, option)
        target = statement.targets.get(source.name)
        self.key = f"{self.alias}.{quoted('id' if target is None else target.key)}"  # tells the rows apart
        self.joins: list[str] = []
        # Text that FIND looks through, by the fields of a scope, and whether it takes content and all fields.
        self.searched: dict[tuple[tuple[Operand, ...], bool, bool], str] = {}
        self._joined: dict[tuple[str, ...], tuple[str, VaultObject]] = {
            (): (self.alias, source)
        }
        items = () if select is None else select.items
        self._aliases = {
            item.alias: item for item in items if isinstance(item, Item) and item.alias
        }

    def source(self) -> str:
        """The FROM list: the object's table and, so far, the joins."""
        return f"{self._relation}{''.join(self.joins)}"

    def aliased(self, path: Path, function: str | None) -> tuple[Path, str | None]:
        """What a path or function of one means where it names an alias of the SELECT: the aliased field, function."""
        item = self._aliases.get(path.text)
        if item is None or path.text in self.object.fields:
            return path, function
        return Path(item.path.parts, path.at), function or item.function

    def column(self, path: Path) -> tuple[str, Field, VaultObject]:
        """The column a path names, its field and the field's object; raises VqlNameError, VqlLimitError."""
        parts = path.parts
        if len(parts) > 1 and parts[-1] == "id":
            # The reference itself is the id of the record behind it: no join.
            alias, owner = self._at(parts[:-2], path)
            name, target, cast = self._reference(owner, parts[-2], path.at)
            return (
                f"{alias}.{quoted(name)}{cast}",
                self._field(target, "id", path.at),
                target,
            )
        alias, owner = self._at(parts[:-1], path)
        field = self._field(owner, parts[-1], path.at)
        return f"{alias}.{quoted(field.name)}", field, owner

    def shows_label(self, field: Field, owner: VaultObject) -> bool:
        """Whether a field shows and takes labels where nothing else is asked for."""
        target = self.statement.targets.get(owner.name)
        return target is not None and field.name in target.labels

    def text_fields(self) -> list[Field]:
        """The object's own fields that FIND looks through where it names none: text and picklists."""
        return [
            f
            for f in self.object.fields.values()
            if f.active and not f.system and f.type in _SEARCHED
        ]

    def _field(self, owner: VaultObject, name: str, at: int) -> Field:
        target = self.statement.targets.get(owner.name)
        documents = target is not None and target.documents
        field = owner.fields.get("id" if documents and name == DOCUMENT_ID else name)
        if field is None:
            message = f"unknown field [{_shown(name)}] of object [{owner.name}]"
            raise self.statement.fault(message, at)
        return field

    def _reference(
        self, owner: VaultObject, relationship: str, at: int
    ) -> tuple[str, VaultObject, str]:
        found = outbound(owner, relationship)
        if found is None:
            message = f"unknown relationship [{_shown(relationship)}] of object [{owner.name}]"
            raise self.statement.fault(message, at)
        name, target, cast = found
        return name, self.statement.object(target, at), cast

    def _at(
        self, relationships: tuple[str, ...], path: Path
    ) -> tuple[str, VaultObject]:
        """The alias and object behind a chain of to-one relationships, joined when they are not yet."""
        known = self._joined.get(relationships)
        if known is not None:
            return known
        if len(relationships) > MAX_PATH or len(self.joins) >= MAX_JOINS:
            message = f"more than {MAX_PATH} relationships in a path or {MAX_JOINS} in a SELECT"
            raise VqlLimitError(f"{message} ({self.statement.place(path.at)})")
        near, owner = self._at(relationships[:-1], path)
        name, target, cast = self._reference(owner, relationships[-1], path.at)
        alias = self.statement.alias()
        relation = self.statement.relation(target, alias)
        self.joins.append(
            f' LEFT JOIN {relation} ON {alias}."id" = {near}.{quoted(name)}{cast}'
        )
        self._joined[relationships] = alias, target
        return alias, target


_SEARCHED = frozenset(
    (FieldType.STRING, FieldType.LONG_TEXT, FieldType.RICH_TEXT, FieldType.PICKLIST)
)


def _shown(name: str) -> str:
    return name if len(name) <= MAX_SHOWN_NAME else name[:MAX_SHOWN_NAME] + "…"
