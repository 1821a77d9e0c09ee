"""Imports packages as records, validates them, and deploys them whole or not at all."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, authorize
from shared.vault.errors import VaultFault
from shared.vault.packages.deployment import Deployment, DeploymentFailed, StepStatus
from shared.vault.packages.package_archive import PackageFault
from shared.vault.packages.package_model import PACKAGE, Package, PackageStatus
from shared.vault.packages.package_reading import read_package
from shared.vault.packages.package_reports import (
    data_log,
    deployment_document,
    deployment_log,
    validation_document,
    validation_log,
)
from shared.vault.packages.package_table import (
    PackageTable,
    StoredPackage,
    get_file,
    put_file,
)
from shared.vault.packages.package_validation import Validation, validate
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.access.caller import Caller
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
VALIDATION_LOG = "Validation.log"
DEPLOYMENT_LOG = "Deployment.log"
DATA_LOG = "Data.csv"

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class InboundPackages:
    """The packages that a Vault has been given."""

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

    def admit(self, caller: Caller) -> None:
        """Refuse a caller who may not have packages; raises VaultFault."""
        authorize(caller, Grant.MANAGE_PACKAGES)

    async def validate_file(self, caller: Caller, content: bytes) -> Document:
        """``responseDetails`` of a package that is not imported; raises VaultFault when it is none."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        started = datetime.now(UTC)
        package = await _read(content)
        return validation_document(package, await self._validated(package), started)

    async def submit_import(
        self, caller: Caller, content: bytes, file_name: str
    ) -> int:
        """Keep the file and queue its import; the job's id. Raises VaultFault when it is no package."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        package = await _read(content)
        key = await put_file(self._store, content)
        parameters = {
            "file_key": key,
            "file_name": file_name[:200] or f"{package.name}.vpk",
        }
        return await self._jobs.submit(
            caller, IMPORT, f"Import package {package.name}", parameters
        )

    async def import_file(self, context: JobContext) -> str:
        """The import job: the record, its file and its first validation appear together; the record's id."""
        if context.checkpoint:
            return str(context.checkpoint["package_id"])
        key, name = (
            str(context.parameters["file_key"]),
            str(context.parameters["file_name"]),
        )
        try:
            package_id = await self._import(context, key, name)
        except VaultFault:
            await self._store.delete(key)
            raise
        for abandoned in await self.table.remove_abandoned():
            await self._store.delete(abandoned)
        return package_id

    async def _import(self, context: JobContext, key: str, name: str) -> str:
        content = await get_file(self._store, key)
        package, started = await _read(content), datetime.now(UTC)
        validation = await self._validated(package)

        async def work(connection: Connection) -> str:
            (result,) = await self._within(connection).create(
                context.caller, PACKAGE, [_record(package, validation, name)]
            )
            if result.errors or result.id is None:
                raise VaultFault(result.errors[0].type, result.errors[0].message)
            document = validation_document(package, validation, started, result.id)
            await self.table.store(
                connection,
                StoredPackage(result.id, key, name, len(content), document, None),
            )
            await self._log_validation(connection, result.id, package, validation)
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

    async def validate(self, caller: Caller, package_id: str) -> Document:
        """Validate an imported package again, and return its ``responseDetails``."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        stored, package = await self._package(package_id)
        started = datetime.now(UTC)
        validation = await self._validated(package)
        document = validation_document(package, validation, started, package_id)

        async def work(connection: Connection) -> None:
            await self.table.set_validation(connection, package_id, document)
            await self._log_validation(connection, package_id, package, validation)
            if stored.deployment is None:
                await _set_status(
                    self._within(connection), package_id, _status(validation)
                )

        await self._database.unit_of_work(work)
        return document

    async def submit_deploy(self, caller: Caller, package_id: str) -> int:
        """Queue the deployment of an imported package; the job's id."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        stored, package = await self._package(package_id)
        parameters = {"package_id": stored.record_id}
        key = f"{DEPLOY}:{stored.record_id}"
        return await self._jobs.submit(
            caller,
            DEPLOY,
            f"Deploy package {package.name}",
            parameters,
            singleton_key=key,
        )

    async def deploy(self, context: JobContext) -> PackageStatus:
        """Carry out the deployment job in one transaction, which also records that it is done; return the package's status."""
        if context.checkpoint:
            return PackageStatus(str(context.checkpoint["status"]))
        package_id = str(context.parameters["package_id"])
        _, package = await self._package(package_id)
        deployment = Deployment(package)
        try:
            async with self._database.schema_transaction() as connection:
                records = await self._carry_out(context, connection, deployment)
                status = _outcome(deployment)
                await self._conclude(context, connection, records, deployment, status)
        except DeploymentFailed:
            deployment.undone()
            status = PackageStatus.ERROR
            await self._database.unit_of_work(
                lambda own: self._conclude(
                    context, own, self._within(own), deployment, status
                )
            )
        else:
            # The notification tells the other processes; this one does not wait for it.
            await self._components.load()
            await self._database.forget_statements()
        log.info(
            "package.deployed",
            package_id=package_id,
            status=status,
            user_id=context.caller.user_id,
        )
        return status

    async def results(self, caller: Caller, package_id: str) -> StoredPackage:
        """What is known of an imported package; raises VaultFault when there is no such one."""
        authorize(caller, Grant.MANAGE_PACKAGES)
        return await self._stored(package_id)

    async def _carry_out(
        self, context: JobContext, connection: Connection, deployment: Deployment
    ) -> RecordService:
        """Deploy within the transaction; what then writes records there as the package has made them."""
        transaction = OneTransaction(connection)
        components = await self._components.within(transaction)
        records = self._records.within(transaction, components)
        await deployment.carry_out(context.caller, components, records)
        return records

    def _within(self, connection: Connection) -> RecordService:
        return self._records.within(OneTransaction(connection), self._components)

    async def _conclude(
        self,
        context: JobContext,
        connection: Connection,
        records: RecordService,
        deployment: Deployment,
        status: PackageStatus,
    ) -> None:
        """Store results, logs, the record's status and the job's checkpoint."""
        package_id = str(context.parameters["package_id"])
        await self.table.set_deployment(
            connection, package_id, deployment_document(deployment, package_id, status)
        )
        text = deployment_log(deployment, status)
        await self.table.write_log(
            connection,
            package_id,
            _log_name(deployment.package, DEPLOYMENT_LOG),
            "deployment",
            text,
        )
        rows = data_log(deployment.outcomes)
        if rows is not None:
            await self.table.write_log(
                connection,
                package_id,
                _log_name(deployment.package, DATA_LOG),
                "data",
                rows,
            )
        await _set_status(records, package_id, status)
        await context.save({"status": status}, connection=connection)

    async def _log_validation(
        self,
        connection: Connection,
        package_id: str,
        package: Package,
        validation: Validation,
    ) -> None:
        text = validation_log(package, validation)
        await self.table.write_log(
            connection,
            package_id,
            _log_name(package, VALIDATION_LOG),
            "validation",
            text,
        )

    async def _validated(self, package: Package) -> Validation:
        return await asyncio.to_thread(validate, package, self._components.registry)

    async def _stored(self, package_id: str) -> StoredPackage:
        stored = await self.table.find(package_id)
        if stored is None:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"The resource [{package_id[:100]}] does not exist",
            )
        return stored

    async def _package(self, package_id: str) -> tuple[StoredPackage, Package]:
        stored = await self._stored(package_id)
        return stored, await _read(await get_file(self._store, stored.file_key))


async def _set_status(
    records: RecordService, package_id: str, status: PackageStatus
) -> None:
    """Write the status as the Vault itself: the caller's permissions for the record do not matter."""
    await records.update(
        SYSTEM, PACKAGE, [{"id": package_id, "package_status__v": status}]
    )


async def _read(content: bytes) -> Package:
    try:
        return await asyncio.to_thread(read_package, content)
    except PackageFault as fault:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"The file is not a valid package: {fault}"
        ) from fault


def _record(
    package: Package, validation: Validation, file_name: str
) -> Mapping[str, object]:
    return {
        "name__v": package.name[:128],
        "summary__v": package.summary,
        "description__v": package.description,
        "author__v": package.author[:255],
        "source_vault__v": package.source_vault[:100],
        "file_name__v": file_name,
        "package_status__v": _status(validation),
    }


def _log_name(package: Package, kind: str) -> str:
    """Return the file name of a log, of characters that need no escaping in a path."""
    return f"{_UNSAFE.sub('_', package.name)[:100]}-{kind}"


def _status(validation: Validation) -> PackageStatus:
    return PackageStatus.BLOCKED if validation.blocked else PackageStatus.VERIFIED


def _outcome(deployment: Deployment) -> PackageStatus:
    warned = any(
        outcome.status is StepStatus.DEPLOYED_WITH_WARNINGS
        for outcome in deployment.outcomes
    )
    return (
        PackageStatus.DEPLOYED_WITH_WARNINGS
        if warned or deployment.package.code
        else PackageStatus.DEPLOYED
    )
