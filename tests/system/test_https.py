"""The running system by HTTPS: public clients find it, and trust only its own authority."""

from __future__ import annotations

import asyncio
import json
import ssl
from urllib.parse import urlsplit

import aiohttp
import pytest
from veevatools.veevavault import QueryService

from local.service import VAULTS
from local.system import System
from tests.public_client import client_of


@pytest.mark.parametrize("vault", [plan.name for plan in VAULTS])
async def test_a_public_client(
    running: System, vault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = json.loads(running.endpoints_file.read_text())[vault]
    client, _ = client_of(endpoint["url"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", endpoint["ca_file"])
    await asyncio.to_thread(
        client.authenticate,
        vaultURL=endpoint["https_url"],
        vaultUserName=endpoint["username"],
        vaultPassword=endpoint["password"],
    )
    assert client.vaultId == endpoint["vault_id"]
    answer = await asyncio.to_thread(
        QueryService(client).query, "SELECT id FROM user__sys"
    )
    assert answer["responseStatus"] == "SUCCESS"


async def test_addresses_are_those_that_the_client_dialled(running: System) -> None:
    endpoint = running.endpoints()["medical_vault"]
    trust = ssl.create_default_context(cafile=endpoint["ca_file"])
    dialled = urlsplit(endpoint["https_url"]).netloc
    fields = {
        "username": endpoint["username"],
        "password": endpoint["password"],
        "vaultDNS": dialled,
    }
    async with aiohttp.ClientSession() as http:
        async with http.post(
            f"{endpoint['https_url']}/api/v24.3/auth", data=fields, ssl=trust
        ) as answer:
            body = await answer.json()
            assert body["vaultIds"][0]["url"] == f"https://{dialled}/api"
            assert answer.headers["X-VaultAPI-UserId"] == str(body["userId"])
        async with http.get(f"{endpoint['https_url']}/api/", ssl=trust) as answer:
            values = (await answer.json())["values"]
            assert values["v24.3"] == f"https://{dialled}/api/v24.3"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"{endpoint['https_url']}/api/")
