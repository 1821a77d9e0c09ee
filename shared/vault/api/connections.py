"""Connections: connection files, sessions of remote Vaults, and the certificate of what this Vault signs."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields, read_record
from shared.vault.api.file_body import upload_form
from shared.vault.api.openapi.request_bodies import JSON, form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.connections.connection_file import MAX_BYTES
from shared.vault.connections.duplication import Copy
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Connections"])

PEM = "text/plain;charset=UTF-8"


@router.get("/connections/{api_name}/file", summary="Download a connection file")
async def download(request: Request, caller: SignedIn, api_name: str) -> Response:
    """A new file, signed by this Vault, that establishes a Pending connection when the other Vault uploads it."""
    content = await vault_of(request).connections.handshake.file(caller, api_name)
    return envelope.success(data=orjson.Fragment(content))


DUPLICATE = form_documentation(
    {
        "name": "Name of the copy",
        "api_name": "Its API name, which ends in `__c`",
        "remote_vault_id": "Id of the Vault that it is for; optional",
    }
)


@router.post(
    "/connections/{api_name}/actions/duplicate",
    summary="Duplicate a connection",
    openapi_extra=DUPLICATE,
)
async def duplicate(request: Request, caller: SignedIn, api_name: str) -> Response:
    """A Pending copy with integrations, points, rules, lookups and queue connections of its own."""
    fields = await read_fields(request)
    for name in ("name", "api_name"):
        if not fields.get(name):
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, f"Missing required parameter [{name}]"
            )
    copy = Copy(fields["name"], fields["api_name"], fields.get("remote_vault_id", ""))
    record_id = await vault_of(request).connections.duplication.duplicate(
        caller, api_name, copy
    )
    return envelope.success(data={"id": record_id, "api_name": copy.api_name})


UPLOAD = form_documentation(
    {
        "file": "The connection file, or the acceptance that answered it",
        "connection": "API name of the connection here; that of the file when left out",
    }
)


@router.post(
    "/connections/actions/upload",
    summary="Upload a connection file",
    openapi_extra=UPLOAD,
)
async def upload(request: Request, caller: SignedIn) -> Response:
    """Takes the other Vault's connection file, or the acceptance that answers this Vault's own.

    The answer to a connection file has an `acceptance`, which is uploaded in the Vault that issued the file. Answers
    may be uploaded as they were saved.
    """
    async with upload_form(request, MAX_BYTES) as form:
        content = (
            b"".join([chunk async for chunk in form.content()])
            or form.fields.get("file", "").encode()
        )
        if not content:
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [file]"
            )
        name = form.fields.get("connection", "")
        done = await vault_of(request).connections.handshake.upload(
            caller, content, name
        )
    data: dict[str, object] = {"connection": done.connection, "state": done.state}
    if done.acceptance is not None:
        data["acceptance"] = orjson.Fragment(done.acceptance)
    return envelope.success(data=data)


@router.post("/connections/{api_name}/session", summary="Open a remote Vault's session")
async def session(request: Request, caller: SignedIn, api_name: str) -> Response:
    """For connectors: a session of the Authorized Connection User, or of the caller where the connection names none.

    The remote Vault's reads are made in it. It ends when the connection is not Active any more, or names another user.
    """
    vault = vault_of(request)
    opened = await vault.connections.sessions.open(caller, api_name)
    return envelope.success(
        sessionId=opened.session_id, userId=opened.user_id, vaultId=vault.vault_id
    )


MESSAGES = {
    "requestBody": {
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "messages": {
                            "type": "array",
                            "maxItems": 500,
                            "items": {"type": "string"},
                        }
                    },
                }
            }
        }
    }
}


@router.post(
    "/connections/{api_name}/signatures",
    summary="Sign messages",
    openapi_extra=MESSAGES,
)
async def signatures(request: Request, caller: SignedIn, api_name: str) -> Response:
    """For connectors: where an External connection's messages go, and the signed headers of up to 500 `messages`."""
    record = await read_record(request)
    given = record.get("messages")
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise VaultFault(
            ErrorType.INVALID_DATA, "[messages] is a list of the messages as text"
        )
    bodies = [text.encode("utf-8", "replace") for text in given]
    signed = await vault_of(request).connections.messages.sign(caller, api_name, bodies)
    return envelope.success(data={"url": signed.url, "headers": signed.headers})


@router.get("/certificate/{certificate_id}", summary="A signing certificate")
async def certificate(request: Request, certificate_id: str) -> Response:
    """The certificate, as PEM, of the key that this Vault signs with; needs no session."""
    headers = {envelope.STATUS_HEADER: envelope.Status.SUCCESS}
    return Response(
        vault_of(request).connections.signing.certificate_of(certificate_id),
        200,
        headers,
        PEM,
    )
