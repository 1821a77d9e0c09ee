"""Reads the context of a request (version, host, client, session), and writes the headers of its answer."""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import parse_qs

import structlog
from fastapi import Depends, Security
from fastapi.security import APIKeyHeader
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

from shared.protocol.client_ids import CLIENT_ID
from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import read_moment
from shared.runtime.telemetry import metrics
from shared.vault.access.caller import Caller
from shared.vault.errors import VaultFault
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.assembly.vault import Vault
    from shared.vault.security.call_limits import Usage

VERSIONS = tuple(f"v{year}.{release}" for year in (24, 25, 26) for release in (1, 2, 3))
"""The versions that ``GET /api/`` lists; any other well-formed one is answered in the same way."""

PREFIX = "/api/{version:vault_version}"
# Signing in begins outside ``/api``; these paths answer with envelopes all the same.
OUTSIDE = ("/auth/discovery", "/auth/oauth/session/")

# The names end up in the log and in answers: what could break a line there is not taken over.
REFERENCE_ID = re.compile(r"[\x20-\x7e]{1,100}")
# Vaults that call Vaults have client ids of this head and the connection's API name.
CONNECTION = "veeva-vault-"
INVALID = "invalid"
UNKNOWN = "unknown"
MAX_PARAMETERS = 1000
# Enough to find a session in a log, too little to use it.
TRUNCATED_LENGTH = 8
STATUS = b"x-vaultapi-status"

BEARER = "bearer"
DATE_LENGTH = len("2000-01-01")
CSV_TYPE = "text/csv"
JSON_TYPE = "application/json"
XML_TYPE = "application/xml"

Header = tuple[bytes, bytes]

_authorization = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="The session id, alone or after `Bearer`.",
)


class VersionConvertor(Convertor[str]):
    """Path parameter ``vYY.N``; any other text makes the path unknown."""

    regex = r"v\d{1,3}\.\d{1,3}"

    def convert(self, value: str) -> str:
        """Return the version as it stands in the path."""
        return value

    def to_string(self, value: str) -> str:
        """Return the version as it stands in paths."""
        return value


register_url_convertor("vault_version", VersionConvertor())


def is_api(path: str) -> bool:
    """Return whether a path belongs to the API; other paths have neither envelopes nor API headers."""
    return path == "/api" or path.startswith(("/api/", *OUTSIDE))


def version_of(request: Request) -> str:
    """Return the API version in the path; on paths without a version, the highest."""
    version = request.path_params.get("version", VERSIONS[-1])
    return str(version)


def base_path(request: Request) -> str:
    """Return ``/api/{version}``, with which every url in an answer begins."""
    return f"/api/{version_of(request)}"


def wants_csv(accept: str) -> bool:
    """Return whether an Accept header names CSV before JSON."""
    return _prefers(accept, CSV_TYPE)


def wants_xml(accept: str) -> bool:
    """Return whether an Accept header names XML before JSON."""
    # Most calls name none, and need no parsing.
    return XML_TYPE in accept.lower() and _prefers(accept, XML_TYPE)


def _prefers(accept: str, wanted: str) -> bool:
    """Return whether the media type ``wanted`` stands before JSON in an Accept header; weights (``q=``) are ignored."""
    known = (kind for kind in media_types(accept) if kind in (wanted, JSON_TYPE))
    return next(known, JSON_TYPE) == wanted


def media_types(accept: str) -> list[str]:
    """Return the media types of an Accept header in their order, without parameters, in lower case."""
    entries = [entry.partition(";")[0] for entry in accept.split(",")]
    return [entry.strip().lower() for entry in entries]


def parse_moment(name: str, text: str | None) -> datetime | None:
    """Return the moment in query parameter ``name``, UTC unless it has a time zone; None without a text.

    :raises VaultFault: INVALID_DATA when the text is neither a date nor a date and time.
    """
    if not text:
        return None
    try:
        if len(text) == DATE_LENGTH:
            day = date.fromisoformat(text)
            return datetime.combine(day, time.min, UTC)
        return read_moment(text.strip())
    except ValueError as error:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Invalid value for parameter [{name}]"
        ) from error


def vault_of(request: Request) -> Vault:
    """Return the Vault that this application serves.

    :raises DatabaseUnavailable: until the Vault has started.
    """
    vault = cast("Vault", request.app.state.vault)
    # A Vault that still loads its configuration would answer that users, objects or queues do not exist.
    if not vault.started:
        message = "the Vault is starting"
        raise DatabaseUnavailable(message)
    return vault


async def signed_in(
    request: Request, authorization: Annotated[str | None, Security(_authorization)]
) -> Caller:
    """Return the caller of the session in the Authorization header; delay a caller who calls too often.

    :raises VaultFault: INVALID_SESSION_ID without a live session; CONFIGURATION_MODE_ENABLED in configuration mode,
        unless the caller is an administrator.
    """
    return await admitted(request, session_id_in(authorization))


async def admitted(
    request: Request, session_id: str | None, *, used: bool = True
) -> Caller:
    """Return the caller of a session; delay a caller who calls too often.

    Without ``used`` the call does not restart the session's idle time.

    :raises VaultFault: INVALID_SESSION_ID without a live session; CONFIGURATION_MODE_ENABLED in configuration mode,
        unless the caller is an administrator.
    """
    vault = vault_of(request)
    caller = await vault.security.sessions.caller(session_id, used=used)
    # Before the refusals that follow, so that their answers carry the caller's headers as well.
    remember(request, caller.user_id, session_id or "")
    request.state.revision = caller.revision
    mode = vault.configuration_mode
    if mode.enabled:
        mode.admit(caller)
    usage = vault.burst.count(caller)
    request.state.usage = usage
    # A call above the limit is slowed down, not refused: clients of the Vault expect that.
    if usage.delay:
        await asyncio.sleep(usage.delay)
    return caller


def address_of(request: Request) -> str:
    """Return the IP address of the connection, or the one that a trusted proxy reports; empty without either."""
    return request.client.host if request.client else ""


async def perhaps_signed_in(
    request: Request, authorization: Annotated[str | None, Security(_authorization)]
) -> Caller | None:
    """Return the caller, or None when the request has no session id.

    :raises VaultFault: INVALID_SESSION_ID when its session is not live.
    """
    session_id = session_id_in(authorization)
    if session_id is None:
        return None
    return await admitted(request, session_id)


def session_id_in(authorization: str | None) -> str | None:
    """Return the session id in an Authorization header, raw or after ``Bearer``; None when there is none."""
    header = (authorization or "").strip()
    scheme, _, rest = header.partition(" ")
    session_id = rest.strip() if scheme.lower() == BEARER else header
    return session_id or None


def remember(request: Request, user_id: int, session_id: str) -> None:
    """Store the caller with the request, for the headers of the answer."""
    request.state.user_id = user_id
    request.state.session_id = session_id


SignedIn = Annotated[Caller, Depends(signed_in)]
PerhapsSignedIn = Annotated[Caller | None, Depends(perhaps_signed_in)]


class ApiHeaders:
    """ASGI middleware that adds the API's headers to answers, and the client and the call to log lines.

    It reads the request's state: ``user_id`` and ``session_id`` of the caller, ``revision`` of the configuration when
    the call began, and ``usage`` of a limit. It stores ``execution_id``, ``client_id`` and ``reference_id`` there.
    """

    def __init__(self, app: ASGIApp, vault_id: int, burst_limit: int) -> None:
        self._app = app
        self._vault_id = str(vault_id).encode()
        self._burst_limit = burst_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on and add the headers to its answer."""
        if scope["type"] != "http" or not is_api(scope["path"]):
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        execution_id = str(uuid.uuid4())
        state["execution_id"] = execution_id
        state["client_id"] = client_id = client_id_of(scope)
        state["reference_id"] = reference_id = _reference_id_of(scope)
        # Clients name themselves as they like: a label of each name would make metrics without end.
        label = client_id if client_id in (INVALID, UNKNOWN) else "named"
        metrics.api_calls.labels(label).inc()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                headers.append((b"x-vaultapi-executionid", execution_id.encode()))
                headers += self._limit_headers(state.get("usage"))
                headers += self._session_headers(state)
                headers += _client_headers(client_id, reference_id)
                # Envelopes have set it already: their failures are HTTP 200.
                if not any(name.lower() == STATUS for name, _ in headers):
                    status = b"SUCCESS" if message["status"] < 400 else b"FAILURE"
                    headers.append((STATUS, status))
                message["headers"] = headers
            await send(message)

        with structlog.contextvars.bound_contextvars(
            client_id=client_id, execution_id=execution_id
        ):
            await self._app(scope, receive, send_with_headers)

    def _limit_headers(self, usage: Usage | None) -> list[Header]:
        """Return headers of the limit, the calls left (all if this one was not counted), and the delay, if any."""
        limit = self._burst_limit if usage is None else usage.limit
        remaining = limit if usage is None else usage.remaining
        headers = [
            (b"x-vaultapi-burstlimit", str(limit).encode()),
            (b"x-vaultapi-burstlimitremaining", str(remaining).encode()),
        ]
        if usage is not None and usage.delay:
            milliseconds = round(usage.delay * 1000)
            headers.append((b"x-vaultapi-responsedelay", str(milliseconds).encode()))
        return headers

    def _session_headers(self, state: dict[str, object]) -> list[Header]:
        """Return headers with the Vault, the user and the beginning of the session id; none without a caller."""
        user_id = state.get("user_id")
        if user_id is None:
            return []
        truncated = str(state["session_id"])[:TRUNCATED_LENGTH]
        headers = [
            (b"x-vaultapi-vaultid", self._vault_id),
            (b"x-vaultapi-userid", str(user_id).encode()),
            (b"x-vaultapi-truncatedsessionid", truncated.encode()),
        ]
        # The answer to a sign-in is read from no configuration.
        if revision := str(state.get("revision", "")):
            headers.append((b"x-vaultapi-configurationrevision", revision.encode()))
        return headers


def header_in(scope: Scope, name: bytes) -> str:
    """Return the first request header with ``name``, which is in lower case; empty without one."""
    # Every call asks for some that most calls lack: the framework's mapping would raise an error for each.
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def client_id_of(scope: Scope) -> str:
    """Return the client's name, from parameter ``client_id`` or else from header X-VaultAPI-ClientID.

    It is ``invalid`` when malformed and ``unknown`` when there is none.
    """
    header = header_in(scope, b"x-vaultapi-clientid")
    client_id = _client_id_in(scope["query_string"]) or header
    if not client_id:
        return UNKNOWN
    return client_id if CLIENT_ID.fullmatch(client_id) else INVALID


def _client_id_in(query: bytes) -> str | None:
    """Return parameter ``client_id`` of a query string; ``invalid`` when it has more parameters than any call."""
    # Most calls have none: they are not parsed a second time for it.
    if b"client_id" not in query:
        return None
    try:
        parameters = parse_qs(query.decode("latin-1"), max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return INVALID
    values = parameters.get("client_id")
    return values[0] if values else None


def _reference_id_of(scope: Scope) -> str:
    """Return the client's own id of the call; empty when it sends none, or a malformed one."""
    reference_id = header_in(scope, b"x-vaultapi-referenceid")
    return reference_id if REFERENCE_ID.fullmatch(reference_id) else ""


def _client_headers(client_id: str, reference_id: str) -> list[Header]:
    """Return the headers that repeat the client's reference id and, if the client is a Vault, its connection."""
    headers: list[Header] = []
    if reference_id:
        headers.append((b"x-vaultapi-referenceid", reference_id.encode()))
    connection = client_id.removeprefix(CONNECTION)
    if connection and connection != client_id:
        headers.append((b"x-vaultapi-connection", connection.encode()))
    return headers
