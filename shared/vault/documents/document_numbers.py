"""Checks what documents in migration mode bring with them: the permission, and a number that no document has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.vault.access.permissions import Grant, authorize
from shared.vault.documents import document_store as store
from shared.vault.documents.versions import DOCUMENT_NUMBER

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.documents.versions import Beginning
    from shared.vault.storage.database import Connection

NUMBER_EXISTS = f"A document has this [{DOCUMENT_NUMBER}] already"


def require_migration(caller: Caller, *, migration: bool) -> None:
    """Check that the caller may use migration mode, if the call asks for it.

    :raises VaultFault: INSUFFICIENT_ACCESS without the permission.
    """
    if migration:
        authorize(caller, Grant.DOCUMENT_MIGRATION)


async def taken_numbers(
    connection: Connection, beginnings: Mapping[int, Beginning]
) -> set[int]:
    """Return the keys of new documents whose document number another document has, or an earlier one of them.

    Of two calls that create documents with the same number, the later one waits.
    """
    numbers = {
        at: beginning.document_number
        for at, beginning in beginnings.items()
        if beginning.document_number is not None
    }
    if not numbers:
        return set()
    used = await store.lock_values(connection, DOCUMENT_NUMBER, list(numbers.values()))
    taken: set[int] = set()
    for at, number in numbers.items():
        if number in used:
            taken.add(at)
        used.add(number)
    return taken
