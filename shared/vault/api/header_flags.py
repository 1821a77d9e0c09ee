"""Reads the request headers that are ``true`` or not."""

from __future__ import annotations

from fastapi import Request


def is_true(request: Request, header: str) -> bool:
    """Return whether the value of a header is ``true``."""
    return request.headers.get(header, "").strip().lower() == "true"


def migration_of(request: Request) -> bool:
    """Return whether a call asks for migration mode."""
    return is_true(request, "x-vaultapi-migrationmode")
