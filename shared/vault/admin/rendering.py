"""Renders templates to HTML with everything escaped; an undefined name is an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = Path(__file__).parent / "templates"


NAME_BREAK = re.compile(r"(?<=[A-Za-z0-9])_(?=[A-Za-z0-9])")


def shown_moment(value: datetime | str | None) -> str:
    """Return a moment as pages show it, in UTC; empty for none."""
    if not value:
        return ""
    # Records have moments as JSON text, tables of the platform as values.
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def time_element(value: datetime | str | None) -> Markup:
    """Return a moment as an element in which a line may break between date and time only; empty for none."""
    date, _, time = shown_moment(value).partition(" ")
    if not date:
        return Markup()
    # format() of Markup escapes what it puts in.
    return Markup("<time><span>{}</span> <span>{}</span></time>").format(date, time)


def breakable(text: str) -> Markup:
    """Return a text in which lines may break after each single underscore, as long names need."""
    escaped = str(escape(text))
    broken = NAME_BREAK.sub("_<wbr>", escaped)
    return Markup(broken)  # noqa: S704  escaped before


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


def render(
    template: str,
    context: Mapping[str, object],
    status: int = 200,
) -> HTMLResponse:
    """Return a page made of a template."""
    text = ENVIRONMENT.get_template(template).render(context)
    return HTMLResponse(text, status)
