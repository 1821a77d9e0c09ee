"""Duplicates a connection with everything that belongs to it, for one more remote Vault."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.mdl_writing import render
from shared.vault.connections.connection_rules import OBJECT
from shared.vault.errors import VaultFault
from shared.vault.model.component_model import Scalar
from shared.vault.records.new_records import SOURCE
from shared.vault.records.rows import MAX_ROWS
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

INTEGRATION = "integration__sys"
POINT = "integration_point__sys"
LOOKUP = "reference_lookup__sys"
RULE = ComponentKind.INTEGRATION_RULE
QUEUE = ComponentKind.QUEUE
QUEUE_CONNECTION = PartKind.QUEUE_CONNECTION
MAX_NAME = 40  # characters of an API name
SUFFIX = "__c"

# The connection of an API name.
FIND = f"SELECT id FROM records.{OBJECT} WHERE api_name__sys = $1"
# What belongs to a connection: integrations, their points, reference lookups.
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
# The API names of integrations and points, of all connections.
TAKEN = f"""
SELECT integration_api_name__sys FROM records.{INTEGRATION}
UNION SELECT integration_point_api_name__sys FROM records.{POINT}
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """The names of the copy of a connection, and the id of its remote Vault, empty if unknown."""

    name: str
    api_name: str
    remote_vault_id: str


class Duplication:
    """Makes copies of a Vault's connections."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records

    async def duplicate(
        self,
        caller: Caller,
        api_name: str,
        copy: Copy,
    ) -> str:
        """Copy a connection with its integrations, points, lookups, rules and queue connections; return the copy's id.

        The copy is Pending and its integrations are inactive. Everything is copied in one transaction.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not copy it; INVALID_DATA for an unknown connection,
            or for a name that is not free or does not end in ``__c``; and the errors of creating the records.
        """
        authorize(caller, Grant.MANAGE_CONNECTIONS)
        authorize(caller, Grant.MANAGE_INTEGRATIONS)
        authorize(caller, Grant.MANAGE_QUEUES)
        require(caller, OBJECT, Operation.CREATE)
        if not copy.api_name.endswith(SUFFIX):
            raise VaultFault(
                ErrorType.INVALID_DATA, f"The API name of a copy ends in {SUFFIX}"
            )
        async with self._database.transaction() as connection:
            transaction = OneTransaction(connection)
            components = await self._components.within(transaction)
            records = self._records.within(transaction, components)
            copying = _Copying(connection, caller, components, records, api_name, copy)
            record_id = await copying.run()
        # The components have been changed through the transaction's own service.
        await self._components.load()
        return record_id


@dataclass(frozen=True, slots=True)
class _Copying:
    """One duplication, within its transaction; ``original`` is the API name of the connection that is copied."""

    connection: Connection
    caller: Caller
    components: ComponentService
    records: RecordService
    original: str
    copy: Copy

    async def run(self) -> str:
        """Make the copy, and return its id.

        :raises VaultFault: as ``duplicate`` does.
        """
        original = await self._find()
        row: dict[str, object] = {
            SOURCE: original,
            "name__v": self.copy.name,
            "api_name__sys": self.copy.api_name,
            "remote_vault_id__sys": self.copy.remote_vault_id or None,
        }
        (copied,) = await self._create(OBJECT, [row])
        points = await self._points(original, copied)
        lookups = await self.connection.fetch(LOOKUPS, original)
        rows = [{SOURCE: row["id"], "connection__sys": copied} for row in lookups]
        await self._create(LOOKUP, rows)
        # The records first: rules and queues refer to the connection and its points by name.
        await self._execute([*self._rules(points), *self._queues()])
        return copied

    async def _find(self) -> str:
        """Return the id of the original connection.

        :raises VaultFault: INVALID_DATA for an unknown connection.
        """
        possible = "\x00" not in self.original
        found = (
            await self.connection.fetchval(FIND, self.original) if possible else None
        )
        if found is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no connection [{self.original[:40]}]"
            )
        return str(found)

    async def _points(self, original: str, copied: str) -> dict[str, str]:
        """Copy integrations and their integration points; return the API names of the points' copies by point."""
        taken = {row[0] for row in await self.connection.fetch(TAKEN)}
        integrations = await self._integrations(original, copied, taken)
        points: dict[str, str] = {}
        rows: list[dict[str, object]] = []
        for row in await self.connection.fetch(POINTS, original):
            name = free_name(row["name"], taken)
            points[row["name"]] = name
            own = {
                SOURCE: row["id"],
                "integration_point_api_name__sys": name,
                "integration__sys": integrations[row["integration"]],
                "copy_of__sys": row["copy_of"] or row["name"],
            }
            rows.append(own)
        await self._create(POINT, rows)
        return points

    async def _integrations(
        self,
        original: str,
        copied: str,
        taken: set[str],
    ) -> dict[str, str]:
        """Copy integrations, and return the id of each copy by the id of the integration.

        ``taken`` are the API names in use, to which the names of the copies are added.
        """
        integrations = await self.connection.fetch(INTEGRATIONS, original)
        rows: list[dict[str, object]] = []
        for row in integrations:
            own = {
                SOURCE: row["id"],
                "integration_api_name__sys": free_name(row["name"], taken),
                "connection__sys": copied,
                # That of the first original: a copy of a copy does what the integration does.
                "copy_of__sys": row["copy_of"] or row["name"],
                "status__v": "inactive__v",
                "last_successful_run_time__sys": None,
            }
            rows.append(own)
        created = await self._create(INTEGRATION, rows)
        ids = [row["id"] for row in integrations]
        return dict(zip(ids, created, strict=True))

    def _rules(self, points: Mapping[str, str]) -> list[str]:
        """Return the MDL of a copy of each rule of the connection; ``points`` are the names of the points' copies."""
        registry = self.components.registry
        taken = {name for kind, name in registry.components if kind == RULE}
        texts = []
        for rule in _of_type(registry, RULE):
            if rule.text("connection") != self.original:
                continue
            own: dict[str, tuple[Scalar, ...]] = {
                "connection": (self.copy.api_name,),
                "copy_of": (rule.text("copy_of") or rule.name,),
            }
            point = rule.text("integration_point")
            if point:
                own["integration_point"] = (points.get(point, point),)
            name = free_name(rule.name, taken)
            copied = replace(rule, name=name, attributes={**rule.attributes, **own})
            texts.append(render(copied))
        return texts

    def _queues(self) -> list[str]:
        """Return the MDL of each queue of the connection, with the copy added."""
        own = {"connection_name": (self.copy.api_name,)}
        texts = []
        for queue in _of_type(self.components.registry, QUEUE):
            for child in queue.children_of(QUEUE_CONNECTION):
                if child.text("connection_name") == self.original:
                    attributes = {**child.attributes, **own}
                    added = replace(
                        child, name=self.copy.api_name, attributes=attributes
                    )
                    changed = replace(queue, children=(*queue.children, added))
                    texts.append(render(changed))
                    # Once, however often the queue names the original.
                    break
        return texts

    async def _create(
        self,
        object_name: str,
        rows: list[dict[str, object]],
    ) -> list[str]:
        """Create records, and return their ids, in the order of the rows.

        :raises VaultFault: the error of the first row that is refused.
        """
        ids: list[str] = []
        for start in range(0, len(rows), MAX_ROWS):
            page = rows[start : start + MAX_ROWS]
            for result in await self.records.create(self.caller, object_name, page):
                if result.errors:
                    error = result.errors[0]
                    raise VaultFault(error.type, error.message)
                ids.append(str(result.id))
        return ids

    async def _execute(self, texts: list[str]) -> None:
        """Execute MDL statements.

        :raises VaultFault: OPERATION_NOT_ALLOWED with the error of the first statement that is refused.
        """
        # A connection without rules and queues needs no script.
        if not texts:
            return
        script = await self.components.execute(self.caller, "\n".join(texts))
        for result in script.statements:
            if not result.ok:
                raise VaultFault(
                    ErrorType.OPERATION_NOT_ALLOWED,
                    f"{result.component}: {result.message}",
                )


def free_name(name: str, taken: set[str]) -> str:
    """Return a free name for a copy, and add it to ``taken``: ``account__v`` → ``account_2__c``."""
    stem = name.rpartition("__")[0] or name
    number = 2
    while (found := _numbered(stem, number)) in taken:
        number += 1
    taken.add(found)
    return found


def _numbered(stem: str, number: int) -> str:
    """Return a stem with a number, cut to the allowed length of a name."""
    ending = f"_{number}{SUFFIX}"
    beginning = stem[: MAX_NAME - len(ending)]
    return f"{beginning}{ending}"


def _of_type(registry: Registry, kind: str) -> Collection[Component]:
    """Return the components of a type."""
    return [
        component for (of, _), component in registry.components.items() if of == kind
    ]
