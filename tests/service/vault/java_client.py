"""Requests as the vendor's Java client makes them: OkHttp's bodies and headers, TLS, version v24.3, and its types.

Its declarations of an answer are a table from the path of a member (``data[].id``) to a Java type; an absent member is
null.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.service.vault.served import Answer

VERSION = "v24.3"
JSON = "application/json"
CSV = "text/csv"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
BOUNDARY = "0f6b7f4e-5c3b-4a35-9f43-0d0d1f1a2b3c"

Types = Mapping[str, type]


class Integer(int):
    """A Java Integer: 32 bits."""


class Long(int):
    """A Java Long: 64 bits."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request body; its own type, where it has one, replaces a Content-Type header, as OkHttp does."""

    content: bytes = b""
    content_type: str | None = None


def form(**fields: str) -> Body:
    """FormBody: percent-encoded, spaces included."""
    pairs = (
        f"{quote(name, safe='')}={quote(value, safe='*-._')}"
        for name, value in fields.items()
    )
    return Body("&".join(pairs).encode(), FORM)


def raw(content_type: str, text: str) -> Body:
    """A string, to whose type the charset is added."""
    return Body(text.encode(), f"{content_type}; charset=utf-8")


def file(content: bytes, name: str, **fields: str) -> Body:
    """A multipart form with fields and then a file; each part has a Content-Length."""
    parts = [_part(f'name="{key}"', value.encode()) for key, value in fields.items()]
    parts.append(
        _part(
            f'name="file"; filename="{name}"',
            content,
            "Content-Type: application/octet-stream\r\n",
        )
    )
    return Body(
        b"".join(parts) + f"--{BOUNDARY}--\r\n".encode(),
        f"{MULTIPART}; boundary={BOUNDARY}",
    )


def _part(disposition: str, content: bytes, content_type: str = "") -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{content_type}"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content + b"\r\n"


@dataclass(slots=True)
class JavaClient:
    """The client; ``dns`` is its vaultDNS, including the port."""

    http: aiohttp.ClientSession
    trust: ssl.SSLContext
    dns: str
    session_id: str = ""

    async def send(
        self, method: str, path: str, body: Body | None = None, **headers: str
    ) -> Answer:
        """Call a path below ``/api/v24.3``, or one that begins with ``/api``; headers by keyword, ``_`` for ``-``."""
        named = {"User-Agent": "okhttp/4.9.3", "X-VaultAPI-ClientID": "java-client"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.session_id:
            named["Authorization"] = self.session_id
        content = body or Body()
        if content.content_type:
            named["Content-Type"] = content.content_type
        url = f"https://{self.dns}{path if path.startswith('/api') else f'/api/{VERSION}{path}'}"
        data = None if method == "GET" else content.content
        options: dict[str, Any] = {
            "headers": named,
            "data": data,
            "ssl": self.trust,
            "skip_auto_headers": ["Content-Type"],
        }
        async with self.http.request(method, url, **options) as response:
            text = await response.text()
            is_json = response.content_type == JSON
            return Answer(
                response.status,
                response.headers,
                text,
                await response.json() if is_json else None,
            )


def misfits(body: Any, types: Types) -> list[str]:
    """Members that do not match the type that the client declares for them."""
    found = []
    for path, kind in types.items():
        values = list(_values(body, path.split(".")))
        found += [
            f"{path}: {value!r} is no {kind.__name__}"
            for value in values
            if not _fits(value, kind)
        ]
    return found


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path; a value that should be a list and is not is yielded itself."""
    if not path:
        yield value
        return
    name, each = path[0].removesuffix("[]"), path[0].endswith("[]")
    if not isinstance(value, dict):
        yield value
        return
    member = value.get(name)
    if not each or not isinstance(member, list):
        yield from (
            _values(member, path[1:]) if member is not None and not each else [member]
        )
        return
    for item in member:
        yield from _values(item, path[1:])


def _fits(value: Any, kind: type) -> bool:
    if value is None:
        return True
    if kind in (Integer, Long):
        bits = 31 if kind is Integer else 63
        return type(value) is int and -(2**bits) <= value < 2**bits
    return type(value) is kind
