"""Stores the words of searches on pages, so that addresses contain an id instead of words that may name people."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

SAVE = (
    "INSERT INTO platform.saved_search (search_id, user_id, words) VALUES ($1, $2, $3)"
)
WORDS = "SELECT words FROM platform.saved_search WHERE search_id = $1 AND user_id = $2"
PURGE = "DELETE FROM platform.saved_search WHERE saved_date < now() - interval '7 days'"


class SavedSearches:
    """Saves searches, and finds each again for the user who made it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, user_id: int, words: str) -> UUID:
        """Save the words of a search and return their id."""
        search_id = uuid4()
        async with self._database.connection() as connection:
            await connection.execute(SAVE, search_id, user_id, words)
        return search_id

    async def words(self, user_id: int, search_id: str) -> str:
        """Return the words of a search; empty for a search that is unknown, expired, or another user's."""
        try:
            known = UUID(search_id)
        except ValueError:
            return ""
        async with self._database.connection() as connection:
            words = await connection.fetchval(WORDS, known, user_id)
        return words or ""

    async def purge(self) -> None:
        """Remove expired searches."""
        async with self._database.connection() as connection:
            await connection.execute(PURGE)
