"""Serves connections with other Vaults: connection files, sessions of remote Vaults, signatures and certificates."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import (
    DuplicatesConnections,
    EstablishesConnections,
    SignsMessages,
)
from shared.vault.api.body import missing, read_fields, read_record, required
from shared.vault.api.body_limits import MAX_SIGNED_BYTES
from shared.vault.api.file_body import upload_form
from shared.vault.api.openapi.request_bodies import JSON, body_of, form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of
from shared.vault.api.signing_in import client_of
from shared.vault.connections.connection_file import MAX_BYTES
from shared.vault.connections.duplication import Copy
from shared.vault.errors import VaultFault

router = APIRouter(prefix=f"{PREFIX}/services", tags=["Connections"])

PEM = "text/plain;charset=UTF-8"


@router.get("/connections/{api_name}/file", summary="Download a connection file")
async def download(
    request: Request,
    caller: SignedIn,
    api_name: str,
) -> Response:
    """Returns a new connection file, signed by this Vault; upload it in the other Vault for a Pending connection."""
    content = await vault_of(request).connections.handshake.file(caller, api_name)
    # As it was signed, byte for byte.
    return envelope.success(data=orjson.Fragment(content))


DUPLICATE = form_documentation(
    {
        "name": "Name of the copy",
        "api_name": "API name of the copy, which ends in `__c`",
        "remote_vault_id": "Id of the Vault that the copy connects with; optional",
    }
)


@router.post(
    "/connections/{api_name}/actions/duplicate",
    summary="Duplicate a connection",
    openapi_extra=DUPLICATE,
)
async def duplicate(
    request: Request,
    caller: DuplicatesConnections,
    api_name: str,
) -> Response:
    """Copies a connection with its integrations, points, rules, lookups and queue connections; the copy is Pending."""
    fields = await read_fields(request)
    name, copy_api_name = required(fields, "name", "api_name")
    copy = Copy(name, copy_api_name, fields.get("remote_vault_id", ""))
    record_id = await vault_of(request).connections.duplication.duplicate(
        caller, api_name, copy
    )
    return envelope.success(data={"id": record_id, "api_name": copy.api_name})


UPLOAD = form_documentation(
    {
        "file": "The connection file, or the acceptance that answered it",
        "connection": "API name of the connection in this Vault; by default that in the file",
    }
)


@router.post(
    "/connections/actions/upload",
    summary="Upload a connection file",
    openapi_extra=UPLOAD,
)
async def upload(request: Request, caller: EstablishesConnections) -> Response:
    """Establishes a connection from the other Vault's connection file, or from its acceptance of this Vault's file.

    The answer to a connection file has an `acceptance`: upload it in the Vault that issued the file. A saved answer may
    be uploaded unchanged.
    """
    async with upload_form(request, MAX_BYTES) as form:
        # The file is short JSON: clients send it as a file, or as the text of a field.
        content = await form.whole() or form.fields.get("file", "").encode()
        if not content:
            raise missing("file")
        name = form.fields.get("connection", "")
        handshake = vault_of(request).connections.handshake
        done = await handshake.upload(caller, content, name)
    data: dict[str, object] = {"connection": done.connection, "state": done.state}
    if done.acceptance is not None:
        # As it was signed, byte for byte: encoded anew, it would not match its signature.
        data["acceptance"] = orjson.Fragment(done.acceptance)
    return envelope.success(data=data)


@router.post("/connections/{api_name}/session", summary="Open a remote Vault's session")
async def session(
    request: Request,
    caller: SignedIn,
    api_name: str,
) -> Response:
    """Opens a session of the Authorized Connection User, or of the caller when the connection names no such user.

    For connectors, which read this Vault in it on behalf of the remote Vault. The session ends when the connection is
    no longer Active, or names another user.
    """
    vault = vault_of(request)
    opened = await vault.connections.sessions.open(caller, api_name, client_of(request))
    return envelope.success(
        sessionId=opened.session_id, userId=opened.user_id, vaultId=vault.vault_id
    )


MESSAGES = body_of(
    {
        JSON: {
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
)


@router.post(
    "/connections/{api_name}/signatures",
    summary="Sign messages",
    openapi_extra=MESSAGES,
)
async def signatures(
    request: Request,
    caller: SignsMessages,
    api_name: str,
) -> Response:
    """Returns the address of an External connection's messages, and the signed headers of up to 500 `messages`.

    For connectors, which have no signing key.
    """
    record = await read_record(request, MAX_SIGNED_BYTES)
    texts = record.get("messages")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise VaultFault(
            ErrorType.INVALID_DATA, "[messages] is a list of the messages as text"
        )
    # JSON may carry lone surrogates, which have no form in UTF-8.
    bodies = [text.encode("utf-8", "replace") for text in texts]
    signed = await vault_of(request).connections.messages.sign(caller, api_name, bodies)
    return envelope.success(data={"url": signed.url, "headers": signed.headers})


@router.get("/certificate/{certificate_id}", summary="A signing certificate")
async def certificate(request: Request, certificate_id: str) -> Response:
    """Returns the certificate of a key with which this Vault signs, as PEM; needs no session."""
    signing = vault_of(request).connections.signing
    content = signing.certificate_of(certificate_id)
    headers = {envelope.STATUS_HEADER: envelope.Status.SUCCESS}
    return Response(content, 200, headers, PEM)
