"""Writes the addresses of documents, their versions and their renditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.vault.api.own_address import origin
from shared.vault.api.request_context import base_path

if TYPE_CHECKING:
    from fastapi import Request

    from shared.vault.documents.document_store import Place


def url_of(request: Request, place: Place) -> str:
    """Return the address of a document, or of one of its versions."""
    head = f"{origin(request)}{base_path(request)}"
    document_url = f"{head}/objects/documents/{place.document_id}"
    number = place.number
    if number is None:
        return document_url
    return f"{document_url}/versions/{number.major}/{number.minor}"


def rendition_urls(own_url: str, names: Iterable[str]) -> dict[str, str]:
    """Return the addresses of renditions by type; ``own_url`` is the address of their document or version."""
    return {name: f"{own_url}/renditions/{name}" for name in names}


def version_json(document_url: str, number: tuple[int, int]) -> dict[str, str]:
    """Return number and address of a version."""
    major, minor = number
    return {
        "number": f"{major}.{minor}",
        "value": f"{document_url}/versions/{major}/{minor}",
    }
