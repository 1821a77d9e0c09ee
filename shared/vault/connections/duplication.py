"""Duplicating a connection: a copy of its own, with all that hangs on it, for one more remote Vault."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl import render
from shared.vault.connections.connection_rules import OBJECT
from shared.vault.errors import VaultFault
from shared.vault.records.new_records import SOURCE
from shared.vault.records.rows import MAX_ROWS
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

INTEGRATION, POINT, LOOKUP = (
    "integration__sys",
    "integration_point__sys",
    "reference_lookup__sys",
)
MAX_NAME = 40
SUFFIX = "__c"

FIND = f"SELECT id FROM records.{OBJECT} WHERE api_name__sys = $1"
INTEGRATIONS = f"""
SELECT id, integration_api_name__sys AS name, copy_of__sys AS copy_of FROM records.{INTEGRATION}
WHERE connection__sys = $1 ORDER BY id
"""
POINTS = f"""
SELECT p.id, p.integration_point_api_name__sys AS name, p.copy_of__sys AS copy_of, p.integration__sys AS integration
FROM records.{POINT} p JOIN records.{INTEGRATION} i ON i.id = p.integration__sys
WHERE i.connection__sys = $1 ORDER BY p.id
"""
LOOKUPS = f"SELECT id FROM records.{LOOKUP} WHERE connection__sys = $1 ORDER BY id"
TAKEN = f"""
SELECT integration_api_name__sys FROM records.{INTEGRATION}
UNION SELECT integration_point_api_name__sys FROM records.{POINT}
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """What the copy of a connection is to be called, and which Vault it is for, if that is known."""

    name: str
    api_name: str
    remote_vault_id: str


class Duplication:
    """Makes copies of a Vault's connections."""

    def __init__(
        self, database: Database, components: ComponentService, records: RecordService
    ) -> None:
        self._database = database
        self._components = components
        self._records = records

    async def duplicate(self, caller: Caller, api_name: str, copy: Copy) -> str:
        """Copy a connection with its integrations, points, lookups, rules and queue connections; the copy's id.

        The copy is Pending and its integrations are inactive. All of it is one transaction.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for an unknown connection, or a name that is not free or
            does not end in ``__c``; as creating the records does.
        """
        for grant in (
            Grant.MANAGE_CONNECTIONS,
            Grant.MANAGE_INTEGRATIONS,
            Grant.MANAGE_QUEUES,
        ):
            authorize(caller, grant)
        require(caller, OBJECT, Operation.CREATE)
        if not copy.api_name.endswith(SUFFIX):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"The API name of a copy ends in {SUFFIX}"
            )
        async with self._database.transaction() as connection:
            transaction = OneTransaction(connection)
            components = await self._components.within(transaction)
            records = self._records.within(transaction, components)
            record_id = await _Copying(
                connection, caller, components, records, api_name, copy
            ).run()
        await self._components.load()
        return record_id


@dataclass(frozen=True, slots=True)
class _Copying:
    """One duplication, inside its transaction."""

    connection: Connection
    caller: Caller
    components: ComponentService
    records: RecordService
    original: str
    copy: Copy

    async def run(self) -> str:
        original = (
            await self.connection.fetchval(FIND, self.original)
            if "\x00" not in self.original
            else None
        )
        if original is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no connection [{self.original[:40]}]"
            )
        row = {
            SOURCE: original,
            "name__v": self.copy.name,
            "api_name__sys": self.copy.api_name,
        }
        (copied,) = await self._create(
            OBJECT, [{**row, "remote_vault_id__sys": self.copy.remote_vault_id or None}]
        )
        points = await self._points(original, copied)
        lookups = [row["id"] for row in await self.connection.fetch(LOOKUPS, original)]
        await self._create(
            LOOKUP, [{SOURCE: lookup, "connection__sys": copied} for lookup in lookups]
        )
        await self._execute([*self._rules(points), *self._queues()])
        return copied

    async def _points(self, original: str, copied: str) -> dict[str, str]:
        """Copy integrations and their points; the API names of the points' copies by those of the points."""
        taken = {row[0] for row in await self.connection.fetch(TAKEN)}
        rows = []
        integrations = await self.connection.fetch(INTEGRATIONS, original)
        for row in integrations:
            own = {
                "integration_api_name__sys": free_name(row["name"], taken),
                "connection__sys": copied,
            }
            rows.append(
                {SOURCE: row["id"], **own, **_inactive(row["copy_of"] or row["name"])}
            )
        ids = dict(
            zip(
                (row["id"] for row in integrations),
                await self._create(INTEGRATION, rows),
                strict=True,
            )
        )
        points, rows = dict[str, str](), []
        for row in await self.connection.fetch(POINTS, original):
            points[row["name"]] = name = free_name(row["name"], taken)
            own = {
                "integration_point_api_name__sys": name,
                "integration__sys": ids[row["integration"]],
            }
            rows.append(
                {
                    SOURCE: row["id"],
                    **own,
                    "copy_of__sys": row["copy_of"] or row["name"],
                }
            )
        await self._create(POINT, rows)
        return points

    def _rules(self, points: Mapping[str, str]) -> list[str]:
        registry = self.components.registry
        taken = {
            name
            for kind, name in registry.components
            if kind == ComponentKind.INTEGRATION_RULE
        }
        texts = []
        for rule in _of_type(registry, ComponentKind.INTEGRATION_RULE):
            if rule.text("connection") == self.original:
                point = rule.text("integration_point")
                own = {
                    "connection": (self.copy.api_name,),
                    "copy_of": (rule.text("copy_of") or rule.name,),
                    **(
                        {"integration_point": (points.get(point, point),)}
                        if point
                        else {}
                    ),
                }
                name = free_name(rule.name, taken)
                texts.append(
                    render(
                        replace(rule, name=name, attributes={**rule.attributes, **own})
                    )
                )
        return texts

    def _queues(self) -> list[str]:
        """Each queue with a connection more for each that it has with the original."""
        texts = []
        for queue in _of_type(self.components.registry, ComponentKind.QUEUE):
            added = tuple(
                replace(
                    child,
                    name=self.copy.api_name,
                    attributes={
                        **child.attributes,
                        "connection_name": (self.copy.api_name,),
                    },
                )
                for child in queue.children_of(PartKind.QUEUE_CONNECTION)
                if child.text("connection_name") == self.original
            )
            if added:
                texts.append(
                    render(replace(queue, children=(*queue.children, *added[:1])))
                )
        return texts

    async def _create(
        self, object_name: str, rows: list[dict[str, object]]
    ) -> list[str]:
        ids: list[str] = []
        for start in range(0, len(rows), MAX_ROWS):
            for result in await self.records.create(
                self.caller, object_name, rows[start : start + MAX_ROWS]
            ):
                if result.errors:
                    raise VaultFault(result.errors[0].type, result.errors[0].message)
                ids.append(str(result.id))
        return ids

    async def _execute(self, texts: list[str]) -> None:
        script = (
            await self.components.execute(self.caller, "\n".join(texts))
            if texts
            else None
        )
        for result in script.statements if script else ():
            if not result.ok:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"{result.component}: {result.message}",
                )


def free_name(name: str, taken: set[str]) -> str:
    """A name for a copy, not yet ``taken``, which it is added to: ``account__v`` → ``account_2__c``."""
    stem = name.rpartition("__")[0] or name
    number = 2
    while (
        found := f"{stem[: MAX_NAME - len(f'_{number}{SUFFIX}')]}_{number}{SUFFIX}"
    ) in taken:
        number += 1
    taken.add(found)
    return found


def _inactive(copy_of: str) -> dict[str, object]:
    return {
        "copy_of__sys": copy_of,
        "status__v": "inactive__v",
        "last_successful_run_time__sys": None,
    }


def _of_type(registry: Registry, kind: str) -> Collection[Component]:
    return [
        component for (of, _), component in registry.components.items() if of == kind
    ]
