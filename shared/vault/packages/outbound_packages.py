"""Exports packages: components chosen as records are written to a file by a job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Grant, authorize
from shared.vault.components.registry import component_id
from shared.vault.components.schema import table as table_of
from shared.vault.errors import VaultFault
from shared.vault.packages.package_model import MEMBER, OUTBOUND
from shared.vault.packages.package_table import PackageTable, StoredPackage, put_file
from shared.vault.packages.package_writing import Header, missing_from, write_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.component_tree import Component
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_model import JobContext
    from shared.vault.jobs.job_service import JobService
    from shared.vault.packages.package_reports import Document
    from shared.vault.storage.database import Database

log = structlog.get_logger(__name__)

EXPORT = "package_export"
MAX_MEMBERS = 2_000

# Names need not be unique: the newest package of a name counts.
PACKAGE_BY = f"""
SELECT id, name__v, summary__v, description__v, target_vault_id__v FROM {table_of(OUTBOUND)}
WHERE id = $1 OR ($1 IS NULL AND name__v = $2) ORDER BY id DESC LIMIT 1
"""
MEMBERS = f"""
SELECT vault_component__v FROM {table_of(MEMBER)}
WHERE outbound_package__v = $1 AND status__v = 'active__v' ORDER BY id LIMIT $2
"""


class OutboundPackages:
    """Exports the packages that a Vault has assembled."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        jobs: JobService,
        store: FileStore,
        vault_id: int,
    ) -> None:
        self.table = PackageTable(database)
        self._database = database
        self._components = components
        self._jobs = jobs
        self._store = store
        self._vault_id = vault_id

    async def submit_export(
        self,
        caller: Caller,
        name: str,
    ) -> int:
        """Submit the export of the package of this name; return the job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)
        if not name:
            message = "Missing required parameter [packageName]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        package = await self._package(None, name)
        # Refused now rather than in the job, whose faults the caller would have to look for.
        await self._members(package["id"])
        title = f"Export package {name}"
        parameters = {"package_id": package["id"]}
        return await self._jobs.submit(
            caller,
            EXPORT,
            title,
            parameters,
        )

    async def export(self, context: JobContext) -> str:
        """Carry out the export job, and return the package's id.

        The components as they are now are written to a file, which replaces an earlier one.
        """
        package = await self._package(str(context.parameters["package_id"]), None)
        header = Header(
            name=package["name__v"],
            summary=package["summary__v"] or "",
            description=package["description__v"] or "",
            author=context.caller.username,
            source_vault=str(self._vault_id),
        )
        registry = self._components.registry
        members = await self._members(package["id"])
        # Rendering thousands of components would hold up other requests.
        content = await asyncio.to_thread(
            write_package,
            header,
            members,
            registry,
        )
        earlier = await self.table.find(package["id"])
        key = await put_file(self._store, content)
        size = len(content)
        stored = StoredPackage(
            package["id"],
            key,
            f"{header.name}.vpk",
            size,
            None,
            None,
        )
        await self._database.unit_of_work(
            lambda connection: self.table.store(connection, stored)
        )
        # Only now: until the row is stored, the earlier file is the package's.
        if earlier is not None:
            await self._store.delete(earlier.file_key)
        log.info(
            "package.exported",
            package_id=package["id"],
            components=len(members),
            user_id=context.caller.user_id,
        )
        return stored.record_id

    async def dependencies(
        self, caller: Caller, package_id: str
    ) -> tuple[Document, list[Document]]:
        """Return ``responseDetails`` and ``package_dependencies``: referenced components that the package lacks."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        package = await self._package(package_id, None)
        members = await self._members(package_id)
        missing = missing_from(members, self._components.registry)
        target = package["target_vault_id__v"] or ""
        details: Document = {
            "total_dependencies": len(missing),
            "target_vault_id": whole_number(target),
            "package_name": package["name__v"],
            "package_id": package_id,
            "package_summary": package["summary__v"],
            "package_description": package["description__v"],
        }
        dependencies = [_dependency(component, member) for component, member in missing]
        return details, dependencies

    async def _package(
        self,
        package_id: str | None,
        name: str | None,
    ) -> Record:
        self._require_objects()
        async with self._database.connection() as connection:
            found = await connection.fetchrow(PACKAGE_BY, package_id, name)
        if found is None:
            shown = (package_id or name or "")[:100]
            message = f"The resource [{shown}] does not exist"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return found

    async def _members(self, package_id: str) -> Sequence[Component]:
        """Return the components of a package.

        :raises VaultFault: OPERATION_NOT_ALLOWED for no components or too many; INVALID_DATA for a component that the
            Vault lacks.
        """
        async with self._database.connection() as connection:
            # One more than allowed shows that there are too many.
            rows = await connection.fetch(MEMBERS, package_id, MAX_MEMBERS + 1)
        if not rows:
            message = "The package has no components"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        if len(rows) > MAX_MEMBERS:
            message = f"The package has more than {MAX_MEMBERS} components"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        known = _by_name(self._components.registry)
        members: dict[tuple[str, str], Component] = {}
        for row in rows:
            name = row["vault_component__v"]
            component = known.get(name)
            if component is None:
                message = f"The package has the component [{name[:100]}], which does not exist"
                raise VaultFault(ErrorType.INVALID_DATA, message)
            members[component.key] = component
        return list(members.values())

    def _require_objects(self) -> None:
        for name in (OUTBOUND, MEMBER):
            if name not in self._components.registry.objects:
                raise VaultFault(ErrorType.INVALID_DATA, f"There is no object [{name}]")


def _by_name(registry: Registry) -> dict[str, Component]:
    """Return components by their id, and by ``Type.name``."""
    by_name = {}
    for key, component in registry.components.items():
        by_name[component_id(*key)] = component
        by_name[component.full_name] = component
    return by_name


def _dependency(
    component: Component,
    member: Component,
) -> Document:
    return {
        "id": component_id(*component.key),
        "name__v": component.text("label", component.name),
        "component_name__v": component.name,
        "component_type__v": component.type,
        "referenced_component_name": member.name,
        "referenced_component_type": member.type,
    }
