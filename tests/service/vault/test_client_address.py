"""The client's address: a proxy's header counts if the settings trust the proxy, any other header never."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import Request

from services.medical_vault.definition import MEDICAL_VAULT
from shared.vault.api.request_context import address_of
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.service.vault.served import served, settings

HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("trusted", "said", "address"),
    [
        (None, "192.0.2.7", HERE),
        ("198.51.100.1", "192.0.2.7", HERE),
        (HERE, "192.0.2.7", "192.0.2.7"),
        ("198.51.100.1, 127.0.0.0/8", "192.0.2.7", "192.0.2.7"),
        # What the client itself has sent stands before what the proxy has added.
        (HERE, "203.0.113.9, 192.0.2.7", "192.0.2.7"),
        (f"{HERE},198.51.100.0/24", "192.0.2.7, 198.51.100.3", "192.0.2.7"),
        (HERE, "", HERE),
    ],
)
async def test_the_address_of_a_client(
    tmp_path: Path, trusted: str | None, said: str, address: str
) -> None:
    nowhere = settings(
        "postgresql://x@127.0.0.1:1/x", "amqp://x@127.0.0.1:1/", tmp_path
    )
    chosen = nowhere.model_copy(update={"trusted_proxies": trusted})
    app = create_app(Vault(MEDICAL_VAULT, chosen))

    @app.get("/api/address")
    async def caller_address(request: Request) -> dict[str, str]:
        return {"address": address_of(request)}

    async with served(app) as api:
        headers = {"X-Forwarded-For": said} if said else {}
        answer = await api.get("/api/address", headers=headers)
    assert answer.body == {"address": address}
