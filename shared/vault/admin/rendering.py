"""Renders templates to HTML with everything escaped, and writes the headers that protect pages."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from shared.vault.admin.error_advice import in_input_labels, in_labels
from shared.vault.admin.run_progress import took_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEMPLATES = Path(__file__).parent / "templates"
TIME = Markup('<time datetime="{}"><span>{}</span> <span>{}</span></time>')
NAME_BREAK = re.compile(r"(?<=[A-Za-z0-9])(_(?=[A-Za-z0-9])|:(?=[A-Za-z]))")

# Everything is forbidden that is not named: pages have styles, images and scripts from files of their own, none inline.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
# Browsers store static files and ask each time whether they are current; pages, which show records, they do not store.
STORED = (b"cache-control", b"no-cache")
NOT_STORED = (b"cache-control", b"no-store")


def moment_of(value: datetime | str) -> datetime:
    """Return a moment in UTC."""
    # Records have moments as JSON text, tables of the platform as values.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)


def shown_moment(value: datetime | str | None) -> str:
    """Return a moment in the format of the pages, in UTC; empty for none."""
    if not value:
        return ""
    return f"{moment_of(value):%Y-%m-%d %H:%M:%S} UTC"


def time_element(value: datetime | str | None) -> Markup:
    """Return a moment as an element that breaks lines only between date and time; empty for none.

    Scripts replace the text by the time in the reader's zone.
    """
    if not value:
        return Markup()
    moment = moment_of(value)
    date, _, time = shown_moment(moment).partition(" ")
    stamp = moment.isoformat(timespec="milliseconds")
    # Markup.format() escapes its arguments.
    return TIME.format(stamp, date, time)


def breakable(text: str) -> Markup:
    """Return a text in which lines may break after each single underscore or colon, for long names and keys."""
    escaped = str(escape(text))
    broken = NAME_BREAK.sub(r"\1<wbr>", escaped)
    return Markup(broken)  # noqa: S704  escaped before  # nosec B704


ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.filters["moment"] = time_element
ENVIRONMENT.filters["breakable"] = breakable
ENVIRONMENT.filters["in_labels"] = in_labels
ENVIRONMENT.filters["in_input_labels"] = in_input_labels
ENVIRONMENT.filters["took"] = took_words


def render(
    template: str,
    context: Mapping[str, object],
    status: int = 200,
) -> HTMLResponse:
    """Return a page made of a template."""
    text = ENVIRONMENT.get_template(template).render(context)
    return HTMLResponse(text, status)


class PageHeaders:
    """ASGI middleware that adds ``HEADERS`` and one on caching, and gives each request an execution id.

    An error page shows the id, by which its log line is found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        execution_id = str(uuid.uuid4())
        scope.setdefault("state", {})["execution_id"] = execution_id
        static = scope["path"].startswith("/ui/static/")
        caching = STORED if static else NOT_STORED

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS, caching]
            await send(message)

        with structlog.contextvars.bound_contextvars(execution_id=execution_id):
            await self._app(scope, receive, send_with_headers)
