"""The staging area's jobs: move, delete, and put an upload together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.errors import VaultFault
from shared.vault.files.file_store import AlreadyThere, as_faults, delete_tree
from shared.vault.jobs.job_model import JobContext, JobResult, JobType
from shared.vault.staging import staging_service as service
from shared.vault.staging import uploads

if TYPE_CHECKING:
    from shared.vault.staging.uploads import UploadSession


async def move(context: JobContext) -> JobResult:
    """Move an item; a run that takes over from one that was cut off completes it."""
    source, target = (
        str(context.parameters["source"]),
        str(context.parameters["target"]),
    )
    resumed = bool(context.checkpoint)
    if not resumed:
        await context.save({"begun": True})
    with as_faults():
        await context.vault.files.move(source, target, resumed=resumed)
    return JobResult()


async def delete(context: JobContext) -> JobResult:
    """Delete a file, or a folder and what is in it."""
    deleted = await delete_tree(context.vault.files, str(context.parameters["key"]))
    return JobResult(results={"files_deleted": deleted})


async def commit(context: JobContext) -> JobResult:
    """Put the file of an upload session in place, and remove the session."""
    sessions = context.vault.uploads
    session_id = str(context.parameters["session"])
    try:
        session = await sessions.session(context.caller, session_id)
    except VaultFault:
        if context.checkpoint:
            return JobResult()  # the run before came to its end, but not to say so
        raise
    resumed = bool(context.checkpoint)
    await context.save({"begun": True})
    try:
        await _put_together(context, session, resumed=resumed)
    except AlreadyThere:
        await sessions.reopen(session_id)
        with as_faults():
            raise
    await sessions.remove(session_id)
    return JobResult()


async def _put_together(
    context: JobContext, session: UploadSession, *, resumed: bool
) -> None:
    files, sessions = context.vault.files, context.vault.uploads
    parts = await sessions.stored_parts(session.id)
    content = sessions.joined(parts)
    try:
        await files.put(
            session.key, content, overwrite=session.overwrite, limit=session.size
        )
    except AlreadyThere:
        there = await files.find(session.key)
        if (
            not resumed
            or there is None
            or there.is_folder
            or there.size != session.size
        ):
            raise
        if await uploads.md5_of(files.get(session.key)) != await uploads.md5_of(
            sessions.joined(parts)
        ):
            raise


JOBS = {
    service.MOVE: JobType(move),
    service.DELETE: JobType(delete),
    uploads.COMMIT: JobType(commit),
}
