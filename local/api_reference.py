"""``make reference``: docs/api-reference.md, every call and component type, written from the code itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from shared.vault.api.app import CHAPTERS
from shared.vault.components.types import COMPONENT_TYPES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api-reference.md"
HEAD = """# API reference

Every call that a Vault serves and every component type that its MDL knows, written by `make reference` from the
code; [API](api.md) explains them. Calls without a summary are other spellings of the one above them.
"""


def routes() -> Iterator[tuple[str, str, str, str]]:
    """Chapter, verb, path and summary of every call."""
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            if isinstance(route, APIRoute):
                path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
                title = str(route.tags[0]) if route.tags else "Other"
                for verb in sorted(route.methods or ()):
                    yield title, verb, path, (route.summary or "") if route.include_in_schema else ""


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
        subtypes = ", ".join(f"`{subtype}`" for subtype in COMPONENT_TYPES[name].subtypes)
        parts.append(f"| `{name}` | {subtypes} |")
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
