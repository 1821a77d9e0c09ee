"""Templates: HTML with everything escaped, and no name that is not given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = Path(__file__).parent / "templates"


def shown_moment(value: datetime | str | None) -> str:
    """A moment as pages show it, in UTC; empty for none."""
    if not value:
        return ""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def breakable(text: str) -> Markup:
    """A name that a line may end within, behind each underscore."""
    return escape(text).replace("_", Markup("_<wbr>"))


ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
ENVIRONMENT.filters["moment"] = shown_moment
ENVIRONMENT.filters["breakable"] = breakable


def render(template: str, context: Mapping[str, object], status: int = 200) -> HTMLResponse:
    """A page made of a template."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(context), status)
