"""Session ids and access tokens: what cannot be one is refused without a look into the database."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.access_tokens import AccessTokens
from shared.vault.security.sessions import TOKEN, SecurityProfiles, Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from shared.vault.storage.database import Database

HEXADECIMAL = "0123456789abcdef" * 4
NONE = [
    None,
    "",
    " ",
    "x",
    "null",
    "0" * 63,
    "0" * 65,
    "0" * 64 + "\n",
    HEXADECIMAL.replace(HEXADECIMAL[0], "g"),
    HEXADECIMAL.upper().replace(HEXADECIMAL[0].upper(), "\N{FULLWIDTH DIGIT ONE}"),
    # Ids are in capitals, and found by their digest, which tells those from small letters.
    "a" * 64,
    TOKEN,
    TOKEN + "0" * 63,
    TOKEN + "0" * 65,
    TOKEN + "A" * 64,
    TOKEN.upper() + HEXADECIMAL,
    TOKEN + TOKEN + HEXADECIMAL,
    "\x00" * 64,
    "\ud800" * 64,
    "0" * 100_000,
]


class Counted:
    """A database without sessions and tokens, which counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Counted]:
        self.asked += 1
        yield self

    async def fetch(self, *_: object) -> Sequence[object]:
        return []

    async def fetchrow(self, *_: object) -> None:
        return None


def sessions_of(database: Counted) -> Sessions:
    stored = cast("Database", database)
    profiles = cast("SecurityProfiles", None)
    tokens = AccessTokens(stored, profiles)
    return Sessions(stored, profiles, timedelta(minutes=20), 500, tokens)


@pytest.mark.parametrize("session_id", NONE, ids=range(len(NONE)))
async def test_what_cannot_be_a_session_costs_no_look_up(
    session_id: str | None,
) -> None:
    database = Counted()
    with pytest.raises(VaultFault) as refused:
        await sessions_of(database).caller(session_id)
    assert refused.value.error.type is ErrorType.INVALID_SESSION_ID
    assert database.asked == 0


@pytest.mark.parametrize("session_id", [HEXADECIMAL.upper(), TOKEN + HEXADECIMAL])
async def test_what_may_be_one_is_looked_up(session_id: str) -> None:
    database = Counted()
    with pytest.raises(VaultFault) as refused:
        await sessions_of(database).caller(session_id)
    assert refused.value.error.type is ErrorType.INVALID_SESSION_ID
    assert database.asked == 1
