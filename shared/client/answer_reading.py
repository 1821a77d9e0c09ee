"""Reads the body of an HTTP answer as an envelope or a text of the API, and tells those from a proxy's own words."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
import orjson

from shared.client.answer_bounds import MAX_ANSWER_BYTES, MAX_ANSWER_COMMAS
from shared.client.errors import UnexpectedAnswer, VaultUnavailable
from shared.client.results import Row, check_envelope, is_envelope
from shared.protocol import json_values as exact_json

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and body of an answer that may be the Vault's own."""

    status: int
    body: bytes


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """Read a body up to the bound.

    :raises UnexpectedAnswer: it is larger.
    """
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        response.close()
        raise UnexpectedAnswer("answer is too large")
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            raise UnexpectedAnswer("answer is too large")
    return bytes(body)


def read_envelope(answer: Answer) -> Row:
    """Return the envelope of a successful answer.

    :raises VaultUnavailable: it is none of the API.
    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    """
    if answer.body.count(b",") > MAX_ANSWER_COMMAS:
        raise UnexpectedAnswer("answer has too many values")
    # A server in between answers in its own words while the Vault is away, in JSON or not, so that this will pass.
    try:
        document = exact_json.loads(answer.body)
    except (orjson.JSONDecodeError, RecursionError):
        raise VaultUnavailable(f"status {answer.status}, not JSON") from None
    if not is_envelope(document):
        raise VaultUnavailable(f"status {answer.status}, no envelope")
    return check_envelope(document)


def read_text(answer: Answer) -> str:
    """Return an answer that is plain text; an envelope in its place is an error's.

    :raises VaultUnavailable: it is none of the API.
    :raises VaultRefused: with the first error of a FAILURE or EXCEPTION.
    """
    body = answer.body.lstrip()
    # Neither MDL nor PEM begins with a brace, nor with the angle bracket of a page.
    if body.startswith(b"{"):
        read_envelope(answer)
        raise UnexpectedAnswer("an envelope where a text was expected")
    if answer.status != HTTPStatus.OK or body.startswith(b"<"):
        raise VaultUnavailable(f"status {answer.status}, no text of the API")
    try:
        return answer.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise VaultUnavailable("answer is not text") from None
