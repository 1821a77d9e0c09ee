"""Defines what can be queried: the tables and relationships of objects, and targets that are not objects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.vault.model.component_model import (
    DocumentModel,
    Field,
    FieldType,
    Lifecycle,
    ObjectType,
    Picklist,
    VaultObject,
)
from shared.vault.model.field_types import (
    OBJECT_TYPE,
    column_type,
    document_relationship,
    quoted,
)
from shared.vault.vql.syntax_tree import SourceOption, StateFunctionName

COMPONENT = "vault_component__v"

ABSENT = frozenset(("documents", "binders", "relationships", "events", "workflows"))
"""Targets of the public API that a Vault may lack: an error says so, where other names are unknown."""


@dataclass(frozen=True)
class Target:
    """A query target that is not an object of the registry, with its fields and the source of its rows.

    All SQL here is the Vault's own.

    * ``relation`` is the FROM item, without its alias; ``options`` are those for ALLVERSIONS and LATESTVERSION.
    * ``rows`` is a JSON array of rows that are known already, which is sent as a parameter instead of a FROM item.
    * ``documents`` allows the VQL that only documents have, such as TONAME and SCOPE CONTENT.
    * ``states`` are the states, as ``{lifecycle__v}.{status__v}``, of each function such as STEADYSTATE.
    * ``labels`` are the labels by name of fields that show and take labels unless TONAME asks for names.
    * ``key`` is the field that distinguishes rows; ``newest`` are the fields by which LATESTVERSION chooses among rows
      of one id; ``changed`` are those with the user and date of a row's last change, for RECENT.
    * ``content`` is the SQL of a row's file as text, with ``{key}`` for the field ``key``.
    * ``part_of``: the target is read only in sub-selects of this object's records, by callers who may read these.
    * ``found_by`` are the conditions of the indexes that find rows by a value of a field, by field name. The SQL names
      the rows as ``{alias}``, and the value, or ANY of several, as ``{ids}``.
    * ``numbered``: ids are numbers, shown as text.
    * ``about`` is the field with the object that a row is about; callers see rows about objects that they may read.
    """

    object: VaultObject
    relation: str = ""
    rows: str | None = None
    options: Mapping[SourceOption, str] = field(default_factory=dict)
    documents: bool = False
    states: Mapping[StateFunctionName, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    key: str = "id"
    newest: tuple[str, ...] = ()
    changed: tuple[str, str] | None = None
    content: str = ""
    part_of: str = ""
    about: str = ""
    numbered: bool = False
    found_by: Mapping[str, str] = field(default_factory=dict)

    def recordset(self) -> str:
        """Return the column definitions of ``rows`` for ``jsonb_to_recordset``."""
        fields = self.object.fields.values()
        columns = (f"{quoted(each.name)} {column_type(each)}" for each in fields)
        return ", ".join(columns)


class ComponentRecord(Protocol):
    """The attributes of a component for a record of ``vault_component__v``.

    A component of ``shared.vault.components`` is one; VQL is on a lower floor than that package and imports nothing
    from it.
    """

    @property
    def type(self) -> str:
        """Return the type, e.g. ``Picklist``."""
        ...

    @property
    def name(self) -> str:
        """Return the API name, unique within its type."""
        ...

    @property
    def full_name(self) -> str:
        """Return ``Type.name``."""
        ...

    def text(self, attribute: str, default: str = "") -> str:
        """Return an attribute as text; ``default`` when it is absent or empty."""
        ...

    def flag(self, attribute: str, default: bool = False) -> bool:
        """Return an attribute as a Boolean; ``default`` when it is absent or empty."""
        ...


class Components(Protocol):
    """The part of the component registry that query targets need."""

    @property
    def components(self) -> Mapping[tuple[str, str], ComponentRecord]:
        """Return the components by type and name."""
        ...

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Return the objects by name."""
        ...

    @property
    def documents(self) -> DocumentModel:
        """Return the types, states and fields of documents."""
        ...

    @property
    def object_types(self) -> Mapping[tuple[str, str], ObjectType]:
        """Return the object types by object and type name."""
        ...

    def object_type_id(self, object_name: str, type_name: str) -> str:
        """Return the id of an object type, which ``object_type__v`` of a record stores."""
        ...


class Registry(Protocol):
    """The part of the component registry that VQL needs."""

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Return the objects by name."""
        ...

    @property
    def picklists(self) -> Mapping[str, Picklist]:
        """Return the picklists by name."""
        ...

    @property
    def lifecycles(self) -> Mapping[str, Lifecycle]:
        """Return the object lifecycles by name."""
        ...

    def inbound(self, object_name: str) -> Mapping[str, tuple[str, Field]]:
        """Return the to-many relationships of an object by name: the child object and its referring field."""
        ...


def inbound(
    registry: Registry,
    targets: Mapping[str, Target],
    object_name: str,
) -> Mapping[str, tuple[str, Field]]:
    """Return the to-many relationships of an object by name, in the registry's form, including those to targets."""
    of_targets: dict[str, tuple[str, Field]] = {}
    for name, target in targets.items():
        for reference in target.object.outbound.values():
            relationship = reference.relationship_inbound_name
            if reference.object != object_name:
                continue
            if target.documents:
                of_targets[document_relationship(reference)] = name, reference
            if relationship is not None:
                of_targets[relationship] = name, reference
    own = registry.inbound(object_name)
    if of_targets:
        return {**of_targets, **own}
    return own


def registry_targets(registry: Components) -> dict[str, Target]:
    """Return the targets whose records are the registry's own: ``object_type__v`` and ``vault_component__v``."""
    components = registry.components.values()
    found = (_object_types(registry), _components(components))
    # An object of the configuration comes before a target of the same name.
    own = (target for target in found if target.object.name not in registry.objects)
    return {target.object.name: target for target in own}


def _object_types(registry: Components) -> Target:
    rows = [
        {
            "id": registry.object_type_id(each.object, each.name),
            "name__v": each.label,
            "api_name__v": each.name,
            "object_name__v": each.object,
            "description__v": each.description or None,
            "status__v": _status(each.active),
        }
        for each in registry.object_types.values()
    ]
    names = {
        "api_name__v": "API Name",
        "object_name__v": "Object",
        "description__v": "Description",
    }
    shown = _object(OBJECT_TYPE, "Object Type", "OOT", names)
    return Target(shown, rows=json.dumps(rows))


def _components(components: Iterable[ComponentRecord]) -> Target:
    rows = [
        {
            "id": _component_id(each.full_name),
            "name__v": each.name,
            "label__v": each.text("label", each.name),
            "component_name__v": each.name,
            "component_type__v": each.type,
            "status__v": _status(each.flag("active", True)),
        }
        for each in components
    ]
    names = {
        "label__v": "Label",
        "component_name__v": "Component Name",
        "component_type__v": "Component Type",
    }
    shown = _object(COMPONENT, "Vault Component", "VCM", names)
    return Target(shown, rows=json.dumps(rows))


def _component_id(full_name: str) -> str:
    # Components have no ids of their own: a digest of the name is one that stays the same after each start.
    digest = hashlib.sha256(full_name.encode()).hexdigest()
    return f"VCM{digest[:12].upper()}"


def _status(active: bool) -> str:
    return "active__v" if active else "inactive__v"


def _object(
    name: str,
    label: str,
    prefix: str,
    names: Mapping[str, str],
) -> VaultObject:
    fields = [
        Field(
            "id",
            "ID",
            FieldType.ID,
            required=True,
            unique=True,
            editable=False,
            system=True,
        ),
        Field("name__v", "Name", FieldType.STRING, required=True, editable=False),
    ]
    for field_name, text in names.items():
        fields.append(Field(field_name, text, FieldType.STRING, editable=False))
    status = "default_status__v"
    fields.append(
        Field(
            "status__v", "Status", FieldType.PICKLIST, editable=False, picklist=status
        )
    )
    by_name = {field.name: field for field in fields}
    return VaultObject(name, label, f"{label}s", prefix, fields=by_name)
