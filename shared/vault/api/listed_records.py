"""Lists records for a call that names fields and an order, and speaks in its answers of these and not of VQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.assembly.vault import Vault
    from shared.vault.queries.query_pages import QueryPage

# Names of fields may have a relationship before them.
NAME = re.compile(r"[a-z0-9_.]{1,200}")
MAX_SORT = 10  # fields

_PLACE = re.compile(r" \(line \d+, column \d+\)\Z")


async def listed_page(
    vault: Vault, caller: Caller, text: str, version: str
) -> QueryPage:
    """Return the page of a statement that was made of the parameters of a call.

    :raises VaultFault: as ``QueryService.run`` does, without the place in a text that the caller has not written.
    """
    try:
        return await vault.queries.run(caller, text, version_path=version)
    except VaultFault as fault:
        error = fault.error
        message = _PLACE.sub("", error.message)
        raise VaultFault(error.type, _of_call(message)) from fault


def _of_call(message: str) -> str:
    """Return a message about an unknown object in the words of the other calls of records."""
    return message.replace("unknown object", "There is no object", 1)


def order_of(sort: str) -> str:
    """Return the ORDER BY for a parameter such as ``name__v desc, id``.

    :raises VaultFault: INVALID_DATA when a term is not a name with an optional direction.
    """
    terms = [term.split() for term in sort.split(",")]
    for words in terms:
        direction = [word.lower() for word in words[1:]]
        named = bool(words) and NAME.fullmatch(words[0])
        if not named or direction not in ([], ["asc"], ["desc"]):
            message = "Invalid value for parameter [sort]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
    return ", ".join(" ".join(words) for words in terms[:MAX_SORT])
