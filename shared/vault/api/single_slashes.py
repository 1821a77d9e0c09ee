"""Reduces repeated slashes in the paths of calls, since a public client sends some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from shared.vault.api.request_context import is_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


class SingleSlashes:
    """ASGI layer that reduces repeated slashes in the paths of the API (``/api//mdl/execute``).

    It is the outermost layer that reads a path, so that all others see the reduced one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on under the path with single slashes."""
        path = _SLASHES.sub("/", scope["path"])
        # Other pages have no such clients: a path is unknown there as it stands.
        if is_api(path):
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)
