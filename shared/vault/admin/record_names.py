"""Finds names and pages of records that configuration refers to by their API names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import selected
from shared.vault.admin.showing import record_path

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit

# The field by which configuration refers to the records of an object.
KEYS: Mapping[str, str] = {
    "connection__sys": "api_name__sys",
    "integration_point__sys": "integration_point_api_name__sys",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A record by its name, with the address of its page."""

    name: str
    path: str


async def named(visit: Visit, object_name: str) -> dict[str, Named]:
    """Return up to a hundred records of an object by their API names; none when the caller may not read them."""
    if not may(visit.caller, object_name, Operation.READ):
        return {}
    key = KEYS[object_name]
    statement = f"SELECT id, name__v, {key} FROM {object_name} ORDER BY name__v, id"
    records: dict[str, Named] = {}
    for row in await selected(visit, statement):
        api_name = str(row[key])
        path = record_path(object_name, str(row["id"]))
        records[api_name] = Named(str(row["name__v"]), path)
    return records
