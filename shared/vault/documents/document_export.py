"""Exports the files of documents to the caller's folder of the staging area, as jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation
from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.documents.document_batches import require_size, texts
from shared.vault.documents.document_content import NO_FILE
from shared.vault.documents.document_keys import ID, MAX_ID
from shared.vault.documents.document_store import VERSION_TABLE, Place
from shared.vault.documents.versions import (
    MAJOR,
    MAX_NUMBER,
    MINOR,
    NUMBERS,
    Number,
    version_id,
)
from shared.vault.errors import ApiError, VaultFault
from shared.vault.jobs.job_model import (
    JobContext,
    JobResult,
    JobStatus,
    JobType,
    ended_state,
    error_json,
)
from shared.vault.queries.document_target import SOURCE_FILE

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.documents.document_batches import Source
    from shared.vault.documents.document_service import DocumentService
    from shared.vault.documents.unchanged_fields import Texts
    from shared.vault.files.content_service import ContentService
    from shared.vault.files.file_store import FileStore
    from shared.vault.jobs.job_service import JobService
    from shared.vault.staging.staging_service import StagingService
    from shared.vault.storage.database import Database

EXPORT = "document_export"
TITLE = "Export documents"
TIMEOUT = 12 * 3600.0  # seconds of one run; the next run writes all files anew
MAX_VERSIONS = 10_000  # of one export, the documented limit
TEXT_FILE = "text_file.txt"

# Versions by their ids, the latest ones of documents, and all of documents.
_FIELDS = f"id, {DOCUMENT_ID} AS document_id, {MAJOR}, {MINOR}"
_ORDER = f"ORDER BY {DOCUMENT_ID}, {MAJOR}, {MINOR} LIMIT $2"
_OF = f"SELECT {_FIELDS} FROM {VERSION_TABLE} WHERE"
NAMED = f"{_OF} id = ANY($1::text[]) {_ORDER}"
EVERY = f"{_OF} {DOCUMENT_ID} = ANY($1::bigint[]) {_ORDER}"
LATEST = f"{_OF} {DOCUMENT_ID} = ANY($1::bigint[]) AND latest_version__sys {_ORDER}"
FILES = """SELECT f.rendition, f.filename, f.sha256, x.text
FROM platform.document_file f LEFT JOIN platform.content_text x ON x.sha256 = f.sha256 AND f.rendition = ''
WHERE f.version_id = $1 ORDER BY f.rendition"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The kinds of files that an export writes, of the latest version of each document or of every version."""

    source: bool = True
    renditions: bool = False
    text: bool = False
    every_version: bool = False


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was written: its path in the caller's folder; ``rendition`` is empty for a source file."""

    path: str
    rendition: str
    is_text: bool = False


class DocumentExports:
    """Submits exports for callers who may read documents and use the staging area, and carries them out."""

    def __init__(
        self,
        database: Database,
        documents: DocumentService,
        content: ContentService,
        staging: StagingService,
        jobs: JobService,
        files: FileStore,
    ) -> None:
        self._database = database
        self._documents = documents
        self._content = content
        self._staging = staging
        self._jobs = jobs
        self._files = files

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this module, with their handlers."""
        return {EXPORT: JobType(self.export, timeout=TIMEOUT)}

    def require(self, caller: Caller) -> None:
        """Check that the caller may export documents.

        :raises VaultFault: INSUFFICIENT_ACCESS when not; OPERATION_NOT_ALLOWED in a Vault without document types.
        """
        self._documents.model(caller, Operation.READ)
        self._staging.area(caller)

    async def submit(
        self, caller: Caller, rows: Source, options: ExportOptions, *, numbered: bool
    ) -> int:
        """Submit an export of documents, or of single versions where rows are ``numbered``; return the job's id.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not export documents; PARAMETER_REQUIRED,
            INVALID_DATA or ATTRIBUTE_NOT_SUPPORTED for rows that name no document, or are too many.
        """
        self.require(caller)
        require_size(rows)
        if not rows:
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, "The call has no rows")
        places = [_place(texts(row), numbered=numbered) for row in rows]
        parameters = {
            "documents": [_stored(place) for place in places],
            "options": asdict(options),
        }
        return await self._jobs.submit(caller, EXPORT, TITLE, parameters)

    async def export(self, context: JobContext) -> JobResult:
        """Write the files of an export to a folder named by the job's id, and store the results."""
        self.require(context.caller)
        stored: Sequence[str] = context.parameters["documents"]  # type: ignore[assignment]
        chosen: Mapping[str, bool] = context.parameters["options"]  # type: ignore[assignment]
        options = ExportOptions(**chosen)
        versions = await self._versions(stored, options)
        if len(versions) > MAX_VERSIONS:
            message = f"An export has at most {MAX_VERSIONS} versions"
            error = error_json(ApiError(ErrorType.INVALID_DATA, message))
            return JobResult(JobStatus.ERRORS_ENCOUNTERED, {"error": error})
        results = _unknown(stored, versions)
        for version in versions:
            context.raise_if_stopped()
            results += await self._results(context, version, options)
            await context.progress("1", _counts(results))
        await self._files.put(_key(context.job_id), _once(orjson.dumps(results)))
        counts = _counts(results)
        state = ended_state(failed=counts["failure"] > 0)
        await context.progress("1", counts, state=state)
        clean = state.succeeded
        status = JobStatus.SUCCESS if clean else JobStatus.ERRORS_ENCOUNTERED
        path = f"/objects/documents/batch/actions/fileextract/{context.job_id}/results"
        return JobResult(status, {"artifacts": [path]})

    async def results(self, caller: Caller, job_id: int) -> list[dict[str, object]]:
        """Return the results of an export that has ended, in the format of the call.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not see the job; INVALID_DATA when there is no such
            export; OPERATION_NOT_ALLOWED while it has not ended.
        """
        self._documents.model(caller, Operation.READ)
        await self._jobs.finished_job(caller, job_id, EXPORT)
        key = _key(job_id)
        if await self._files.find(key) is None:
            message = f"The job [{job_id}] has no such results"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        chunks = [chunk async for chunk in self._files.get(key)]
        results: list[dict[str, object]] = orjson.loads(b"".join(chunks))
        return results

    async def copied(
        self, caller: Caller, folder: str, version: str, wanted: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Write the wanted files of a version; return the rendition type, "" for the source file, and the path of each.

        Text files are written, but not returned.

        :raises VaultFault: as ``copy`` does.
        """
        chosen = {name: name in wanted for name in ("source", "renditions", "text")}
        files = await self.copy(caller, folder, version, ExportOptions(**chosen))
        return [(file.rendition, file.path) for file in files if not file.is_text]

    async def copy(
        self, caller: Caller, folder: str, version: str, options: ExportOptions
    ) -> list[ExportedFile]:
        """Write the files of a version to a folder within the caller's own, as ``{folder}/12/0_1/letter.html``.

        :raises VaultFault: EXCEEDS_FILE_MAX_SIZE when the caller's folder has no space left.
        """
        document_id, _, number = version.partition("_")
        home = f"{folder}/{document_id}/{number}"
        async with self._database.connection() as connection:
            rows = await connection.fetch(FILES, version)
        written: list[ExportedFile] = []
        for row in rows:
            rendition = row["rendition"]
            wanted = options.source if rendition == SOURCE_FILE else options.renditions
            if wanted:
                path = f"{home}/{_name(rendition, row['filename'])}"
                if await self._copy(caller, path, row["sha256"]):
                    written.append(ExportedFile(path, rendition))
            if options.text and row["text"] is not None:
                path = f"{home}/{TEXT_FILE}"
                text = row["text"].encode()
                await self._staging.keep(caller, path, _once(text), len(text))
                written.append(ExportedFile(path, rendition, is_text=True))
        return written

    async def _copy(self, caller: Caller, path: str, sha256: str) -> bool:
        """Write one file; return whether its content still exists."""
        content = await self._content.find(sha256)
        # It may have been replaced since it was looked up, and its content swept.
        if content is None:
            return False
        chunks = self._content.read(content)
        await self._staging.keep(caller, path, chunks, content.size)
        return True

    async def _versions(
        self, stored: Sequence[str], options: ExportOptions
    ) -> list[Record]:
        """Return the versions of an export; one more than the limit when they are too many."""
        named = [name for name in stored if "_" in name]
        ids = [int(name) for name in stored if "_" not in name]
        sql = EVERY if options.every_version else LATEST
        bound = MAX_VERSIONS + 1
        async with self._database.connection() as connection:
            rows = await connection.fetch(NAMED, named, bound)
            rows += await connection.fetch(sql, ids, bound)
        return list(rows)

    async def _results(
        self, context: JobContext, version: Record, options: ExportOptions
    ) -> list[dict[str, object]]:
        """Write the files of a version, and return a result for each; for a missing file, an error."""
        about: dict[str, object] = {
            "id": int(version["document_id"]),
            MAJOR: int(version[MAJOR]),
            MINOR: int(version[MINOR]),
        }
        folder = f"/{context.job_id}"
        try:
            files = await self.copy(context.caller, folder, version["id"], options)
            if not files:
                raise VaultFault(ErrorType.INVALID_DATA, NO_FILE)
        except VaultFault as fault:
            return [_failure(about, fault)]
        owner = {"user_id__v": context.caller.user_id}
        return [
            {"responseStatus": "SUCCESS", **about, "file": file.path, **owner}
            for file in files
        ]


def _counts(results: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """Return the counts of an export's task: written and failed files."""
    failure = sum("errors" in result for result in results)
    total = len(results)
    return {"total": total, "success": total - failure, "failure": failure}


def _key(job_id: int) -> str:
    """Return the key of an export's results in the store, below its job's key, so that both are removed together."""
    return f"results/{job_id}/export.json"


def _place(row: Texts, *, numbered: bool) -> Place:
    """Return the document or the version that a row names.

    :raises VaultFault: PARAMETER_REQUIRED for a missing field, ATTRIBUTE_NOT_SUPPORTED for an unknown one, INVALID_DATA
        for an invalid value.
    """
    names = (ID, *NUMBERS) if numbered else (ID,)
    for name in sorted(row.keys() - set(names)):
        message = f"Rows of this call have no column [{name[:100]}]"
        raise VaultFault(ErrorType.ATTRIBUTE_NOT_SUPPORTED, message)
    values: list[int] = []
    for name in names:
        if not row.get(name):
            message = f"Missing required parameter [{name}]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        value = whole_number(row[name], MAX_ID if name == ID else MAX_NUMBER)
        if value is None:
            message = f"Invalid value for parameter [{name}]"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        values.append(value)
    document_id, *number = values
    return Place(document_id, Number(*number) if number else None)


def _stored(place: Place) -> str:
    """Return a document or version as the text that the job's parameters contain: its id."""
    if place.number is None:
        return str(place.document_id)
    return version_id(place.document_id, place.number)


def _unknown(
    stored: Sequence[str], versions: Sequence[Record]
) -> list[dict[str, object]]:
    """Return the results of the documents and versions of an export that do not exist."""
    known = {str(version["document_id"]) for version in versions}
    known |= {version["id"] for version in versions}
    fault = VaultFault(
        ErrorType.INVALID_DATA,
        "There is no document, or no version of it, with this number",
    )
    results: list[dict[str, object]] = []
    for name in dict.fromkeys(stored):
        if name not in known:
            document_id, *number = map(int, name.split("_"))
            about = dict(zip(NUMBERS, number, strict=False))
            results.append(_failure({"id": document_id, **about}, fault))
    return results


def _failure(about: Mapping[str, object], fault: VaultFault) -> dict[str, object]:
    """Return the result of a failed export of one document or version, which the members ``about`` name."""
    return {"responseStatus": "FAILURE", **about, "errors": [error_json(fault.error)]}


def _name(rendition: str, filename: str) -> str:
    """Return the name of an exported file: that of the source file, or a rendition's type with the file's extension."""
    if rendition == SOURCE_FILE:
        # A name in the staging area begins with no dot.
        return f"_{filename}" if filename.startswith(".") else filename
    _, dot, ending = filename.rpartition(".")
    return f"renditions/{rendition}{dot}{ending if dot else ''}"


async def _once(content: bytes) -> AsyncIterator[bytes]:
    """Yield bytes as the only chunk of a file."""
    yield content
