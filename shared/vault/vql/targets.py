"""What can be queried beside the objects: component records made of the registry, users, and what is not here."""

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
    ObjectType,
    VaultObject,
)

OBJECT_TYPE = "object_type__v"
COMPONENT = "vault_component__v"
USER_OBJECT = "user__sys"

_WORKFLOWS = ("workflow", "workflow_item", "workflow_task", "workflow_task_item")
ABSENT = frozenset(
    (
        *("documents", "binders", "relationships", "events", "workflows"),
        *(
            f"{status}_{part}__sys"
            for status in ("active", "inactive")
            for part in _WORKFLOWS
        ),
    )
)
"""Targets of the public API that a Vault may lack."""

_SQL_TYPES = {
    FieldType.BOOLEAN: "boolean",
    FieldType.NUMBER: "bigint",
    FieldType.DATE_TIME: "timestamptz",
}
_ACTIVE = ("inactive__v", "active__v")


@dataclass(frozen=True)
class Target:
    """A query target that is no object of the registry: its fields, and where its rows come from.

    ``relation`` is SQL that stands in FROM before an alias; ``options`` are those for ALLVERSIONS and
    LATESTVERSION. ``changed`` are the fields by whom and when a row was changed last, which RECENT goes by. Where
    the rows are known already they are ``rows``, a JSON array, and travel as a parameter. ``states`` are what
    STEADYSTATE and its like stand for, as ``{lifecycle__v}.{status__v}``. Fields in ``labels`` (names to labels)
    show and take labels where TONAME does not ask for the names. ``key`` is the field that tells rows apart,
    ``newest`` those by which LATESTVERSION chooses among rows of one id. ``content`` is the SQL of a row's file as
    text, with ``{key}`` for that field. A target that is
    ``part_of`` an object is read in sub-selects of its records only, by whoever may read these. All SQL here is the
    Vault's own.
    """

    object: VaultObject
    relation: str = ""
    rows: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    documents: bool = (
        False  # takes what VQL knows for documents only: TONAME, SCOPE CONTENT
    )
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    key: str = "id"
    newest: tuple[str, ...] = ()
    changed: tuple[str, str] | None = None
    content: str = ""
    part_of: str = ""

    def recordset(self) -> str:
        """The column definitions of ``rows`` for ``jsonb_to_recordset``."""
        return ", ".join(
            f'"{f.name}" {_SQL_TYPES.get(f.type, "text")}'
            for f in self.object.fields.values()
        )


class ComponentRecord(Protocol):
    """What a record of ``vault_component__v`` shows of one component.

    A component of ``shared.vault.components`` is one; VQL stands below that package and imports nothing from it.
    """

    @property
    def type(self) -> str:
        """The type, e.g. ``Picklist``."""
        ...

    @property
    def name(self) -> str:
        """The API name, unique within its type."""
        ...

    @property
    def full_name(self) -> str:
        """``Type.name``."""
        ...

    def text(self, attribute: str, default: str = "") -> str:
        """Return an attribute as text; ``default`` when it is absent or empty."""
        ...

    def flag(self, attribute: str, default: bool = False) -> bool:
        """Return an attribute as a Boolean; ``default`` when it is absent or empty."""
        ...


class Components(Protocol):
    """What the targets need of the component registry."""

    @property
    def components(self) -> Mapping[tuple[str, str], ComponentRecord]:
        """Components by type and name."""
        ...

    @property
    def objects(self) -> Mapping[str, VaultObject]:
        """Objects by name."""
        ...

    @property
    def documents(self) -> DocumentModel:
        """What documents are like."""
        ...

    @property
    def object_types(self) -> Mapping[tuple[str, str], ObjectType]:
        """Object types by object and type name."""
        ...

    def object_type_id(self, object_name: str, type_name: str) -> str:
        """The id of an object type, as ``object_type__v`` of a record holds it."""
        ...


def registry_targets(registry: Components) -> dict[str, Target]:
    """The targets whose records are the registry's own: ``object_type__v`` and ``vault_component__v``."""
    found = (_object_types(registry), _components(registry.components.values()))
    return {
        target.object.name: target
        for target in found
        if target.object.name not in registry.objects
    }


def _object_types(registry: Components) -> Target:
    rows = [
        {
            "id": registry.object_type_id(t.object, t.name),
            "name__v": t.label,
            "api_name__v": t.name,
            "object_name__v": t.object,
            "description__v": t.description or None,
            "status__v": _ACTIVE[t.active],
        }
        for t in registry.object_types.values()
    ]
    names = {
        "api_name__v": "API Name",
        "object_name__v": "Object",
        "description__v": "Description",
    }
    return Target(
        _object(OBJECT_TYPE, "Object Type", "OOT", names), rows=json.dumps(rows)
    )


def _components(components: Iterable[ComponentRecord]) -> Target:
    rows = [
        {
            "id": "VCM" + hashlib.sha256(c.full_name.encode()).hexdigest()[:12].upper(),
            "name__v": c.name,
            "label__v": c.text("label", c.name),
            "component_name__v": c.name,
            "component_type__v": c.type,
            "status__v": _ACTIVE[c.flag("active", True)],
        }
        for c in components
    ]
    names = {
        "label__v": "Label",
        "component_name__v": "Component Name",
        "component_type__v": "Component Type",
    }
    return Target(
        _object(COMPONENT, "Vault Component", "VCM", names), rows=json.dumps(rows)
    )


def _object(
    name: str, label: str, prefix: str, names: Mapping[str, str]
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
        *(
            Field(n, text, FieldType.STRING, editable=False)
            for n, text in names.items()
        ),
        Field(
            "status__v",
            "Status",
            FieldType.PICKLIST,
            editable=False,
            picklist="default_status__v",
        ),
    ]
    return VaultObject(
        name, label, f"{label}s", prefix, fields={f.name: f for f in fields}
    )
