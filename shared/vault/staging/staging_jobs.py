"""Carries out the staging area's jobs: moves, deletions, and the joining of uploaded parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.errors import VaultFault
from shared.vault.files.file_store import AlreadyThere, as_faults, delete_tree
from shared.vault.jobs.job_model import JobContext, JobResult, JobType
from shared.vault.staging.staging_service import DELETE, MOVE
from shared.vault.staging.uploads import COMMIT, md5_of

if TYPE_CHECKING:
    from shared.vault.files.file_store import FileStore
    from shared.vault.staging.uploads import UploadedPart, UploadService, UploadSession


class StagingJobs:
    """Carries out the jobs that the staging area submits."""

    def __init__(self, files: FileStore, uploads: UploadService) -> None:
        self._files = files
        self._uploads = uploads

    def job_types(self) -> Mapping[str, JobType]:
        """Return the job types of this part, with their handlers."""
        return {
            MOVE: JobType(self.move),
            DELETE: JobType(self.delete),
            COMMIT: JobType(self.commit),
        }

    async def move(self, context: JobContext) -> JobResult:
        """Move an item, or complete the move of a run that was interrupted.

        :raises VaultFault: when the target exists, or the source no longer does.
        """
        source = str(context.parameters["source"])
        target = str(context.parameters["target"])
        resumed = bool(context.checkpoint)
        # Saved before anything is moved: the next run then completes the move, and does not
        # take the file in its new place for another one.
        if not resumed:
            await context.save({"begun": True})
        with as_faults():
            await self._files.move(source, target, resumed=resumed)
        return JobResult()

    async def delete(self, context: JobContext) -> JobResult:
        """Delete a file, or a folder and everything in it; the result counts the files."""
        deleted = await delete_tree(self._files, str(context.parameters["key"]))
        return JobResult(results={"files_deleted": deleted})

    async def commit(self, context: JobContext) -> JobResult:
        """Join the parts of an upload session into its file, and remove the session.

        :raises VaultFault: when the session no longer exists, or another file has the key.
        """
        session_id = str(context.parameters["session"])
        resumed = bool(context.checkpoint)
        try:
            session = await self._uploads.session(context.caller, session_id)
        except VaultFault:
            if resumed:
                # The run before removed the session, and ended before it was settled.
                return JobResult()
            raise
        await context.save({"begun": True})
        try:
            await self._store(session, resumed=resumed)
        except AlreadyThere:
            # The caller may remove what is in its place, and commit again.
            await self._uploads.reopen(session_id)
            with as_faults():
                raise
        await self._uploads.remove(session_id)
        return JobResult()

    async def _store(self, session: UploadSession, *, resumed: bool) -> None:
        """Store the session's file, unless an earlier run has stored it.

        :raises AlreadyThere: when another file has its key.
        """
        parts = await self._uploads.stored_parts(session.id)
        content = self._uploads.joined(parts)
        try:
            await self._files.put(
                session.key,
                content,
                overwrite=session.overwrite,
                limit=session.size,
            )
        except AlreadyThere:
            if not resumed or not await self._is_stored(session, parts):
                raise

    async def _is_stored(
        self,
        session: UploadSession,
        parts: Sequence[UploadedPart],
    ) -> bool:
        """Return whether the stored file has the content of the parts."""
        item = await self._files.find(session.key)
        if item is None or item.is_folder or item.size != session.size:
            return False
        stored = await md5_of(self._files.get(session.key))
        uploaded = await md5_of(self._uploads.joined(parts))
        return stored == uploaded
