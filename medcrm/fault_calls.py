"""Makes the calls about the faults of a Vault that is not in production."""

from __future__ import annotations

from collections.abc import Mapping

from shared.client import VaultClient
from shared.client.results import Row, mapping, rows_of
from shared.client.transport import API, Request, path_part

PATH = f"{API}/services/rehearsal"


async def faults(client: VaultClient) -> list[Row]:
    """Return the faults that can be switched on."""
    request = Request("faults", "GET", f"{PATH}/faults")
    return rows_of((await client.call(request)).get("data"), "data")


async def switches(client: VaultClient) -> list[Row]:
    """Return the switches that have not ended."""
    request = Request("switches", "GET", f"{PATH}/switches")
    return rows_of((await client.call(request)).get("data"), "data")


async def switch_on(client: VaultClient, fields: Mapping[str, str]) -> Row:
    """Switch a fault on, and return the switch."""
    request = Request("switch_on", "POST", f"{PATH}/switches", form=fields)
    return mapping((await client.call(request)).get("data"), "data")


async def switch_off(client: VaultClient, switch_id: str | None) -> list[Row]:
    """End a switch, or with None all; return those that have ended."""
    path = f"{PATH}/switches"
    if switch_id is not None:
        path += f"/{path_part(switch_id)}"
    request = Request("switch_off", "DELETE", path)
    return rows_of((await client.call(request)).get("data"), "data")
