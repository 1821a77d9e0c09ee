"""Writes docs/api-reference.md, a list of what a Vault supports, from the code: ``make reference``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from local.supported import MDL, VQL
from shared.vault.api.api_app import CHAPTERS
from shared.vault.api.openapi.header_parameters import ANSWER, REQUEST
from shared.vault.components.types import COMPONENT_TYPES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api-reference.md"
HEAD = """# API reference

This page lists what a Vault supports, call by call and clause by clause, and what it refuses. `make reference` writes
it from the code, and tests run its examples. [API](api.md) explains the calls, and [Compatibility](compatibility.md)
lists the public API's operations with those that are not here. Calls without a summary are other spellings of the call
above them.
"""


def routes() -> Iterator[tuple[str, str, str, str]]:
    """Yield chapter, verb, path and summary of every call; the summary is "" where the schema leaves the call out."""
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            if isinstance(route, APIRoute):
                # Starlette's converters, as in {path:path}, say nothing to a reader.
                path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
                title = str(route.tags[0]) if route.tags else "Other"
                summary = route.summary if route.include_in_schema else None
                # Sorted, as a set has no order and a test compares the page.
                for verb in sorted(route.methods or ()):
                    yield title, verb, path, summary or ""


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [HEAD, "## Calls"]
    chapter = ""
    for title, verb, path, summary in routes():
        if title != chapter:
            chapter = title
            parts.append(f"\n### {title}\n\n| Call | |\n|---|---|")
        parts.append(f"| `{verb} {path}` | {summary} |")
    parts.append("\n## Component types\n\n| Type | Sub-components |\n|---|---|")
    for name in sorted(COMPONENT_TYPES):
        subtypes = ", ".join(
            f"`{subtype}`" for subtype in COMPONENT_TYPES[name].subtypes
        )
        parts.append(f"| `{name}` | {subtypes} |")
    return "\n".join([*parts, *headers(), *language()]) + "\n"


def language() -> Iterator[str]:
    """Yield the sections of VQL and MDL, a table row for each clause."""
    yield "\n## VQL"
    for heading, rows in VQL.items():
        yield f"\n### {heading}\n\n| | Example |\n|---|---|"
        for what, text, error in rows:
            refusal = f" → `{error}`" if error else ""
            yield f"| {what} | `{text}`{refusal} |"
    yield "\n## MDL\n\n| | Example |\n|---|---|"
    yield from (f"| {what} | `{text}` |" for what, text in MDL)


def headers() -> Iterator[str]:
    """Yield the sections of the headers that calls and answers carry."""
    yield "\n## Headers of a call\n\n| Header | |\n|---|---|"
    yield "| `Authorization` | The session id or an access token, alone or after `Bearer`. |"
    yield "| `Content-Type` | The form of the body; see each call at `/docs`. |"
    yield from (f"| `{name}` | {text} |" for name, (text, _) in REQUEST.items())
    yield "\n## Headers of an answer\n\n| Header | |\n|---|---|"
    yield from (f"| `{name}` | {text} |" for name, (text, _) in ANSWER.items())


def main() -> int:
    """Write the page and return 0."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
