"""Lists Direct Data files, returns their parts and submits jobs that make them, for readers of the whole Vault."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.direct_data.direct_data_jobs import MAKE
from shared.vault.direct_data.direct_data_table import DataFile, ExtractType, FileTable
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService
    from shared.vault.storage.database import Database


@dataclass(frozen=True, slots=True)
class Period:
    """The period within which the listed files lie; a side that is None is not limited."""

    start: datetime | None = None
    stop: datetime | None = None


class DirectDataService:
    """Carries out the calls of Direct Data.

    A file has all records, all documents and the audit trails, so the caller must be allowed to read all of them.
    """

    def __init__(
        self,
        database: Database,
        components: ComponentService,
        jobs: JobService,
        files: FileStore,
    ) -> None:
        self._components = components
        self._jobs = jobs
        self._files = files
        self._table = FileTable(database)

    async def listed(
        self, caller: Caller, extract_type: str | None, period: Period
    ) -> Sequence[DataFile]:
        """Return the files of a type that lie within a period, the earliest end first.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read Direct Data; INVALID_DATA for an unknown
            type; OPERATION_NOT_ALLOWED before the first full file.
        """
        self.authorize(caller)
        kind = None if extract_type is None else extract_type_named(extract_type)
        found = await self._table.listed(kind, period.start, period.stop)
        if not found and await self._table.chain() is None:
            message = "Initial file being generated. Please check again later."
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
        return found

    async def part(
        self, caller: Caller, name: str
    ) -> tuple[str, int, AsyncIterator[bytes]]:
        """Return the file name, the size and the bytes of a part; ``name`` may omit the number of a single part.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read Direct Data; INVALID_DATA when there is no
            such part.
        """
        self.authorize(caller)
        stem, dot, digits = name.rpartition(".")
        file = await self._table.find((stem if dot else name).replace("\x00", ""))
        number = _number(digits) if dot else 1
        # The first of several parts is no archive: it must be asked for as what it is.
        found = file is not None and (dot or len(file.parts) == 1)
        if file is None or not found or not 0 < number <= len(file.parts):
            message = f"There is no Direct Data file [{name[:100]}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        sent = f"{file.name}.tar.gz.{number:03}"
        size = file.parts[number - 1].size
        return sent, size, self._files.get(file.key(number))

    async def request(self, caller: Caller, extract_type: str) -> int:
        """Submit a job that makes a file of a type now, and return the job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not read Direct Data; INVALID_DATA for an unknown
            type.
        """
        self.authorize(caller)
        authorize(caller, Grant.MANAGE_JOBS)
        kind = extract_type_named(extract_type)
        parameters = {"extract_type": kind.value}
        return await self._jobs.submit(caller, MAKE, kind.job_title, parameters)

    def authorize(self, caller: Caller) -> None:
        """Check that the caller may read Direct Data, and so every record, document and audit trail.

        :raises VaultFault: INSUFFICIENT_ACCESS when not.
        """
        authorize(caller, Grant.READ_DIRECT_DATA)
        authorize(caller, Grant.READ_AUDIT)
        for name in (*self._components.registry.objects, DOCUMENTS):
            require(caller, name, Operation.READ)


def extract_type_named(text: str) -> ExtractType:
    """Return the extract type with a name.

    :raises VaultFault: INVALID_DATA when there is none.
    """
    try:
        return ExtractType(text)
    except ValueError as error:
        message = "Invalid value for parameter [extract_type]"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error


def _number(digits: str) -> int:
    """Return the number of a part, written with three digits; 0 for any other text."""
    written = len(digits) == len("001") and digits.isascii() and digits.isdigit()
    return int(digits) if written else 0
