"""``make reference``: docs/api-reference.md, what a Vault supports, written from the code itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from local.supported import MDL, NOT_SERVED, VQL
from shared.vault.api.api_app import CHAPTERS
from shared.vault.api.openapi.header_parameters import ANSWER, REQUEST
from shared.vault.components.types import COMPONENT_TYPES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api-reference.md"
HEAD = """# API reference

What a Vault supports, call by call and clause by clause, and what it refuses; written by `make reference` from the
code, and run by tests. [API](api.md) explains it. Calls without a summary are other spellings of the one above them.
"""


def routes() -> Iterator[tuple[str, str, str, str]]:
    """Chapter, verb, path and summary of every call."""
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            if isinstance(route, APIRoute):
                path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
                title = str(route.tags[0]) if route.tags else "Other"
                for verb in sorted(route.methods or ()):
                    yield (
                        title,
                        verb,
                        path,
                        (route.summary or "") if route.include_in_schema else "",
                    )


def page() -> str:
    """The whole page as Markdown."""
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
    return "\n".join([*parts, *headers(), *language(), *refused()]) + "\n"


def language() -> Iterator[str]:
    """VQL and MDL, clause by clause."""
    yield "\n## VQL"
    for heading, rows in VQL.items():
        yield f"\n### {heading}\n\n| | Example |\n|---|---|"
        yield from (
            f"| {what} | `{text}`{f' → `{error}`' if error else ''} |"
            for what, text, error in rows
        )
    yield "\n## MDL\n\n| | Example |\n|---|---|"
    yield from (f"| {what} | `{text}` |" for what, text in MDL)


def headers() -> Iterator[str]:
    """What calls and answers carry, and the types of errors."""
    yield "\n## Headers of a call\n\n| Header | |\n|---|---|"
    yield "| `Authorization` | The session id or an access token, alone or after `Bearer`. |"
    yield "| `Content-Type` | The form of the body; see each call at `/docs`. |"
    yield from (f"| `{name}` | {text} |" for name, (text, _) in REQUEST.items())
    yield "\n## Headers of an answer\n\n| Header | |\n|---|---|"
    yield from (f"| `{name}` | {text} |" for name, (text, _) in ANSWER.items())


def refused() -> Iterator[str]:
    """What of the public API is not here."""
    yield "\n## Not served\n"
    yield "Answered with `MALFORMED_URL`, or with `METHOD_NOT_SUPPORTED` where another verb has the path:\n"
    yield from (f"* `/api/{{version}}{path}`" for path in NOT_SERVED)


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
