"""Writes CSV: for people, with a mark before text that a spreadsheet would run as a formula; for programs, as it is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

# To spreadsheets of East Asia, the wide forms of signs are signs, too.
_STARTS = "=@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH COMMERCIAL AT}"
_SIGNS = "+\\-\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}"
# A number stays what it is: nothing of it is run.
_NUMBER = r"[\d.][\d.,\s]*\Z"
FORMULA = re.compile(f"[{_STARTS}]|[{_SIGNS}](?!{_NUMBER})")
MARK = "'"
_MARKED = re.compile(rf"{MARK}+(?:{FORMULA.pattern})")


def safe_cell(text: str) -> str:
    """Return the text of a cell in a form that no spreadsheet runs: with an apostrophe before a formula."""
    if FORMULA.match(text):
        return f"{MARK}{text}"
    return text


def restorable_cell(text: str) -> str:
    """Return the text of a cell as ``safe_cell`` does, in a form from which ``read_cell`` restores the text."""
    marked = FORMULA.match(text) or _MARKED.match(text)
    return f"{MARK}{text}" if marked else text


def read_cell(cell: str) -> str:
    """Return the text of a cell that ``restorable_cell`` has written."""
    if _MARKED.match(cell):
        return cell.removeprefix(MARK)
    return cell


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV (RFC 4180) of safe cells, for people; None becomes an empty cell."""
    return _written([safe_cell(cell) for cell in row] for row in map(_texts, rows))


def exact_csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV (RFC 4180) of unchanged texts, for programs that compare or load them."""
    return _written(map(_texts, rows))


def _texts(row: Sequence[object]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in row]


def _written(rows: Iterable[Sequence[str]]) -> str:
    # RFC 4180 ends lines with CRLF; ``newline`` keeps them on every platform.
    sheet = io.StringIO(newline="")
    csv.writer(sheet, lineterminator="\r\n").writerows(rows)
    return sheet.getvalue()
