"""Forms with a document's fields and its file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.api.body import FORM, JSON, MULTIPART, RECORD
from shared.vault.api.file_body import upload_form
from shared.vault.api.request_session import vault_of
from shared.vault.documents.document_content import file_name
from shared.vault.documents.document_store import SourceFile
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from starlette.requests import Request

FILE_FORM: dict[str, object] = {
    "requestBody": {
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": True,
                }
            },
            FORM: {"schema": RECORD},
            JSON: {"schema": RECORD},
        }
    }
}
"""``openapi_extra`` of an endpoint that takes fields and a file."""


@asynccontextmanager
async def sent_document(
    request: Request,
) -> AsyncIterator[tuple[dict[str, str], SourceFile | None]]:
    """The fields of a form, and its file, which is kept.

    :raises VaultFault: EXCEEDS_FILE_MAX_SIZE, INVALID_DATA.
    """
    vault = vault_of(request)
    limit = vault.settings.document_file_bytes
    async with upload_form(request, limit) as form:
        if form.file is None:
            yield form.fields, None
            return
        name = file_name(form.file.filename)
        file = SourceFile(await vault.content.keep(form.content(), limit=limit), name)
        await vault.document_texts.note(file.content, file.format)
        yield form.fields, file


@asynccontextmanager
async def sent_file(request: Request) -> AsyncIterator[SourceFile]:
    """The file of a form, which is kept.

    :raises VaultFault: PARAMETER_REQUIRED, EXCEEDS_FILE_MAX_SIZE, INVALID_DATA.
    """
    async with sent_document(request) as (_, file):
        if file is None:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        yield file
