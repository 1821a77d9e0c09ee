"""Those who see documents and packages by a link or token, without an account: their guesses, counted by address."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import browser
from tests.service.vault.served import Api

TOKEN = "A" * 43
# Door → path of what is not there, status of that, text after which the token stands, and texts that are no tokens.
PACKAGE = ("package", "/ui/answers/", TOKEN, 404)
DOCUMENT = ("document", "/ui/approved_viewer?token=", "", 400)
NO_PACKAGE = ["nothing", "A" * 42, "A" * 44, TOKEN + "%0A", "%00%ff", "%C3%84" * 43]
NO_DOCUMENT = ["nothing", "1-2", "%00", str(uuid4()), f"1-{uuid4()}", "A" * 43]
DOORS = [
    pytest.param(*PACKAGE, NO_PACKAGE, id="package"),
    pytest.param(*DOCUMENT, NO_DOCUMENT, id="document"),
]


@pytest.mark.parametrize(("door", "path", "token", "status", "malformed"), DOORS)
async def test_calls_of_an_address_are_limited(
    api: Api,
    vault: Vault,
    door: str,
    path: str,
    token: str,
    status: int,
    malformed: list[str],
) -> None:
    del malformed
    guessed = path + (token or f"{vault.vault_id}-{uuid4()}")
    headers = {"X-Forwarded-For": "203.0.113.77"}
    key_of_address = hashlib.sha256(f"{door}\x00203.0.113.77".encode()).digest()
    async with browser(api.url, None) as bearer:
        assert (await bearer.open(guessed, headers=headers)).status == status
        # All but one of its calls are made, in a minute that does not end while this machine is busy.
        async with vault.database.connection() as connection:
            changed = await connection.execute(
                "UPDATE platform.sign_in_window SET attempts = 119, window_start = now() + interval '1 hour'"
                " WHERE key = $1",
                key_of_address,
            )
        assert changed == "UPDATE 1"
        assert (await bearer.open(guessed, headers=headers)).status == status
        assert (await bearer.open(guessed, headers=headers)).status == 429
        assert (await bearer.open(guessed)).status == status


@pytest.mark.parametrize(("door", "path", "token", "status", "malformed"), DOORS)
async def test_what_cannot_be_a_token_costs_no_look_up(
    api: Api,
    vault: Vault,
    door: str,
    path: str,
    token: str,
    status: int,
    malformed: list[str],
) -> None:
    del token
    headers = {"X-Forwarded-For": "203.0.113.78"}
    key_of_address = hashlib.sha256(f"{door}\x00203.0.113.78".encode()).digest()
    async with browser(api.url, None) as bearer:
        for text in malformed:
            page = await bearer.open(path + text, headers=headers)
            assert page.status == status, text
    # Each call that is looked up is counted first.
    async with vault.database.connection() as connection:
        counted = await connection.fetchval(
            "SELECT count(*) FROM platform.sign_in_window WHERE key = $1",
            key_of_address,
        )
    assert counted == 0
