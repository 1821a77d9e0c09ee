"""Transfers a unit, and divides one that fails as a whole until only the records at fault have failed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

from services.connector.points.points import transfer
from services.connector.points.transfer import Outcome, Transfer
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.vaults import PASSING, is_doubtful, passing_refusals
from shared.client.errors import QueryTimeout, VaultRefused
from shared.protocol.redaction import without_values
from shared.runtime.logging import get_logger

MAX_ALONE = 8
"""Records of a message that fail alone while none of its others goes through; the rest of it then fails untried.

So does the rest of a unit when as many records each had a query stopped, which takes a Vault a minute each time."""

_log = get_logger(__name__)

T = TypeVar("T")
Ids = tuple[str, ...]


def failure_text(error: Exception) -> str:
    """Return why a transfer failed, without values that may be personal."""
    if isinstance(error, VaultRefused):
        text = without_values(error.message)
        return f"A Vault refused the call: {error.type}: {text}"
    kind = type(error).__qualname__
    return f"The message could not be processed ({kind}); the connector's log has the details"


async def transfer_apart(
    unit: Transfer,
    messages: tuple[Ids, ...],
    *,
    last: bool,
) -> Outcome:
    """Transfer a unit; of a unit that fails as a whole, only those records fail that also fail separately.

    ``messages`` are the unit's ids by message, each id once. Unless it is the ``last`` time, a doubtful
    refusal fails no record, since it often passes. The unit is then divided only after a stopped query, because fewer
    ids make a smaller query.

    :raises VaultUnavailable: a Vault is away, and the unit has to be run again.
    :raises VaultRefused: a doubtful refusal, unless it is the last time; the unit is to be run again.
    :raises ConfigurationFault: the configuration does not provide for the unit.
    :raises RuleError: a rule of the point cannot be carried out.
    :raises Exception: the error of the transfer, when no record goes through; QueryTimeout only for a single record.
    """
    apart = _Apart(unit, last)
    fault = await apart.try_(unit.ids)
    if fault is None:
        return apart.outcome
    if len(unit.ids) == 1:
        raise fault
    await apart.divide(messages)
    # Of a query that was stopped, each part has a reason of its own.
    if not (apart.gone_through or isinstance(fault, QueryTimeout)):
        raise fault
    return apart.outcome


@dataclass(slots=True)
class _Apart:
    """A unit that is transferred in parts, and the outcome of its settled records."""

    unit: Transfer
    last: bool
    outcome: Outcome = field(default_factory=Outcome)
    gone_through: bool = False
    stopped_alone: dict[Ids, QueryTimeout] = field(default_factory=dict)

    async def divide(self, messages: tuple[Ids, ...]) -> None:
        """Settle messages that have failed together: the halves that fail again are divided further."""
        if len(messages) == 1:
            await self._divide_message(messages[0])
            return
        for half in _halves(messages):
            ids = tuple(chain.from_iterable(half))
            if await self.try_(ids) is not None:
                await self.divide(half)

    async def _divide_message(self, ids: Ids) -> None:
        """Settle the records of a message that has failed as a whole, by transferring parts of them."""
        failed: list[tuple[Ids, Exception]] = []
        alone, some_go_through = 0, False
        parts = [ids]
        while parts:
            part = parts.pop()
            error = await self.try_(part)
            if error is None:
                some_go_through = True
            elif len(part) == 1:
                alone += 1
                failed.append((part, error))
            elif alone >= MAX_ALONE and not some_go_through and self._counts(error):
                failed.append((part, error))
            else:
                parts += _halves(part)
        for part, error in failed:
            self._fail(part, error)

    async def try_(self, ids: Ids) -> Exception | None:
        """Transfer some of the ids; return the error if they fail as a whole, else None."""
        if len(self.stopped_alone) >= MAX_ALONE and not self.gone_through:
            return next(iter(self.stopped_alone.values()))
        try:
            with passing_refusals():
                part = replace(self.unit, ids=ids)
                outcome = await transfer(part)
        except (*PASSING, ConfigurationFault, RuleError):
            raise
        except VaultRefused as refused:
            is_divisible = isinstance(refused, QueryTimeout) and len(ids) > 1
            if not (self._counts(refused) or is_divisible):
                raise
            if isinstance(refused, QueryTimeout) and not is_divisible:
                self.stopped_alone[ids] = refused
            return refused
        except Exception as error:  # noqa: BLE001  whatever it is, it must not harm the other records
            return error
        self.gone_through = True
        self.outcome.add(outcome)
        return None

    def _counts(self, error: Exception) -> bool:
        """Return whether records may fail for an error: a doubtful refusal counts the last time only."""
        is_unsure = isinstance(error, VaultRefused) and is_doubtful(error)
        return self.last or not is_unsure

    def _fail(self, ids: Ids, error: Exception) -> None:
        failure = ItemFailure(ItemErrorType.PROCESSING, failure_text(error))
        for item in ids:
            self.outcome.fail(item, failure)
        if not isinstance(error, VaultRefused):
            point = self.unit.route.point.api_name
            _log.error("record failed", integration_point=point, exc_info=error)


def _halves(parts: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...]]:
    middle = len(parts) // 2
    return parts[:middle], parts[middle:]
