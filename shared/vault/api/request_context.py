"""Who makes a request: the session in its Authorization header."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import parse_qs

import structlog
from fastapi import Depends, Security
from fastapi.security import APIKeyHeader
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request

from shared.protocol.error_types import ErrorType
from shared.runtime.telemetry import metrics
from shared.vault.access.caller import Caller
from shared.vault.errors import VaultFault
from shared.vault.security.sessions import Session
from shared.vault.storage.database import DatabaseUnavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.vault.security.burst import Usage


VERSIONS = tuple(f"v{year}.{release}" for year in (24, 25, 26) for release in (1, 2, 3))
"""The versions that ``GET /api/`` lists; any other well-formed one is answered in the same way."""


PREFIX = "/api/{version:vault_version}"


HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}")


class VersionConvertor(Convertor[str]):
    """Path parameter ``vYY.N``; anything else is an unknown path."""

    regex = r"v\d{1,3}\.\d{1,3}"

    def convert(self, value: str) -> str:
        """The version as it stands in the path."""
        return value

    def to_string(self, value: str) -> str:
        """The version as it stands in the path."""
        return value


register_url_convertor("vault_version", VersionConvertor())


def version_of(request: Request) -> str:
    """The API version the client asked for; the highest listed one on paths that have none."""
    return str(request.path_params.get("version", VERSIONS[-1]))


def base_path(request: Request) -> str:
    """``/api/{version}``, the head of every url in an answer."""
    return f"/api/{version_of(request)}"


def origin(request: HTTPConnection, host: str | None = None) -> str:
    """Scheme and host that the client dialled, seen through a proxy in front.

    ``host`` is the client's own word for it (``vaultDNS``), taken when it can be a host at all.
    """
    scheme = _first(request.headers.get("x-forwarded-proto"))
    if scheme not in ("http", "https"):
        scheme = request.url.scheme
    candidates = (
        host,
        _first(request.headers.get("x-forwarded-host")),
        request.headers.get("host"),
    )
    dialled = next((c for c in candidates if c and HOST.fullmatch(c)), "localhost")
    return f"{scheme}://{dialled}"


def _first(value: str | None) -> str:
    return (value or "").partition(",")[0].strip()


if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault

BEARER = "bearer"

_header = APIKeyHeader(
    name="Authorization",
    auto_error=False,
    description="The session id, alone or after `Bearer`.",
)


def vault_of(request: Request) -> Vault:
    """The Vault that this application serves; raises DatabaseUnavailable until it has started.

    A Vault that still loads its configuration would answer that users, objects or queues do not exist.
    """
    vault = cast("Vault", request.app.state.vault)
    if not vault.started:
        message = "the Vault is starting"
        raise DatabaseUnavailable(message)
    return vault


async def signed_in(
    request: Request, authorization: Annotated[str | None, Security(_header)]
) -> Caller:
    """The caller, held back when they call too often; raises VaultFault INVALID_SESSION_ID without a live session."""
    return await admitted(request, session_id_in(authorization))


async def admitted(request: Request, session_id: str | None) -> Caller:
    """Whose session this is, held back when they call too often; raises VaultFault as ``signed_in`` does."""
    vault = vault_of(request)
    caller = await vault.security.caller(session_id)
    remember(request, caller.user_id, session_id or "")
    vault.configuration_mode.admit(caller)
    request.state.usage = usage = vault.burst.count(caller)
    if usage.delay:
        await asyncio.sleep(usage.delay)
    return caller


async def sign_in(
    request: Request, username: str, password: str, dns: str | None = None
) -> Session:
    """Open a session for whoever knows the password; counted, and held back, by user name and DNS.

    :raises VaultFault: API_LIMIT_EXCEEDED, and as ``SecurityService.sign_in``.
    """
    security = vault_of(request).security
    request.state.usage = usage = await security.count_sign_in(
        username, dns or request.headers.get("host", "")
    )
    await asyncio.sleep(usage.delay)
    if usage.exceeded:
        raise VaultFault(
            ErrorType.API_LIMIT_EXCEEDED, "Too many sign-ins of this user in a minute"
        )
    session = await security.sign_in(username, password)
    remember(request, session.user_id, session.session_id)
    return session


async def perhaps_signed_in(
    request: Request, authorization: Annotated[str | None, Security(_header)]
) -> Caller | None:
    """The caller, or None when the request names no session; a session that is not live is refused all the same."""
    return (
        None
        if session_id_in(authorization) is None
        else await signed_in(request, authorization)
    )


def session_id_in(authorization: str | None) -> str | None:
    """The session id of an Authorization header, raw or ``Bearer``; None when there is none."""
    scheme, _, rest = (authorization or "").strip().partition(" ")
    return (
        rest.strip() if scheme.lower() == BEARER else f"{scheme} {rest}".strip()
    ) or None


def remember(request: Request, user_id: int, session_id: str) -> None:
    """Tell the response headers whose call this is."""
    request.state.user_id = user_id
    request.state.session_id = session_id


SignedIn = Annotated[Caller, Depends(signed_in)]
PerhapsSignedIn = Annotated[Caller | None, Depends(perhaps_signed_in)]


TRUNCATED_LENGTH = 8


REFERENCE_ID = re.compile(r"[\x20-\x7e]{1,100}")


CLIENT_ID = re.compile(r"[A-Za-z0-9._\-]{1,100}")


CONNECTION = "veeva-vault-"  # client ids of Vault to Vault calls begin so, and go on with the connection's API name


MAX_PARAMETERS = 1000


INVALID = "invalid"


UNKNOWN = "unknown"


STATUS = b"x-vaultapi-status"


OUTSIDE = ("/auth/discovery", "/auth/oauth/session/")


Header = tuple[bytes, bytes]


class ApiHeaders:
    """ASGI middleware; what it tells of a call is read from the request's state.

    ``user_id`` and ``session_id`` say who called, ``usage`` where they stand with a limit.
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
        execution_id = state["execution_id"] = str(uuid.uuid4())
        client_id = client_id_of(scope)
        metrics.api_calls.labels(
            client_id if client_id in (INVALID, UNKNOWN) else "named"
        ).inc()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                added = [
                    (b"x-vaultapi-executionid", execution_id.encode()),
                    *self._limit_headers(state.get("usage")),
                ]
                added += self._session_headers(state) + _client_headers(
                    scope, client_id
                )
                if not any(name.lower() == STATUS for name, _ in given):
                    added.append(
                        (STATUS, b"SUCCESS" if message["status"] < 400 else b"FAILURE")
                    )
                message["headers"] = given + added
            await send(message)

        with structlog.contextvars.bound_contextvars(
            client_id=client_id, execution_id=execution_id
        ):
            await self._app(scope, receive, send_with_headers)

    def _limit_headers(self, usage: Usage | None) -> list[Header]:
        limit = self._burst_limit if usage is None else usage.limit
        remaining = limit if usage is None else usage.remaining
        headers = [
            (b"x-vaultapi-burstlimit", str(limit).encode()),
            (b"x-vaultapi-burstlimitremaining", str(remaining).encode()),
        ]
        if usage is not None and usage.delay:
            headers.append(
                (b"x-vaultapi-responsedelay", str(round(usage.delay * 1000)).encode())
            )
        return headers

    def _session_headers(self, state: dict[str, object]) -> list[Header]:
        user_id = state.get("user_id")
        if user_id is None:
            return []
        return [
            (b"x-vaultapi-vaultid", self._vault_id),
            (b"x-vaultapi-userid", str(user_id).encode()),
            (
                b"x-vaultapi-truncatedsessionid",
                str(state["session_id"])[:TRUNCATED_LENGTH].encode(),
            ),
        ]


def is_api(path: str) -> bool:
    """Whether a path belongs to the API: envelopes and headers are the API's business only."""
    return path == "/api" or path.startswith(("/api/", *OUTSIDE))


def client_id_of(scope: Scope) -> str:
    """Who calls, by ``client_id`` or X-VaultAPI-ClientID: ``invalid`` when malformed, ``unknown`` when not said."""
    given = _in_query(scope["query_string"]) or Headers(scope=scope).get(
        "x-vaultapi-clientid"
    )
    if not given:
        return UNKNOWN
    return given if CLIENT_ID.fullmatch(given) else INVALID


def _in_query(query: bytes) -> str | None:
    if b"client_id" not in query:
        return None
    try:
        return parse_qs(query.decode("latin-1"), max_num_fields=MAX_PARAMETERS).get(
            "client_id", [None]
        )[0]
    except ValueError:
        return INVALID  # more parameters than any call has


def _client_headers(scope: Scope, client_id: str) -> list[Header]:
    headers: list[Header] = []
    reference = Headers(scope=scope).get("x-vaultapi-referenceid")
    if reference is not None and REFERENCE_ID.fullmatch(reference):
        headers.append((b"x-vaultapi-referenceid", reference.encode()))
    connection = client_id.removeprefix(CONNECTION)
    if connection and connection != client_id:
        headers.append((b"x-vaultapi-connection", connection.encode()))
    return headers
