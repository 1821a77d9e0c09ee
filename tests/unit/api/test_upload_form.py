"""Forms with a file: fields and file side by side, within bounds, however small the chunks in which they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.api import file_body
from shared.vault.api.file_body import bounded_stream, upload_form
from shared.vault.errors import VaultFault
from tests.unit.api.requests import request

MULTIPART = {"Content-Type": "multipart/form-data; boundary=XX"}


def part(head: str, content: bytes) -> bytes:
    heading = f"--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n"
    return heading.encode() + content + b"\r\n"


FILE = part('name="file"; filename="a.csv"', b"id\r\n1\r\n")
FIELD = part('name="kind"', "Übersicht".encode())


@pytest.mark.parametrize("chunk", [1, 7, 2**16])
async def test_a_form_has_fields_and_a_file(chunk: int) -> None:
    body = FIELD + FILE + b"--XX--\r\n"
    async with upload_form(request(body, MULTIPART, chunk=chunk), 100) as form:
        assert form.fields == {"kind": "Übersicht"}
        assert form.sent_name() == "a.csv"
        assert await form.whole() == b"id\r\n1\r\n"


async def test_a_file_may_be_in_a_field_of_another_name() -> None:
    body = part('name="image"; filename="b.png"', b"\x89PNG") + b"--XX--\r\n"
    async with upload_form(request(body, MULTIPART), 100, field="image") as form:
        assert await form.whole() == b"\x89PNG"


async def test_a_form_without_a_file_misses_it_when_it_is_asked_for() -> None:
    async with upload_form(request(FIELD + b"--XX--\r\n", MULTIPART), 100) as form:
        assert await form.whole() == b""
        with pytest.raises(VaultFault, match=r"\[file\]") as refused:
            form.sent_name()
    assert refused.value.error.type is ErrorType.PARAMETER_REQUIRED


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data"},
    ],
)
async def test_a_form_without_a_boundary_has_fields_only(
    headers: dict[str, str],
) -> None:
    async with upload_form(request(b"file=text&a=1", headers), 100) as form:
        assert form.fields == {"file": "text", "a": "1"}
        assert form.file is None


@pytest.mark.parametrize(
    "body",
    [
        FILE + FILE + b"--XX--\r\n",
        b"no parts",
        part("filename=x", b""),
    ],
)
async def test_a_body_that_is_no_form_with_one_file_is_refused(body: bytes) -> None:
    with pytest.raises(VaultFault) as refused:
        async with upload_form(request(body, MULTIPART), 100):
            pass
    assert refused.value.error.type is ErrorType.INVALID_DATA


async def test_a_file_above_its_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_body, "ENVELOPE_BYTES", 200)
    body = part('name="file"; filename="a"', b"x" * 500) + b"--XX--\r\n"
    with pytest.raises(VaultFault) as refused:
        async with upload_form(request(body, MULTIPART), 100):
            pass
    assert refused.value.error.type is ErrorType.EXCEEDS_FILE_MAX_SIZE


@pytest.mark.parametrize("size", [0, 9, 10])
async def test_a_stream_ends_with_its_body(size: int) -> None:
    chunks = [
        chunk async for chunk in bounded_stream(request(b"x" * size, chunk=3), 10)
    ]
    assert b"".join(chunks) == b"x" * size


async def test_a_stream_stops_at_its_limit() -> None:
    stream = bounded_stream(request(b"x" * 100, chunk=3), 10)
    taken = [await anext(stream) for _ in range(3)]
    assert b"".join(taken) == b"x" * 9
    with pytest.raises(VaultFault, match="at most 10 bytes"):
        await anext(stream)


async def test_a_client_that_falls_silent_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_body, "CHUNK_TIMEOUT", 0.01)
    asked = request()

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    monkeypatch.setattr(asked, "stream", silence)
    with pytest.raises(VaultFault, match="did not arrive in time"):
        async for _ in bounded_stream(asked, 10):
            pass
