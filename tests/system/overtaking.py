"""Lets another connector write a newer state between the read and the write of a connector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.connector.points.points import transfer
from services.connector.points.transfer import SourceStates, Transfer
from services.connector.vaults.configuration_reader import ConfigurationReader
from shared.client import VaultClient
from shared.client.results import QueryResult, RowResult
from shared.runtime.waiting import KeyLocks
from tests.system.conditions import Connected

Happening = Callable[[], Awaitable[None]]


@dataclass
class SlowVault:
    """A Vault for which ``meanwhile`` runs once, between a connector's read and its write."""

    vault: VaultClient
    meanwhile: Happening | None

    @property
    def vault_id(self) -> int:
        return self.vault.vault_id

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        return await self.vault.query(vql, describe=describe)

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
        unchanged: bool = False,
    ) -> list[RowResult]:
        return await self.vault.update(
            object, rows, id_param, lineage=lineage, unchanged=unchanged
        )

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        await self._wait()
        return await self.vault.upsert(object, rows, id_param, lineage=lineage)

    async def create(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        await self._wait()
        return await self.vault.create(object, rows, lineage=lineage)

    async def create_documents(
        self, rows: Sequence[Mapping[str, object]], id_param: str
    ) -> list[RowResult]:
        await self._wait()
        return await self.vault.create_documents(rows, id_param)

    async def update_documents(
        self, rows: Sequence[Mapping[str, object]]
    ) -> list[RowResult]:
        await self._wait()
        return await self.vault.update_documents(rows)

    async def _wait(self) -> None:
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()


async def overtaken(
    connected: Connected,
    point: str,
    object_name: str,
    record: str,
    newer_state: Happening,
    *,
    to_crm: bool = False,
) -> None:
    """Transfer a record to the other Vault; before it is written, change it and transfer it once more."""
    source, target = (
        (connected.medical, connected.crm)
        if to_crm
        else (connected.crm, connected.medical)
    )
    configuration = await ConfigurationReader(source, target).since(datetime.now(UTC))
    route = configuration.route(point, source.vault_id)
    prompt = Transfer(
        source, target, configuration, route, object_name, (record,), KeyLocks()
    )

    async def meanwhile() -> None:
        await newer_state()
        await transfer(prompt)

    slow = replace(
        prompt,
        target=SlowVault(target, meanwhile),
        locks=KeyLocks(),
        states=SourceStates(),
    )
    outcome = await transfer(slow)
    assert outcome.failures == {}
