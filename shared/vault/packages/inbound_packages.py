"""Imports packages as records, validates them, and submits and runs their deployment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.errors import VaultFault
from shared.vault.packages.deployment_plan import actions
from shared.vault.packages.package_archive import PackageFault
from shared.vault.packages.package_deployments import PackageDeployments, set_status
from shared.vault.packages.package_model import (
    PACKAGE,
    DataStep,
    Package,
    PackageStatus,
)
from shared.vault.packages.package_reading import read_package
from shared.vault.packages.package_reports import validation_document
from shared.vault.packages.package_results import (
    log_validation,
    record_values,
    status_after_validation,
)
from shared.vault.packages.package_table import (
    PackageTable,
    StoredPackage,
    get_file,
    put_file,
)
from shared.vault.packages.package_validation import (
    Validation,
    validate,
)
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.statement import Statement
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_model import JobContext
    from shared.vault.jobs.job_service import JobService
    from shared.vault.packages.package_reports import Document
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database

log = structlog.get_logger(__name__)

IMPORT = "package_import"
DEPLOY = "package_deploy"


class InboundPackages:
    """Imports, validates and deploys the packages that callers send to a Vault."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        jobs: JobService,
        store: FileStore,
    ) -> None:
        self.table = PackageTable(database)
        self._database = database
        self._components = components
        self._records = records
        self._jobs = jobs
        self._store = store
        self._deployments = PackageDeployments(
            database,
            components,
            records,
            self.table,
        )

    def admit(self, caller: Caller) -> None:
        """Check that the caller may manage packages.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)

    async def validate_file(
        self,
        caller: Caller,
        content: bytes,
    ) -> Document:
        """Return the ``responseDetails`` of validating a package file, which is not imported.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when the file is no package.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)
        started = datetime.now(UTC)
        package = await _read(content)
        validation = await self._validated(package)
        return validation_document(package, validation, started)

    async def submit_import(
        self,
        caller: Caller,
        content: bytes,
        file_name: str,
    ) -> int:
        """Store the file and submit its import; return the job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when the file is no package.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)
        # Before the job: its caller learns at once that a file is no package.
        package = await _read(content)
        key = await put_file(self._store, content)
        parameters = {
            "file_key": key,
            "file_name": file_name[:200] or f"{package.name}.vpk",
        }
        return await self._jobs.submit(
            caller,
            IMPORT,
            f"Import package {package.name}",
            parameters,
        )

    async def import_file(self, context: JobContext) -> str:
        """Carry out the import job, and return the record's id.

        The record, its file and its first validation appear together.

        :raises VaultFault: INVALID_DATA when the file is no package, or the error that refuses the record.
        """
        if context.checkpoint:
            # Done by a run that was cut off before it could end.
            return str(context.checkpoint["package_id"])
        key = str(context.parameters["file_key"])
        name = str(context.parameters["file_name"])
        try:
            package_id = await self._import(context, key, name)
        except VaultFault:
            # A refused import is not tried again, so nothing else reads the file.
            await self._store.delete(key)
            raise
        # Records of packages are deleted like any others: their files go with the next import.
        for abandoned in await self.table.remove_abandoned():
            await self._store.delete(abandoned)
        return package_id

    async def _import(
        self,
        context: JobContext,
        key: str,
        name: str,
    ) -> str:
        content = await get_file(self._store, key)
        package = await _read(content)
        started = datetime.now(UTC)
        validation = await self._validated(package)
        values = record_values(package, validation, name)

        async def work(connection: Connection) -> str:
            records = self._within(connection)
            (result,) = await records.create(context.caller, PACKAGE, [values])
            if result.errors or result.id is None:
                error = result.errors[0]
                raise VaultFault(error.type, error.message)
            document = validation_document(
                package,
                validation,
                started,
                result.id,
            )
            size = len(content)
            stored = StoredPackage(
                result.id,
                key,
                name,
                size,
                document,
                None,
            )
            await self.table.store(connection, stored)
            await log_validation(
                self.table,
                connection,
                result.id,
                package,
                validation,
            )
            await context.save({"package_id": result.id}, connection=connection)
            return result.id

        package_id = await self._database.unit_of_work(work)
        log.info(
            "package.imported",
            package_id=package_id,
            blocked=validation.blocked,
            user_id=context.caller.user_id,
        )
        return package_id

    async def validate(
        self,
        caller: Caller,
        package_id: str,
    ) -> Document:
        """Validate an imported package again, and return its ``responseDetails``."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        stored, package = await self._package(package_id)
        started = datetime.now(UTC)
        validation = await self._validated(package)
        document = validation_document(
            package,
            validation,
            started,
            package_id,
        )

        async def work(connection: Connection) -> None:
            await self.table.set_validation(connection, package_id, document)
            await log_validation(
                self.table,
                connection,
                package_id,
                package,
                validation,
            )
            # A package that was deployed keeps the status of its deployment.
            if stored.deployment is None:
                records = self._within(connection)
                await set_status(
                    records, package_id, status_after_validation(validation)
                )

        await self._database.unit_of_work(work)
        return document

    async def submit_deploy(
        self,
        caller: Caller,
        package_id: str,
    ) -> int:
        """Submit the deployment of an imported package; return the job's id."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        stored, package = await self._package(package_id)
        parameters = {"package_id": stored.record_id}
        key = f"{DEPLOY}:{stored.record_id}"
        return await self._jobs.submit(
            caller,
            DEPLOY,
            f"Deploy package {package.name}",
            parameters,
            # Two deployments of one package would undo each other's results.
            singleton_key=key,
        )

    async def deploy(self, context: JobContext) -> PackageStatus:
        """Carry out the deployment job, and return the package's status.

        A later run of the job does not repeat a deployment that was committed; a deployment in slices continues after
        its last transaction.
        """
        done = context.checkpoint.get("status")
        if done is not None:
            return PackageStatus(str(done))
        package_id = str(context.parameters["package_id"])
        _, package = await self._package(package_id)
        status = await self._deployments.deploy(context, package)
        log.info(
            "package.deployed",
            package_id=package_id,
            status=status,
            user_id=context.caller.user_id,
        )
        return status

    async def results(
        self,
        caller: Caller,
        package_id: str,
    ) -> StoredPackage:
        """Return the stored data of an imported package.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA when there is no such package.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)
        return await self._stored(package_id)

    async def statements(self, caller: Caller, package_id: str) -> list[Statement]:
        """Return the statements that the deployment of an imported package would execute, in their order.

        :raises VaultFault: as ``results`` does.
        """
        authorize(caller, Grant.MANAGE_PACKAGES)
        _, package = await self._package(package_id)
        planned = actions(package.steps, self._components.registry.components)
        return [each.statement for each in planned if each.statement is not None]

    async def file(self, caller: Caller, package_id: str) -> StoredPackage:
        """Return the stored data of a package to a caller who may read its file, which contains values of records.

        :raises VaultFault: as ``results`` does; INSUFFICIENT_ACCESS when the caller may not read an object with data.
        """
        stored = await self.results(caller, package_id)
        _, package = await self._package(package_id)
        for step in package.steps:
            if isinstance(step, DataStep):
                require(caller, step.object_name, Operation.READ)
        return stored

    def _within(self, connection: Connection) -> RecordService:
        return self._records.within(OneTransaction(connection), self._components)

    async def _validated(self, package: Package) -> Validation:
        return await asyncio.to_thread(validate, package, self._components.registry)

    async def _stored(self, package_id: str) -> StoredPackage:
        stored = await self.table.find(package_id)
        if stored is None:
            message = f"The resource [{package_id[:100]}] does not exist"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return stored

    async def _package(self, package_id: str) -> tuple[StoredPackage, Package]:
        stored = await self._stored(package_id)
        content = await get_file(self._store, stored.file_key)
        package = await _read(content)
        return stored, package


async def _read(content: bytes) -> Package:
    # Unpacking and parsing can take seconds: in a thread, so that other requests go on.
    try:
        return await asyncio.to_thread(read_package, content)
    except PackageFault as fault:
        message = f"The file is not a valid package: {fault}"
        raise VaultFault(ErrorType.INVALID_DATA, message) from fault
