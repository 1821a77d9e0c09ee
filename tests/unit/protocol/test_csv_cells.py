"""Cells of CSV: no spreadsheet runs them as formulas, in any file that is written."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.csv_cells import (
    csv_text,
    exact_csv_text,
    read_cell,
    restorable_cell,
    safe_cell,
)

ROOT = Path(__file__).parents[3]
WIDE = ("\uff0b", "\uff0d", "\uff1d", "\uff20")
STARTS = (*"=+-@\t\r\n", *WIDE)
NUMBER = r"[+\-\uff0b\uff0d][\d.][\d.,\s]*"
NUMBERS = ("-1", "+1.5", "-1,234.50", "-.5")
WRITERS = {
    "shared/protocol/csv_cells.py": "writes safe cells for people, and unchanged texts for programs",
    "shared/vault/integrations/lookup_files.py": "writes cells that it reads again as they were",
    "medcrm/folder.py": "writes cells that it reads again as they were",
}
"""Who writes CSV, and by what its cells are safe; everybody else calls ``csv_text`` or ``exact_csv_text``."""

GUARDED = {
    "shared/vault/admin/list_download.py": "a list on a page, for a person",
    "services/connector/preview/sweep_routes.py": "missing lookups, to be filled in; the upload restores the cells",
    "medcrm/lookups_cli.py": "missing lookups, to be filled in; the upload restores the cells",
}
"""Who writes CSV for people; values in all other files and answers are unchanged, for programs read them again."""

texts = st.text(max_size=30) | st.builds(
    str.__add__, st.sampled_from(["'", "'=", "''=", *STARTS]), st.text(max_size=9)
)


@given(texts)
def test_no_cell_begins_a_formula(text: str) -> None:
    for cell in (safe_cell(text), restorable_cell(text)):
        assert not cell.startswith(STARTS) or re.fullmatch(NUMBER, cell)


@given(texts)
def test_a_kept_cell_is_read_as_it_was(text: str) -> None:
    assert read_cell(restorable_cell(text)) == text


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_numbers(number: str) -> None:
    assert safe_cell(number) == number


@pytest.mark.parametrize("text", ["=cmd|calc!A1", "-1+cmd|calc!A1", "@SUM(1)", WIDE[2]])
def test_rows_are_written_as_safe_cells(text: str) -> None:
    written = csv_text([["key", None], [text, 7]])
    rows = list(csv.reader(io.StringIO(written, newline="")))
    assert rows == [["key", ""], [f"'{text}", "7"]]


@given(st.lists(texts.filter(bool), min_size=1))
def test_programs_read_what_was_written(row: list[str]) -> None:
    written = exact_csv_text([row])
    assert list(csv.reader(io.StringIO(written, newline=""))) == [row]


@pytest.mark.parametrize("start", ["a;", "a\t", "a|", "a\n"])
def test_what_stands_inside_of_a_cell_stays_as_it_is(start: str) -> None:
    value = f"{start}=cmd"
    written = csv_text([["1", value]])
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["1", value]]


@pytest.mark.parametrize("divider", [";", "\t", "|"])
def test_quotes_protect_no_divider_in_a_line_that_is_divided_at_others(
    divider: str,
) -> None:
    sheet = io.StringIO(newline="")
    csv.writer(sheet, quoting=csv.QUOTE_ALL).writerow(["1", f"a{divider}=cmd"])
    # The reason for leaving such a value as it is: quotes count at the beginning of a cell only.
    (cells,) = csv.reader(io.StringIO(sheet.getvalue()), delimiter=divider)
    assert cells[1].startswith("=cmd")


def test_nobody_else_writes_csv() -> None:
    folders = ("shared", "services", "medcrm", "local")
    writing = {
        str(file.relative_to(ROOT))
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)\b", file.read_text())
    }
    assert writing == set(WRITERS)


def test_only_files_for_people_have_marks_before_formulas() -> None:
    folders = ("shared", "services", "medcrm", "local")
    guarding = {
        str(file.relative_to(ROOT))
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"\b(csv_text|safe_cell)\b", file.read_text())
    }
    assert guarding - {"shared/protocol/csv_cells.py"} == set(GUARDED)
