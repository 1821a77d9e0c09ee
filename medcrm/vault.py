"""The configuration of a running Vault, read and changed by its public API."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

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

OBJECT_TYPE = "Objecttype"
LONG = ("LongText", "RichText")


async def read_vault(client: VaultClient, types: Collection[str] = ()) -> Configuration:
    """All components (of ``types``, when any are given), and the records that configure."""
    known = [
        str(t["name"])
        for t in await client.component_types()
        if t.get("class", "metadata") == "metadata"
    ]
    unknown = sorted(set(types) - set(known))
    if unknown:
        raise ConfigurationFault(
            f"The Vault has no component type {', '.join(unknown)}; it has {', '.join(known)}"
        )
    wanted = [name for name in known if not types or name in types]
    listed = await asyncio.gather(*(_names(client, name) for name in wanted))
    names = sorted(name for part in listed for name in part)
    found = await asyncio.gather(*(_component(client, name) for name in names))
    components = [component for component in found if component is not None]
    if types:
        return Configuration({c.name: c for c in components})
    objects = {
        c.name.partition(".")[2] for c in components if c.name.startswith("Object.")
    }
    tables = {
        s.object: await _table(client, s) for s in RECORD_SETS if s.object in objects
    }
    return Configuration({c.name: c for c in components}, tables)


async def _names(client: VaultClient, component_type: str) -> list[str]:
    """The components of a type as ``Type.name``; object types are listed by object and name."""
    names: list[str] = []
    for entry in await client.configuration(component_type):
        name = str(entry["name"])
        owner = (
            entry.get("object")
            if component_type == OBJECT_TYPE and "." not in name
            else None
        )
        names.append(
            f"{component_type}.{owner}.{name}" if owner else f"{component_type}.{name}"
        )
    return names


async def _component(client: VaultClient, name: str) -> ComponentText | None:
    """The component, or None for the base type of an object, which has no MDL unless somebody has changed it."""
    try:
        return read_component(name, await client.component_mdl(name))
    except VaultRefused as error:
        if (
            error.type == ErrorType.INVALID_DATA
            and name.startswith(f"{OBJECT_TYPE}.")
            and name.endswith(f".{BASE_TYPE}")
        ):
            return None
        raise


async def _table(client: VaultClient, record_set: RecordSet) -> Table:
    metadata = await client.object_metadata(record_set.object)
    fields = metadata.get("fields")
    expressions = _columns(fields if isinstance(fields, list) else [], record_set)
    selected = ", ".join(expressions.values())
    # Names of fields, as the Vault itself gives them.
    result = await client.query(
        f"SELECT id, {selected} FROM {record_set.object} ORDER BY {record_set.key} ASC"  # noqa: S608
    )
    rows: dict[str, Mapping[str, str]] = {}
    ids: dict[str, str] = {}
    for found in result.rows:
        row = {column: _cell(found.get(column)) for column in expressions}
        key = row[record_set.key]
        if not key:
            raise ConfigurationFault(
                f"{record_set.object}: the record {found.get('id')} has no {record_set.key}"
            )
        rows[key], ids[key] = row, str(found.get("id"))
    return Table(record_set.key, tuple(expressions), rows, ids)


def _columns(fields: Sequence[Row], record_set: RecordSet) -> dict[str, str]:
    """What is compared of an object: columns by name, the key first, with their VQL."""
    columns = {record_set.key: record_set.key}
    for field in fields:
        name, kind = str(field.get("name")), field.get("type")
        if (
            name in record_set.left_out
            or name == "link__sys"
            or field.get("editable") is not True
        ):
            continue
        if kind == "Object":
            reference = field.get("object")
            key = (
                KEYS.get(str(reference.get("name")))
                if isinstance(reference, dict)
                else None
            )
            if key is not None:
                name = f"{field.get('relationship_outbound_name')}.{key}"
                columns[name] = name
        else:
            columns.setdefault(name, f"LONGTEXT({name})" if kind in LONG else name)
    return columns


def _cell(value: object) -> str:
    """A value of a query as the CSV text that sets the same value."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(_cell(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
