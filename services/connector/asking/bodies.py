"""Bodies of questions: JSON of a known shape, refused as a Vault would, without a word of what they hold."""

from __future__ import annotations

from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from services.connector.asking.request_body import read_body
from shared.client.errors import VaultRefused
from shared.protocol.error_types import ErrorType

MAX_REQUEST_BYTES = 1024 * 1024

Asked = TypeVar("Asked", bound=BaseModel)


async def read_asked(request: Request, model: type[Asked]) -> Asked:
    """What is asked for; raises VaultRefused, and TimeoutError when the body does not arrive in time."""
    body = await read_body(request, MAX_REQUEST_BYTES)
    if body is None:
        raise VaultRefused(
            ErrorType.INVALID_DATA,
            f"The body has more than {MAX_REQUEST_BYTES:,} bytes",
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"][:1])) or "body"
        raise VaultRefused(
            ErrorType.INVALID_DATA, f"[{where}] {first['msg']}"
        ) from None
