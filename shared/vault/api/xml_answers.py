"""Writes answers as XML for clients that ask for it: the JSON envelope, element by element."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from xml.etree.ElementTree import (  # nosec B405  only writes
    Element,
    SubElement,
    tostring,
)

import orjson
from starlette.datastructures import Headers, MutableHeaders

from shared.vault.api.body import read_off_loop
from shared.vault.api.request_context import JSON_TYPE, XML_TYPE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

XML = f"{XML_TYPE};charset=UTF-8"
ROOT = "ApiRestResult"
# What the items of a list are called whose name is no plural; others are called by the name without its ``s``.
ITEMS = {"data": "row", "vaultIds": "vault"}
ITEM = "value"

# XML 1.0 has no place for these characters, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# A name that the caller has chosen, as an alias, may begin with a digit, which an element's may not.
_NOT_NAME = re.compile(r"[^A-Za-z0-9_.\-]", re.ASCII)


def xml_of(body: bytes) -> bytes:
    """Return an envelope in JSON as XML.

    As in Vault API reference, Supported response formats: each member is an element, and each item of a list an element
    within it. The name of an item is the singular of the list's name (``errors/error``), or ``row`` in ``data``, or
    ``value``. Null is an empty element.
    """
    root = Element(ROOT)
    _fill(root, ROOT, orjson.loads(body))
    text: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


class XmlAnswers:
    """ASGI layer that rewrites answers of the API as XML, for calls whose Accept header prefers XML."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on; rewrite its answer if it is JSON."""
        started: Message | None = None
        pieces: list[bytes] = []

        async def send_as_xml(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start" and _is_json(message):
                # The length is known when the whole answer is.
                started = message
            elif started is None:
                await send(message)
            else:
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await _send_whole(send, started, b"".join(pieces))

        await self._app(scope, receive, send_as_xml)


async def _send_whole(send: Send, started: Message, body: bytes) -> None:
    """Send an answer, whose body is JSON, as XML; ``started`` is its first ASGI message."""
    content = await read_off_loop(xml_of, body)
    headers = MutableHeaders(raw=list(started["headers"]))
    headers["content-type"] = XML
    headers["content-length"] = str(len(content))
    await send({**started, "headers": headers.raw})
    await send({"type": "http.response.body", "body": content})


def _is_json(started: Message) -> bool:
    """Return whether an answer is JSON, by the headers in its first ASGI message."""
    kind = Headers(raw=started["headers"]).get("content-type", "")
    return kind.startswith(JSON_TYPE)


def _fill(element: Element, name: str, value: object) -> None:
    """Add the content of ``value`` to the element, which stands for the member ``name``."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            _fill(SubElement(element, _element_name(key)), key, member)
    elif isinstance(value, list):
        single = _item_name(name)
        for item in value:
            # A list such as ``users`` has each item in an object of the singular's name: that is the element.
            inner = item[single] if _wraps(item, single) else item
            scalar = not isinstance(inner, (Mapping, list))
            called = ITEM if scalar else _element_name(single)
            _fill(SubElement(element, called), single, inner)
    elif value is not None:
        element.text = _text(value)


def _wraps(item: object, single: str) -> bool:
    """Return whether an item of a list is an object whose only member has the item's own name, ``single``."""
    return isinstance(item, Mapping) and len(item) == 1 and single in item


def _item_name(name: str) -> str:
    """Return the name of the items of a list."""
    if name in ITEMS:
        return ITEMS[name]
    singular = name.removesuffix("s")
    return singular if singular and singular != name else ITEM


def _element_name(name: str) -> str:
    """Return the element name of a JSON member."""
    safe = _NOT_NAME.sub("_", name)
    return safe if safe[:1].isalpha() or safe.startswith("_") else f"_{safe}"


def _text(value: object) -> str:
    """Return a text, number or boolean as in JSON, without characters that XML excludes."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return _NOT_XML.sub(_REPLACEMENT, text)
