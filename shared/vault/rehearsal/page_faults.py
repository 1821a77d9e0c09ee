"""Defines the faults of the pages of query results."""

from __future__ import annotations

from dataclasses import dataclass

from shared.vault.rehearsal.fault import CallFault, StruckCall

AT_MOST = 5  # rows
ROWS_AT_MOST = "rows_at_most"
"""The member of a request's state that bounds the rows of a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FewerRows(CallFault):
    """A page has fewer rows than the query asks for, as a Vault returns them for long rows; more pages follow."""

    async def strike(self, call: StruckCall) -> None:
        """Have the query carried out with a bound on the rows of its page."""
        call.scope.setdefault("state", {})[ROWS_AT_MOST] = AT_MOST
        await call.carry_out(call.send)
