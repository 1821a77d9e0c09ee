"""Answers calls of SCIM 2.0: resources, lists and errors in the format of RFC 7644, with the API's members added."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api.openapi.request_bodies import JSON
from shared.vault.api.request_context import media_types
from shared.vault.api.response_envelope import STATUS_HEADER, Status, errors_json
from shared.vault.api.scim_schemas import ERROR, LIST, Json
from shared.vault.errors import ApiError, VaultFault

SCIM = "application/scim+json"
# Clients of SCIM read the HTTP status. Whoever takes JSON is answered as by all other calls, with 200.
CREATED, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 201, 400, 401, 403, 404
STATUSES: Mapping[ErrorType, int] = {
    ErrorType.INVALID_SESSION_ID: UNAUTHORIZED,
    ErrorType.INSUFFICIENT_ACCESS: FORBIDDEN,
    ErrorType.USER_NOT_FOUND: NOT_FOUND,
}


class ScimRoute(APIRoute):
    """A route that answers refused calls with SCIM errors."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which also answers faults."""
        handler = super().get_route_handler()

        async def carried_out(request: Request) -> Response:
            try:
                return await handler(request)
            except VaultFault as fault:
                return refused(request, fault.error)
            except RequestValidationError:
                message = "A parameter of the call has no valid value"
                return refused(request, ApiError(ErrorType.INVALID_DATA, message))

        return carried_out


def resource_list(
    resources: list[Json], total: int | None = None, first: int = 1
) -> Json:
    """Return a page of a list of resources; ``first`` is the position of its first resource, from 1 on."""
    return {
        "schemas": [LIST],
        "totalResults": len(resources) if total is None else total,
        "itemsPerPage": len(resources),
        "startIndex": first,
        "Resources": resources,
    }


def one_resource_answer(request: Request, resource: Json | None, name: str) -> Response:
    """Return one resource.

    :raises VaultFault: MALFORMED_URL when the resource is None.
    """
    if resource is None:
        message = f"There is no resource [{name[:100]}]"
        raise VaultFault(ErrorType.MALFORMED_URL, message)
    return answer(request, resource)


def answer(
    request: Request,
    body: Json,
    status: int = 200,
    outcome: Status = Status.SUCCESS,
) -> Response:
    """Return JSON with the media type that the client accepts, and with the matching HTTP status."""
    accepted = media_types(request.headers.get("accept", ""))
    headers = {STATUS_HEADER: outcome}
    content = orjson.dumps(body)
    if SCIM in accepted:
        return Response(content, status, headers, f"{SCIM};charset=UTF-8")
    return Response(content, 200, headers, f"{JSON};charset=UTF-8")


def refused(request: Request, error: ApiError) -> Response:
    """Return an error in the format of SCIM, with the members of the API's envelope added."""
    unknown = error.type is ErrorType.MALFORMED_URL
    status = NOT_FOUND if unknown else STATUSES.get(error.type, BAD_REQUEST)
    body: Json = {
        "schemas": [ERROR],
        "status": str(status),
        "detail": error.message,
        "responseStatus": Status.FAILURE,
        "errors": errors_json([error]),
    }
    if status == BAD_REQUEST:
        body["scimType"] = "invalidValue"
    return answer(request, body, status, Status.FAILURE)
