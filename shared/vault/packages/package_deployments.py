"""Carries out the deployment of an imported package: in one transaction, or in many where it has many rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.access.caller import SYSTEM
from shared.vault.configuration.component_locks import repeated_while_busy
from shared.vault.packages.deployment import Deployment, DeploymentFailed
from shared.vault.packages.package_model import PACKAGE, PackageStatus
from shared.vault.packages.package_results import (
    status_after_deployment,
    store_deployment,
)
from shared.vault.packages.package_validation import missing
from shared.vault.packages.sliced_deployment import SlicedDeployment, rows_log
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.jobs.job_model import JobContext
    from shared.vault.packages.package_model import Package
    from shared.vault.packages.package_table import PackageTable
    from shared.vault.records.record_service import RecordService
    from shared.vault.storage.database import Connection, Database


class PackageDeployments:
    """Deploys packages, and stores the outcomes of their steps."""

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        records: RecordService,
        table: PackageTable,
    ) -> None:
        self._database = database
        self._components = components
        self._records = records
        self._table = table

    async def deploy(
        self,
        context: JobContext,
        package: Package,
    ) -> PackageStatus:
        """Carry out the deployment job of a package, and return the package's status."""
        if Deployment(package).is_whole:
            return await repeated_while_busy(lambda: self._whole(context, package))
        return await self._in_slices(context, package)

    async def _whole(
        self,
        context: JobContext,
        package: Package,
    ) -> PackageStatus:
        """Deploy all steps in one transaction, which also ends the job; return the package's status.

        :raises TablesBusy: others use a table of a step; nothing was done.
        """
        deployment = Deployment(package, missing(package, self._components.registry))
        try:
            async with self._database.schema_transaction() as connection:
                transaction = OneTransaction(connection)
                components = await self._components.within(transaction)
                # Of objects as the package leaves them.
                records = self._records.within(transaction, components)
                await deployment.carry_out(context.caller, components, records)
                status = status_after_deployment(deployment)
                await self._store(context, connection, records, deployment, status)
        except DeploymentFailed:
            deployment.undone(package.steps)
            # The transaction is undone with all that it wrote: the results need one of their own.
            return await self._conclude(context, deployment, PackageStatus.ERROR)
        # Other processes load the components by a notification; this one does not wait for it.
        await self._components.load()
        await self._database.forget_statements()
        return status

    async def _in_slices(
        self,
        context: JobContext,
        package: Package,
    ) -> PackageStatus:
        """Deploy the steps in consecutive transactions, and return the package's status.

        A run continues after the last transaction of an earlier run of the job.
        """
        deployment = Deployment(package, missing(package, self._components.registry))
        sliced = SlicedDeployment(
            self._database,
            self._components,
            self._records,
            context,
            deployment,
        )
        try:
            await sliced.carry_out()
        except DeploymentFailed:
            return await self._conclude(context, deployment, PackageStatus.ERROR)
        status = status_after_deployment(deployment)
        return await self._conclude(context, deployment, status)

    async def _conclude(
        self,
        context: JobContext,
        deployment: Deployment,
        status: PackageStatus,
    ) -> PackageStatus:
        """Store the end of a deployment in a transaction of its own, and return the status."""

        async def work(connection: Connection) -> None:
            transaction = OneTransaction(connection)
            records = self._records.within(transaction, self._components)
            await self._store(context, connection, records, deployment, status)

        await self._database.unit_of_work(work)
        return status

    async def _store(
        self,
        context: JobContext,
        connection: Connection,
        records: RecordService,
        deployment: Deployment,
        status: PackageStatus,
    ) -> None:
        """Store results, logs, the record's status and the job's checkpoint."""
        package_id = str(context.parameters["package_id"])
        log = None
        if not deployment.is_whole:
            log = rows_log(self._database, context.job_id)
        await store_deployment(
            self._table,
            connection,
            package_id,
            deployment,
            status,
            log,
        )
        await set_status(records, package_id, status)
        await context.save({"status": status}, connection=connection)


async def set_status(
    records: RecordService,
    package_id: str,
    status: PackageStatus,
) -> None:
    """Write the status as the Vault itself, independent of the caller's permissions for the record."""
    values = {"id": package_id, "package_status__v": status}
    await records.update(SYSTEM, PACKAGE, [values])
