"""The limits of bodies and queries: the documentation names those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from shared.vault.api import body_limits
from shared.vault.configuration import component_service
from shared.vault.errors import MAX_ERRORS
from shared.vault.loader import sheet
from shared.vault.records.rows import MAX_ROWS
from shared.vault.vql import vql_tokens

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _mib(size: int) -> str:
    return f"{size // 2**20} MiB"


LIMITS = {
    "rows of a call, records of an action": [f"{MAX_ROWS}"],
    "body with rows; one row of it": [
        _mib(body_limits.MAX_ROWS_BYTES),
        _mib(body_limits.MAX_ROW_BYTES),
    ],
    "members of a row, columns of a CSV file, fields of a form": [
        f"{body_limits.MAX_MEMBERS:,}"
    ],
    "items of a list; values in a body, items of lists among them": [
        f"{body_limits.MAX_ITEMS:,}",
        f"{body_limits.MAX_VALUES:,}",
    ],
    "characters of a value in a row; bytes of all texts in memory, up to four a character": [
        f"{body_limits.MAX_TEXT:,}",
        _mib(body_limits.MAX_TEXT_BYTES),
    ],
    "empty lines of a CSV body; characters of its header; commas in a line": [
        f"{body_limits.MAX_EMPTY_LINES:,}",
        f"{body_limits.MAX_HEADER:,}",
        f"{body_limits.MAX_COMMAS:,}",
    ],
    "form, of a record, query or action; of a sign-in or a change of password": [
        _mib(body_limits.MAX_FORM_BYTES),
        f"{body_limits.MAX_SIGN_IN_BYTES // 2**10} KiB",
    ],
    "messages that a connector has signed with one call": [
        _mib(body_limits.MAX_SIGNED_BYTES)
    ],
    "errors that an answer names of one row": [f"{MAX_ERRORS}"],
    "MDL script; its statements; content file of a component": [
        f"{component_service.MAX_SCRIPT // 10**6} MB",
        f"{component_service.MAX_STATEMENTS:,}",
        "10 MB",
    ],
    "tasks of a loader call; columns of a loaded file; characters of one row of it; fields of an extract": [
        "10",
        f"{sheet.MAX_COLUMNS:,}",
        f"{sheet.MAX_RECORD:,}",
        "500",
    ],
    "query text": [f"{vql_tokens.MAX_TEXT:,} characters"],
    "conditions of a statement, those of its sub-selects among them; a list of values is one": [
        f"{vql_tokens.MAX_CONDITIONS:,}"
    ],
}
"""Limits of bodies and queries by what docs/api.md calls them; those in one row are separated there by semicolons."""


def test_the_api_page_lists_the_limits_of_bodies_and_queries() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    section = page.partition("\n## Limits\n")[2].partition("\n## ")[0]
    limits = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE))
    for what, figures in LIMITS.items():
        assert limits[what] == "; ".join(figures), what
