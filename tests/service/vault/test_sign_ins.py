"""The sign-ins of the settings: the effect of a changed setting at the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.crm_vault.definition import CRM_VAULT
from shared.vault.api.api_app import create_api
from shared.vault.assembly.vault import Vault
from tests.service.vault.served import PASSWORD, served, settings


async def start_with(
    postgres_dsn: str, amqp_url: str, files: Path, username: str
) -> list[str]:
    """Start with this administrator, sign in, and return the usernames of all users."""
    chosen = settings(postgres_dsn, amqp_url, files).model_copy(
        update={"admin_username": username}
    )
    vault = Vault(CRM_VAULT, chosen)
    try:
        await vault.start()
        async with served(create_api(vault)) as api:
            signed_in = await api.post(
                "/auth", data={"username": username, "password": PASSWORD}
            )
            headers = {"Authorization": signed_in.body["sessionId"]}
            answer = await api.post(
                "/query",
                data={"q": "SELECT username__sys FROM user__sys"},
                headers=headers,
            )
            return [row["username__sys"] for row in answer.data]
    finally:
        await vault.stop()


async def test_a_renamed_administrator_is_the_same_user(
    postgres_dsn: str, amqp_url: str, tmp_path: Path
) -> None:
    before = await start_with(postgres_dsn, amqp_url, tmp_path, "first@vault.example")
    after = await start_with(postgres_dsn, amqp_url, tmp_path, "second@vault.example")
    assert len(before) == len(after) == 4
    assert "second@vault.example" in after
    assert "first@vault.example" not in after


async def test_a_name_that_another_user_has(
    postgres_dsn: str, amqp_url: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="another user's"):
        await start_with(postgres_dsn, amqp_url, tmp_path, "integration@vault.example")
