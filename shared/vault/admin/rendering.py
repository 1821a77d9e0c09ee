"""Templates: HTML with everything escaped, and no name that is not given."""

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
    """A moment as pages show it, in UTC; empty for none."""
    if not value:
        return ""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_element(value: datetime | str | None) -> Markup:
    """A moment that a line ends within between date and time only; empty for none."""
    date, _, time = shown_moment(value).partition(" ")
    return (
        Markup("<time><span>{}</span> <span>{}</span></time>").format(date, time)
        if date
        else Markup()
    )


def breakable(text: str) -> Markup:
    """A text in whose names a line may end, behind each single underscore."""
    return Markup(NAME_BREAK.sub("_<wbr>", str(escape(text))))  # noqa: S704  escaped before


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
    template: str, context: Mapping[str, object], status: int = 200
) -> HTMLResponse:
    """A page made of a template."""
    return HTMLResponse(ENVIRONMENT.get_template(template).render(context), status)
