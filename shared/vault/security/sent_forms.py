"""Carries out a form once, even if a browser sends it repeatedly: after a double click, a reload, or in two tabs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from shared.protocol.error_types import ErrorType
from shared.runtime.retry_policies import SENT_FORM
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

# Where a form led: the address of a page; that of some forms is None when they are refused.
Outcome = TypeVar("Outcome", str, str | None)

BEGIN = """
INSERT INTO platform.sent_form (form_id, user_id) VALUES ($1, $2)
ON CONFLICT DO NOTHING RETURNING true
"""
OWN = "SELECT user_id = $2 FROM platform.sent_form WHERE form_id = $1"
OUTCOME = "SELECT outcome FROM platform.sent_form WHERE form_id = $1"
END = "UPDATE platform.sent_form SET outcome = $2 WHERE form_id = $1"
FORGET = "DELETE FROM platform.sent_form WHERE form_id = $1 AND outcome IS NULL"
PURGE = "DELETE FROM platform.sent_form WHERE sent_date < now() - interval '7 days'"


class SentForms:
    """Remembers which forms were sent, and their results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def once(
        self,
        form_id: UUID,
        user_id: int,
        carry_out: Callable[[], Awaitable[Outcome]],
    ) -> Outcome | str:
        """Carry out a form unless that was done before, and return the first result; None when it was refused.

        A form that is refused may be sent again, and so may one whose work ended by an exception.

        :raises VaultFault: OPERATION_NOT_ALLOWED while the form sent first is carried out, or if its process was lost.
        """
        pauses = SENT_FORM.pauses()
        for _ in range(SENT_FORM.attempts):
            if await self._value(BEGIN, form_id, user_id):
                return await self._carried_out(form_id, carry_out)
            # None is a form that was refused meanwhile, and may be carried out.
            if await self._value(OWN, form_id, user_id) is False:
                break
            outcome = await self._value(OUTCOME, form_id)
            if outcome is not None:
                return str(outcome)
            await asyncio.sleep(next(pauses))
        message = "The form was sent before, and its result is unknown; check the result before you repeat it"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)

    async def _carried_out(
        self, form_id: UUID, carry_out: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        """Carry a form out, and note its outcome."""
        try:
            outcome = await carry_out()
        except BaseException:
            await self._value(FORGET, form_id)
            raise
        if outcome is None:
            await self._value(FORGET, form_id)
        else:
            await self._value(END, form_id, outcome)
        return outcome

    async def _value(self, statement: str, *parameters: object) -> object:
        async with self._database.connection() as connection:
            return await connection.fetchval(statement, *parameters)

    async def purge(self) -> None:
        """Remove the ids of expired forms."""
        await self._value(PURGE)
