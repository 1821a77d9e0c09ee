"""Serves workflows of documents: lists those that can be started, and starts them with documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import EditsDocuments
from shared.vault.api.body import missing, read_fields, required
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, base_path, vault_of, version_of
from shared.vault.api.workflows import (
    MAX_RECORDS,
    offered_json,
    participant_controls,
    workflow_named,
)
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller

router = APIRouter(prefix=f"{PREFIX}/objects/documents/actions", tags=["Workflows"])

CONTENTS = "contents__sys"
OLDER_CONTENTS = "documents__sys"
DESCRIPTION = "description__sys"
# A document by its id, or one of its versions by the version's id.
DOCUMENT = re.compile(r"(?:Document:)?([0-9]{1,9})|DocumentVersion:(([0-9]{1,9})_[0-9]{1,9}_[0-9]{1,9})")  # fmt: skip

START = form_documentation(
    {
        CONTENTS: "Documents, separated by commas: `Document:{id}`, or latest versions: `DocumentVersion:{version id}`",
        DESCRIPTION: "The purpose of this workflow",
        "{participant}": "Users and groups, separated by commas: `user:{id}`, `group:{id}`",
    }
)


@router.get("", summary="Workflows that can be started with documents")
async def startable(request: Request, caller: EditsDocuments) -> Response:
    """Lists the workflows for documents; for callers who may edit documents."""
    offered = vault_of(request).workflows.offered(caller)
    shown = [offered_json(each) for each in offered if each.of_documents]
    return envelope.success(data=shown)


@router.get(
    "/{workflow_name}", summary="Parameters of the start of a document workflow"
)
async def start_metadata(
    request: Request, caller: EditsDocuments, workflow_name: str
) -> Response:
    """Returns a workflow with the parameters of its start: documents, a description, and participants."""
    definition = workflow_named(request, caller, workflow_name, of_documents=True)
    controls: list[dict[str, object]] = []
    if definition.start is not None and definition.start.instructions:
        instructions: dict[str, object] = {
            "type": "instructions",
            "instructions": definition.start.instructions,
            "prompts": [],
            "label": "Instructions",
        }
        controls.append(instructions)
    controls += participant_controls(definition)
    documents = {"label": "Documents", "name": OLDER_CONTENTS}
    text = {"multi_value": False, "label": "Description", "name": DESCRIPTION}
    controls += [
        {"prompts": [documents], "label": "Documents", "type": "documents"},
        {"prompts": [text], "label": "Description", "type": "description"},
    ]
    return envelope.success(data={**offered_json(definition), "controls": controls})


@router.post(
    "/{workflow_name}",
    summary="Start a workflow with documents",
    openapi_extra=START,
)
async def start(
    request: Request, caller: EditsDocuments, workflow_name: str
) -> Response:
    """Starts the workflow with the latest versions of up to 100 documents: all of them enter it, or none.

    `documents__sys`, a list of ids, is the older name of `contents__sys`.
    """
    definition = workflow_named(request, caller, workflow_name, of_documents=True)
    inputs = await read_fields(request)
    older, contents = inputs.pop(OLDER_CONTENTS, ""), inputs.pop(CONTENTS, "")
    if not contents and not older:
        raise missing(CONTENTS)
    (description,) = required(inputs, DESCRIPTION)
    del inputs[DESCRIPTION]
    ids = await _documents(request, caller, contents or older)
    started = await vault_of(request).workflows.start(
        caller, definition.name, DOCUMENTS, ids, description, inputs
    )
    first = started.record_ids[0]
    data = {
        "record_url": f"{base_path(request)}/objects/documents/{first}",
        "record_id__v": first,
        "workflow_id": str(started.id),
    }
    return envelope.success(data=data)


async def _documents(request: Request, caller: Caller, text: str) -> list[str]:
    """Return the ids of the documents that a call names.

    :raises VaultFault: INVALID_DATA when it names none, too many, or a version that is not its document's latest.
    """
    matches = [DOCUMENT.fullmatch(part.strip()) for part in text.split(",")]
    if None in matches or len(matches) > MAX_RECORDS:
        message = (
            f"[{CONTENTS}] takes Document:{{id}}, up to {MAX_RECORDS}, with commas"
        )
        raise VaultFault(ErrorType.INVALID_DATA, message)
    found = [match for match in matches if match]
    versions = [match[2] for match in found if match[2]]
    if versions:
        await _require_latest(request, caller, versions)
    return [str(int(match[1] or match[3])) for match in found]


async def _require_latest(
    request: Request, caller: Caller, versions: list[str]
) -> None:
    """Check that each of the versions is the latest of a document: only latest versions may enter a workflow.

    :raises VaultFault: INVALID_DATA when one of them is not.
    """
    named = ", ".join(f"'{each}'" for each in versions)
    page = await vault_of(request).queries.run(
        caller,
        f"SELECT version_id FROM documents WHERE version_id CONTAINS ({named})",
        version_path=version_of(request),
    )
    latest = {row["version_id"] for row in page.rows}
    others = [each for each in versions if each not in latest]
    if others:
        message = f"Invalid value [{','.join(others[:10])}] for parameter [{CONTENTS}] specified: not a latest version"
        raise VaultFault(ErrorType.INVALID_DATA, message)
