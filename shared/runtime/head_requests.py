"""Answers HEAD as GET, without the body: any path that may be got may be probed."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = "HEAD"
END: Message = {"type": "http.response.body", "body": b"", "more_body": False}


class HeadRequests:
    """ASGI middleware that passes HEAD on as GET, and back the status and the headers alone.

    The answer ends with its headers: what streams a body then sees that its client is gone, and makes no more of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an application below sees no HEAD."""
        if scope["type"] != "http" or scope["method"] != HEAD:
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send(END)

        # A copy: the server reads in its own that no body follows, whatever length the headers say.
        await self._app({**scope, "method": "GET"}, receive, send_head)
