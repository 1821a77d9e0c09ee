"""Reads inquiries by a rule that also selects fields of their accounts: these only where agreements permit it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from services.connector.points.evaluation import (
    OutdatedRead,
    SourceRows,
    fetch,
    read_rows,
)
from services.connector.points.hcp import (
    ACCOUNT,
    PullRule,
    PullRules,
    account_columns,
    partition,
)
from services.connector.points.transfer import Transfer
from services.connector.rules.query_plan import QueryPlan
from services.connector.vaults.record_access import RecordAccess


@dataclass(frozen=True, slots=True)
class InquiryReading:
    """Reads inquiries by a plan, of which the columns ``of_account`` are about their accounts."""

    source: RecordAccess
    plan: QueryPlan
    of_account: frozenset[str]

    @classmethod
    def of(cls, unit: Transfer, plan: QueryPlan) -> InquiryReading:
        """Return the reading of a unit's inquiries."""
        return cls(unit.source, plan, account_columns(unit, plan))

    async def begin(self, ids: Collection[str]) -> SourceRows:
        """Read what inquiries themselves say.

        :raises ClientError: one of the calls fails.
        """
        columns = {
            name: expression
            for name, expression in self.plan.columns.items()
            if name not in self.of_account
        }
        return await fetch(self.source, replace(self.plan, columns=columns), ids)

    async def complete(self, found: SourceRows, pull_rules: PullRules) -> SourceRows:
        """Add the columns about accounts: empty for inquiries whose country does not permit to read the account.

        :raises OutdatedRead: inquiries are gone since they were read.
        :raises ClientError: one of the calls fails.
        """
        if not self.of_account:
            return found
        partitions = await partition(self.source, found.rows, pull_rules)
        permitted = [
            item
            for rule, items in partitions.by_rule.items()
            if rule is not PullRule.DO_NOT_PULL
            for item in items
        ]
        empty = dict.fromkeys(self.of_account)
        rows = {item: {**row, **empty} for item, row in found.rows.items()}
        if not permitted:
            return replace(found, rows=rows)
        whole = await read_rows(self.source, self.plan, permitted)
        if whole.rows.keys() != set(permitted):
            raise OutdatedRead(
                f"inquiries of an {ACCOUNT} are gone since they were read"
            )
        return replace(found, rows=rows | whole.rows, describe=whole.describe)

    async def again(self, ids: Collection[str], pull_rules: PullRules) -> SourceRows:
        """Read inquiries once more, in the same way.

        :raises OutdatedRead: inquiries are gone since they were read.
        :raises ClientError: one of the calls fails.
        """
        return await self.complete(await self.begin(ids), pull_rules)
