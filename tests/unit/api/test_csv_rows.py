"""CSV in and out: RFC 4180, without formulas that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.csv_columns import SAVE_AS
from shared.protocol.error_types import ErrorType
from shared.vault.api.csv_rows import parse_csv
from shared.vault.api.response_envelope import results_csv
from shared.vault.errors import ApiError, VaultFault
from shared.vault.records.rows import CREATED, RowResult

NAMES = st.lists(
    st.from_regex(r"[a-z_.]{1,12}", fullmatch=True), min_size=1, max_size=5, unique=True
)
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@given(st.data())
def test_what_a_csv_writer_wrote_is_read_back(data: st.DataObject) -> None:
    names = data.draw(NAMES)
    rows = data.draw(
        st.lists(st.lists(CELL, min_size=len(names), max_size=len(names)), max_size=6)
    )
    sheet = io.StringIO(newline="")
    csv.writer(sheet, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    assert parse_csv(sheet.getvalue().encode(), 500) == [
        dict(zip(names, row, strict=True)) for row in rows if any(row)
    ]


def test_quotes_line_breaks_and_empty_lines() -> None:
    text = 'id,note__v\r\n1,"a ""b"",\r\nc"\r\n\r\n2,\r\n'
    assert parse_csv(text.encode(), 500) == [
        {"id": "1", "note__v": 'a "b",\r\nc'},
        {"id": "2", "note__v": ""},
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,,x\n1,2,3\n", "line 2 has a value in column 2, which has no name"),
        (",,\n1,2,3\n", "no column names"),
        ("\nid,x\n1,2\n", "no column names"),
        ("id;x\n1;2\n", SAVE_AS),
        ("id\tx\n1\t2\n", SAVE_AS),
        ("i\0d\0,\0x\0\n\0", SAVE_AS),
        # A workbook and a page of a spreadsheet whose names end in .csv, and a first line for spreadsheets alone.
        ("PK\x03\x04\x14", SAVE_AS),
        ("<html><table><tr><td>id</td></tr></table></html>", SAVE_AS),
        ("sep=,\nid,x\n1,2\n", f"no column names but sep=,; {SAVE_AS}"),
        ("id,id\n1,2\n", "a column name that is repeated"),
        ("id,x\n1\n", "line 2 has 1 cells; the header has 2"),
        ("id,x\n1,2,3\n", "line 2 has 3 cells"),
        ('id\n"open\n', "line 2 ends within a cell whose quotation mark is not closed"),
        ('id\n"a"b\n', "line 2 has text after a closing quotation mark"),
        ("id\r1\r2\r", f"ends with a carriage return alone; {SAVE_AS}"),
        ("id,x\n1\r2,3\n", f"line 2 ends with a carriage return alone; {SAVE_AS}"),
        ("id\n1\n2\n3\n4\n", "A call takes at most 3 rows"),
    ],
)
def test_malformed_csv_is_refused(text: str, reason: str) -> None:
    with pytest.raises(VaultFault) as refused:
        parse_csv(text.encode(), 3)
    assert reason in refused.value.error.message
    assert refused.value.error.type is ErrorType.INVALID_DATA


def test_what_spreadsheets_leave_behind_is_left_out() -> None:
    text = "id,x,,\n1,2,,\n,,,\n\n3,\n"
    assert parse_csv(text.encode(), 2) == [{"id": "1", "x": "2"}, {"id": "3", "x": ""}]


def test_text_that_is_not_utf_8_says_what_to_save() -> None:
    with pytest.raises(VaultFault) as refused:
        parse_csv("id\ngröße\n".encode("cp1252"), 3)
    assert SAVE_AS in refused.value.error.message


def test_no_rows() -> None:
    assert parse_csv(b"", 3) == []
    assert parse_csv(b"id,x\n", 3) == []


def test_results() -> None:
    errors = (
        ApiError(ErrorType.INVALID_DATA, "Bad, bad"),
        ApiError(ErrorType.PARAMETER_REQUIRED, "Missing"),
    )
    response = results_csv(
        [
            RowResult("1", CREATED, "=K"),
            RowResult(errors=errors),
            RowResult("2", warning="same"),
        ]
    )
    assert bytes(response.body).decode().splitlines() == [
        "responseStatus,id,event,id_param_value,errors",
        "SUCCESS,1,created__sys,=K,",
        'FAILURE,,,,"INVALID_DATA|Bad, bad',
        'PARAMETER_REQUIRED|Missing"',
        "WARNING,2,,,",
    ]
    assert response.headers["content-type"] == "text/csv;charset=UTF-8"
    assert response.headers["x-vaultapi-status"] == "WARNING"
