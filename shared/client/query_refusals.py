"""Tells the refusals of a query that running it again may heal from those that say what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.client.errors import ExpiredPage, QueryTimeout, VaultRefused
from shared.protocol.error_types import ErrorType

QUERY = "query"
QUERY_PAGE = "query_page"
"""The call for a later page of a query; its address is the Vault's, so a refusal of it is no fault of the query."""

_NO_SUCH_PAGE = frozenset({ErrorType.INVALID_DATA, ErrorType.MALFORMED_URL})


@contextmanager
def query_refusals(call: str) -> Iterator[None]:
    """Convert the refusals of a call for a page, :data:`QUERY` or :data:`QUERY_PAGE`.

    :raises ExpiredPage: the Vault has no such later page.
    :raises QueryTimeout: the Vault has stopped the query.
    """
    try:
        yield
    except VaultRefused as refused:
        if call == QUERY_PAGE and refused.type in _NO_SUCH_PAGE:
            raise ExpiredPage(refused.type, refused.message) from refused
        # Of queries a Vault says this for their time only: what the user may not read has a type of its own.
        if refused.type == ErrorType.OPERATION_NOT_ALLOWED:
            raise QueryTimeout(refused.type, refused.message) from refused
        raise
