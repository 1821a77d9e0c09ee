"""Components as text: plain answers of the Vault, and errors in their place."""

from __future__ import annotations

import pytest
from aiohttp import web

from shared.client import VaultClient
from shared.client.errors import UnexpectedAnswer, VaultRefused, VaultUnavailable
from tests.unit.client.fake_vault import FaultyVault, failure, success

PATH = "/api/mdl/components/Picklist.colour__c"
MDL = "RECREATE Picklist colour__c ( label('Größe') );\n"


async def test_a_component_as_text(vault: FaultyVault, client: VaultClient) -> None:
    async def mdl(_: web.Request) -> web.Response:
        return web.Response(text=MDL, content_type="text/plain")

    vault.on(PATH, mdl)
    assert await client.component_mdl("Picklist.colour__c") == MDL
    vault.valid_sessions.clear()
    assert await client.component_mdl("Picklist.colour__c") == MDL
    assert vault.sign_ins == 2


async def test_an_error_in_place_of_a_text(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def refused(_: web.Request) -> web.Response:
        return failure("INVALID_DATA")

    async def envelope(_: web.Request) -> web.Response:
        return success()

    async def binary(_: web.Request) -> web.Response:
        return web.Response(body=b"\xff\xff")

    for answer, error in (
        (refused, VaultRefused),
        (envelope, UnexpectedAnswer),
        (binary, VaultUnavailable),
    ):
        vault.on(PATH, answer)
        with pytest.raises(error):
            await client.component_mdl("Picklist.colour__c")


async def test_component_types(vault: FaultyVault, client: VaultClient) -> None:
    async def types(_: web.Request) -> web.Response:
        return success(data=[{"name": "Picklist", "class": "metadata"}])

    vault.on("/api/v25.1/metadata/components", types)
    assert await client.component_types() == [{"name": "Picklist", "class": "metadata"}]
