"""Reads the body of a question as JSON of a known shape, and refuses others without repeating their values."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from services.connector.asking.request_body import read_body
from shared.client.errors import VaultRefused
from shared.protocol.error_types import ErrorType

MAX_REQUEST_BYTES = 1024 * 1024

Question = TypeVar("Question", bound=BaseModel)


async def read_question(request: Request, model: type[Question]) -> Question:
    """Return the body as an instance of ``model``.

    :raises VaultRefused: INVALID_DATA when the body is too long or of another shape.
    :raises TimeoutError: the body does not arrive in time.
    """
    body = await read_body(request, MAX_REQUEST_BYTES)
    if body is None:
        message = f"The body has more than {MAX_REQUEST_BYTES:,} bytes"
        raise VaultRefused(ErrorType.INVALID_DATA, message)
    try:
        return model.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        # The top-level member is enough to find the mistake, and says less of what was sent.
        where = ".".join(map(str, first["loc"][:1])) or "body"
        message = f"[{where}] {first['msg']}"
        raise VaultRefused(ErrorType.INVALID_DATA, message) from None
