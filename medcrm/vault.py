"""Reads the configuration of a running Vault by its public API."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from medcrm.configuration import (
    KEYS,
    RECORD_SETS,
    ComponentText,
    Configuration,
    ConfigurationFault,
    RecordSet,
    Table,
    read_component,
)
from shared.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row
from shared.protocol.error_types import ErrorType
from shared.vault.components.platform import BASE_TYPE
from shared.vault.model.component_model import FieldType

OBJECT_TYPE = "Objecttype"


async def read_vault(client: VaultClient, types: Collection[str] = ()) -> Configuration:
    """Return all components and the records that configure; with ``types`` only components of those types.

    :raises ConfigurationFault: the Vault has no such type, or a record without a key.
    :raises ClientError: the Vault is away or refuses.
    """
    known = _type_names(await client.component_types())
    unknown = sorted(set(types) - set(known))
    if unknown:
        raise ConfigurationFault(
            f"The Vault has no component type {', '.join(unknown)}; it has {', '.join(known)}"
        )
    wanted = [name for name in known if not types or name in types]
    listed = await asyncio.gather(*(_names(client, name) for name in wanted))
    names = sorted(name for part in listed for name in part)
    # All at once: the client bounds how many of its calls are under way.
    found = await asyncio.gather(*(_component(client, name) for name in names))
    components = {
        component.name: component for component in found if component is not None
    }
    # Records are of no component type, so that a choice of types leaves them out.
    if types:
        return Configuration(components)
    tables: dict[str, Table] = {}
    for record_set in RECORD_SETS:
        if f"Object.{record_set.object}" in components:
            tables[record_set.object] = await _table(client, record_set)
    return Configuration(components, tables)


def _type_names(listed: Iterable[Row]) -> list[str]:
    """Return the names of the component types that have MDL."""
    return [
        str(component_type["name"])
        for component_type in listed
        if component_type.get("class", "metadata") == "metadata"
    ]


async def _names(client: VaultClient, component_type: str) -> list[str]:
    """Return the components of a type as ``Type.name``."""
    names: list[str] = []
    for entry in await client.configuration(component_type):
        name = str(entry["name"])
        # Object types are listed by object and name, and are called ``object.name`` in MDL.
        owner = entry.get("object") if component_type == OBJECT_TYPE else None
        if owner and "." not in name:
            name = f"{owner}.{name}"
        names.append(f"{component_type}.{name}")
    return names


async def _component(client: VaultClient, name: str) -> ComponentText | None:
    """Return the component; None for the base type of an object, which has no MDL unless it was changed."""
    try:
        text = await client.component_mdl(name)
    except VaultRefused as error:
        is_base = name.startswith(f"{OBJECT_TYPE}.") and name.endswith(f".{BASE_TYPE}")
        if is_base and error.type == ErrorType.INVALID_DATA:
            return None
        raise
    return read_component(name, text)


async def _table(client: VaultClient, record_set: RecordSet) -> Table:
    metadata = await client.object_metadata(record_set.object)
    fields = metadata.get("fields")
    listed = fields if isinstance(fields, list) else []
    expressions = _columns(listed, record_set)
    selected = ", ".join(expressions.values())
    # Names of fields only, as the Vault itself returns them.
    vql = (
        f"SELECT id, {selected} FROM {record_set.object} ORDER BY {record_set.key} ASC"  # noqa: S608
    )
    result = await client.query(vql)
    rows: dict[str, Mapping[str, str]] = {}
    ids: dict[str, str] = {}
    for found in result.rows:
        row = {column: _cell(found.get(column)) for column in expressions}
        key = row[record_set.key]
        if not key:
            raise ConfigurationFault(
                f"{record_set.object}: the record {found.get('id')} has no {record_set.key}"
            )
        rows[key] = row
        ids[key] = str(found.get("id"))
    return Table(record_set.key, tuple(expressions), rows, ids)


def _columns(fields: Sequence[Row], record_set: RecordSet) -> dict[str, str]:
    """Return the VQL of an object's compared columns by column name, the key first."""
    columns = {record_set.key: record_set.key}
    for field in fields:
        name = str(field.get("name"))
        # A link holds ids of one Vault's records; a field that nobody may edit cannot be carried over.
        is_left_out = name in record_set.left_out or name == "link__sys"
        if is_left_out or field.get("editable") is not True:
            continue
        match field.get("type"):
            case FieldType.OBJECT:
                path = _reference(field)
                if path is not None:
                    columns[path] = path
            case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
                # A query returns no more than the beginning of a long text without this function.
                columns.setdefault(name, f"LONGTEXT({name})")
            # Any other type, one of a newer Vault among them, is read as it is.
            case _:
                columns.setdefault(name, name)
    return columns


def _reference(field: Row) -> str | None:
    """Return the path to the key of a referenced record; None where its object is not configuration."""
    reference = field.get("object")
    if not isinstance(reference, dict):
        return None
    key = KEYS.get(str(reference.get("name")))
    if key is None:
        return None
    return f"{field.get('relationship_outbound_name')}.{key}"


def _cell(value: object) -> str:
    """Return a value of a query as the CSV text that sets the same value."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_cell(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
