"""The standard configuration of both Vaults, in memory and active, with the few records that most tests need."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import services.crm_vault
import services.medical_vault
from services.connector.points import points
from services.connector.points.transfer import Outcome, Transfer, UnitLineage
from services.connector.vaults.configuration import Configuration, Route
from services.connector.vaults.configuration_reader import ConfigurationReader
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.runtime.waiting import KeyLocks
from shared.vault.components.registry import Registry
from tests.unit.components.builders import run
from tests.unit.connector.memory_client import MemoryClient, MemoryPublisher

MEDICAL_ID, CRM_ID = 10101, 20202
CONNECTION = "medical_crm__v"
COUNTRIES = {
    "US": "pull_accounts__v",
    "DE": "only_accounts_with_inquiries__v",
    "CH": "do_not_pull_accounts__v",
    "JP": None,
}
"""Pull Accounts Rules of the countries in the Medical Vault."""


def _standard(package: object) -> Path:
    return Path(package.__path__[0]) / "standard"  # type: ignore[attr-defined]


MEDICAL, CRM = _standard(services.medical_vault), _standard(services.crm_vault)


@cache
def registry(standard: Path, more: str = "") -> Registry:
    """The components of a Vault, with further MDL."""
    if more:
        return run(more, registry(standard))
    built = Registry.build()
    for file in sorted((standard / "components").glob("*.mdl")):
        built = run(file.read_text(encoding="utf-8"), built)
    return built


@cache
def _records(standard: Path) -> tuple[tuple[str, dict[str, str]], ...]:
    found = []
    for file in sorted((standard / "records").glob("*.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            object_name = file.stem.partition("_")[2]
            found += [(object_name, row) for row in csv.DictReader(stream)]
    return tuple(found)


def vault(vault_id: int, remote: int, standard: Path, more: str = "") -> MemoryClient:
    """A Vault with its standard records, all of them active."""
    made = MemoryClient(vault_id, registry(standard, more))
    keys: dict[tuple[str, str], str] = {}
    for object_name, row in _records(standard):
        values: dict[str, object] = {}
        for name, value in row.items():
            relationship, _, key = name.partition(".")
            if key and value:
                field = made.registry.objects[object_name].outbound[relationship]
                values[field.name] = keys[str(field.object), value]
            elif not key:
                values[name] = value or None
        record = made.add(object_name, **{**values, "status__v": "active__v"})
        for value in row.values():
            keys.setdefault((object_name, value), record)
    (connection,) = made.rows("connection__sys", "id")
    made.change(
        "connection__sys",
        str(connection["id"]),
        remote_vault_id__sys=str(remote),
        remote_connection__sys=CONNECTION,
        state__v="active_state__sys",
        object_type__v="vault_to_vault__sys",
    )
    return made


def medical_vault(more: str = "") -> MemoryClient:
    """A Medical Vault with countries and two products."""
    made = vault(MEDICAL_ID, CRM_ID, MEDICAL, more)
    for code, rule in COUNTRIES.items():
        made.add(
            "country__v", country_code__v=code, name__v=code, pull_accounts_rule__v=rule
        )
    for product in ("P-1", "P-2"):
        made.add("product__v", external_id__v=product, name__v=product)
    return made


def crm_vault(more: str = "") -> MemoryClient:
    """A Vault CRM with countries and two products."""
    made = vault(CRM_ID, MEDICAL_ID, CRM, more)
    for code in COUNTRIES:
        made.add("country__v", country_code__v=code, name__v=code)
    for product in ("P-1", "P-2"):
        made.add("product__v", external_id__v=product, name__v=product)
    return made


@dataclass
class Pair:
    """A Medical Vault and a Vault CRM that are connected."""

    medical: MemoryClient
    crm: MemoryClient

    def __post_init__(self) -> None:
        self.medical_publisher, self.crm_publisher = (
            MemoryPublisher(),
            MemoryPublisher(),
        )
        self.medical_end = _connected("medical", self.medical, self.medical_publisher)
        self.crm_end = _connected("crm", self.crm, self.crm_publisher)
        self.vaults = Vaults({MEDICAL_ID: self.medical_end, CRM_ID: self.crm_end})

    async def configuration(self, target: MemoryClient) -> Configuration:
        """The configuration of messages into a Vault, as the connector reads it."""
        source = self.crm if target is self.medical else self.medical
        reader = ConfigurationReader(source.as_client, target.as_client)
        return await reader.since(datetime.now(UTC))

    async def unit(
        self,
        target: MemoryClient,
        point: str,
        object_name: str,
        *ids: str,
        of_run: bool = False,
        lineage: bool = False,
    ) -> Transfer:
        """A unit of these records for an integration point of a Vault."""
        source = self.crm if target is self.medical else self.medical
        configuration = await self.configuration(target)
        route = configuration.route(point, source.vault_id)
        common = _lineage(source.vault_id, route, ids) if lineage else None
        return Transfer(
            source=source,
            target=target,
            configuration=configuration,
            route=route,
            object=object_name,
            ids=ids,
            locks=KeyLocks(),
            of_run=of_run,
            lineage=common,
            lineage_back=common,
        )

    async def transfer(
        self,
        target: MemoryClient,
        point: str,
        object_name: str,
        *ids: str,
        of_run: bool = False,
        lineage: bool = False,
    ) -> Outcome:
        """Transfer records by an integration point of a Vault, and mark those that failed."""
        unit = await self.unit(
            target, point, object_name, *ids, of_run=of_run, lineage=lineage
        )
        outcome = await points.transfer(unit)
        mark = points.mark_failed(unit)
        if mark is not None:
            reasons = points.reasons_of(unit, outcome)
            await mark(unit.source, reasons, unit.lineage_back)
        return outcome


def pair(medical: str = "", crm: str = "") -> Pair:
    """Two connected Vaults, with further MDL in each."""
    return Pair(medical_vault(medical), crm_vault(crm))


def add_delivered_countries(medical: MemoryClient) -> None:
    """Add the countries that a Medical Vault is delivered with and most tests do without."""
    with (MEDICAL / "data" / "10_country__v.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["country_code__v"] not in COUNTRIES:
                medical.add("country__v", **row)


def country(vault: MemoryClient, code: str) -> str:
    """The id of a country."""
    return id_of(vault, "country__v", country_code__v=code)


def product(vault: MemoryClient, external_id: str) -> str:
    """The id of a product."""
    return id_of(vault, "product__v", external_id__v=external_id)


def id_of(vault: MemoryClient, object_name: str, **values: object) -> str:
    """The id of the one record with these values."""
    (found,) = (
        row["id"]
        for row in vault.all_of(object_name)
        if all(row.get(name) == value for name, value in values.items())
    )
    return str(found)


def _connected(
    name: str, client: MemoryClient, publisher: MemoryPublisher
) -> ConnectedVault:
    return ConnectedVault(
        name, client.vault_id, client.as_client, publisher.as_any, publisher.as_any
    )


def _lineage(vault_id: int, route: Route, ids: tuple[str, ...]) -> UnitLineage:
    return UnitLineage(vault_id, route, None, {item: f"m-{item}" for item in ids})
