"""A Vault without its database says so, in an envelope that tells a client to come again."""

from __future__ import annotations

from pathlib import Path

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.api.api_app import create_api
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import PASSWORD, USERNAMES, served, settings


async def test_before_the_database_is_there(tmp_path: Path) -> None:
    nowhere = settings(
        "postgresql://nobody@127.0.0.1:1/none", "amqp://nobody@127.0.0.1:1/", tmp_path
    )
    vault = Vault(MEDICAL_VAULT, nowhere)
    async with served(create_api(vault)) as api:
        signing_in = await api.post(
            "/auth", data={"username": USERNAMES["admin"], "password": PASSWORD}
        )
        asking = await api.get(
            "/metadata/vobjects", headers={"Authorization": "0" * 64}
        )
        for answer in (signing_in, asking):
            assert (answer.http_status, answer.status, answer.error) == (
                503,
                "EXCEPTION",
                "UNEXPECTED_ERROR",
            )
            assert answer.headers["X-VaultAPI-ExecutionId"]
        assert (await api.get("/api/")).status == "SUCCESS"
