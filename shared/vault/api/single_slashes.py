"""Removes repeated and trailing slashes from the paths of calls, since public clients send some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.vault.api.request_context import is_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")
_ROOT = "/api/"
_STAGED = "/services/file_staging/items/"


class SingleSlashes:
    """ASGI layer that reduces repeated slashes in the paths of the API to one, and removes a trailing slash.

    ``/api//mdl/execute`` and ``/api/mdl/execute/`` become ``/api/mdl/execute``. It is the outermost layer that reads a
    path, so that all others see the reduced path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on with the reduced path."""
        path = _SLASHES.sub("/", scope["path"])
        # Other pages have no such clients: a path is unknown there as it stands.
        if is_api(path):
            scope = {**scope, "path": _without_end(path)}
        await self._app(scope, receive, send)


def _without_end(path: str) -> str:
    # An item of the staging area is named by its path, whose root is a slash alone.
    if _STAGED in path or path == _ROOT:
        return path
    return path.removesuffix("/")
