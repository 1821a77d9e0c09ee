"""Addresses: the version in a path, and the address by which a client has reached this Vault."""

from __future__ import annotations

import re

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import HTTPConnection, Request

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
