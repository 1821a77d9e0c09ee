"""Configuration mode: while it is on, administrators have the Vault for themselves."""

from __future__ import annotations

from shared.vault.assembly.vault import Vault
from shared.vault.security.call_limits import ConfigurationMode
from tests.service.vault.served import Api


async def test_only_administrators_have_access_while_it_is_on(
    admin: Api, integration: Api, user: Api
) -> None:
    assert (
        await user.post("/services/configuration_mode/actions/enable")
    ).error == "INSUFFICIENT_ACCESS"
    answer = await admin.post("/services/configuration_mode/actions/enable")
    try:
        assert answer.body == {
            "responseStatus": "SUCCESS",
            "responseMessage": "Configuration Mode Active enabled.",
        }
        for other in (integration, user):
            assert (
                await other.get("/objects/users/me")
            ).error == "CONFIGURATION_MODE_ENABLED"
            assert (
                await other.query("SELECT id FROM case__v")
            ).error == "CONFIGURATION_MODE_ENABLED"
        assert (await admin.get("/objects/users/me")).status == "SUCCESS"
    finally:
        assert (
            await admin.post("/services/configuration_mode/actions/disable")
        ).status == "SUCCESS"
    assert (await user.get("/objects/users/me")).status == "SUCCESS"


async def test_other_processes_read_it_from_the_database(
    admin: Api, vault: Vault
) -> None:
    other = ConfigurationMode(vault.database)
    await admin.post("/services/configuration_mode/actions/enable")
    try:
        await other.load()
        assert other.enabled
    finally:
        await admin.post("/services/configuration_mode/actions/disable")
    await other.load()
    assert not other.enabled
