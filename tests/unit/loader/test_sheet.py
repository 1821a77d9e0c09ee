"""CSV as a stream: any division of the bytes gives the same rows, and little of a file is in memory."""

from __future__ import annotations

import asyncio
import csv
import io
import tracemalloc
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.loader import sheet
from shared.vault.loader.sheet import Batch, SheetReader, cell, lines


async def cut(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(
    data: bytes, size: int = 7, batch: int = 3, skip: int = 0
) -> tuple[list[str], list[Batch]]:
    reader = SheetReader(cut(data, size), batch)
    header = await reader.read_header()
    await reader.skip(skip)
    return header, [batch async for batch in reader.batches()]


CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(CELLS, min_size=width, max_size=width), min_size=0, max_size=12
    )
)


@given(TABLES, st.integers(1, 40), st.sampled_from(["\n", "\r\n"]), st.booleans())
async def test_any_cut_gives_the_same_rows(
    table: Sequence[list[str]], size: int, end: str, mark: bool
) -> None:
    width = len(table[0]) if table else 1
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [[f"c{n}" for n in range(width)], *table]
    )
    data = text.getvalue().encode("utf-8-sig" if mark else "utf-8")
    header, batches = await read(data, size)
    assert header == [f"c{n}" for n in range(width)]
    rows = [row for row in table if any(row)]
    assert [row for batch in batches for row in batch.rows] == rows
    assert [batch.first for batch in batches] == list(range(1, len(rows) + 1, 3))


async def test_skipped_rows_keep_their_numbers() -> None:
    _, batches = await read(b"a,b\n1,2\n\n3,4\n5,6\n7,8\n", skip=2)
    assert batches == [Batch(3, [["5", "6"], ["7", "8"]])]
    assert (await read(b"a\n1\n", skip=9))[1] == []


async def test_the_last_line_needs_no_end_and_quotes_may_stand_in_a_cell() -> None:
    _, batches = await read(b'a,b\n5" pipe,x\n"two\nlines","say ""so"""', size=3)
    assert batches[0].rows == [['5" pipe', "x"], ["two\nlines", 'say "so"']]


SAVE_AS = "save it as CSV UTF-8 (comma delimited)"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no column names"),
        (b",,\n", "no column names"),
        (b"a,b,a\n", "repeated"),
        (b"a;b\n1;2\n", f"separated by semicolons; {SAVE_AS}"),
        (b"a\tb\n1\t2\n", f"separated by tabs; {SAVE_AS}"),
        ("a,b\n1,2\n".encode("utf-16"), SAVE_AS),
        ("a,b\n1,2\n".encode("utf-16-be"), SAVE_AS),
        ("a,größe\n1,2\n".encode("cp1252"), f"not UTF-8 text; {SAVE_AS}"),
        (b"a,b\r1,2\r", SAVE_AS),
        (b"PK\x03\x04\x14\x00\x06\x00", SAVE_AS),
        (b"PK\x03\x04\x14", SAVE_AS),
        (b"<html><table><tr><td>a</td></tr></table></html>", SAVE_AS),
        (b"sep=,\na,b\n", f"no column names but sep=,; {SAVE_AS}"),
        (b'a,"b\n1,2\n', "a quote is opened and not closed"),
    ],
)
async def test_a_first_line_without_columns_fails_every_row(
    data: bytes, reason: str
) -> None:
    reader = SheetReader(cut(data, 5), 3)
    with pytest.raises(VaultFault) as raised:
        await reader.read_header()
    assert raised.value.error.type is ErrorType.INVALID_DATA
    assert reason in raised.value.error.message
    batches = [batch async for batch in reader.batches()]
    faults = [fault for batch in batches for fault in batch.faults.values()]
    assert faults == [raised.value.error] * (data.count(b"\n") == 2)
    assert all(cells == [] for batch in batches for cells in batch.rows)


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,b,,\n1,2,,\n", [["1", "2"]]),
        (b"a,b,,\n1,2\n3,4,\n5,6,,,,\n", [["1", "2"], ["3", "4"], ["5", "6"]]),
        (b"a,,b\n1,,2\n", [["1", "2"]]),
        (b"a,b\n1,2,,\n", [["1", "2"]]),
        (b",,\na,b,\n,,\n1,2,\n,\n,,,,,\n", [["1", "2"]]),
        (b'a\n""\n1\n', [["1"]]),
    ],
)
async def test_what_spreadsheets_leave_behind_is_neither_column_nor_row(
    data: bytes, rows: Sequence[list[str]]
) -> None:
    header, batches = await read(data)
    assert header == ["a", "b"][: len(rows[0])]
    assert [row for batch in batches for row in batch.rows] == rows
    assert not any(batch.faults for batch in batches)


@pytest.mark.parametrize(
    ("line", "cells", "reason"),
    [
        (b"1", ["1", ""], "row 2 has 1 cells; the header has 2"),
        (b"1,2,3", ["1", "2"], "row 2 has 3 cells; the header has 2"),
        (b"1,2,,3", ["1", "2"], "row 2 has 4 cells; the header has 2"),
        (b'"1"x,2', ["", ""], "row 2 cannot be read"),
        (b"1\r2,3", ["", ""], f"a carriage return alone; {SAVE_AS}"),
        (b"1\x00,2", ["1\ufffd", "2"], "row 2 has the NUL character"),
        (b"M\xfcller,2", ["M\ufffdller", "2"], f"row 2 is not UTF-8 text; {SAVE_AS}"),
        (
            b"x" * 200 + b",2",
            ["", ""],
            "row 2 cannot be read: it has more than 4194304",
        ),
        (b'"' + b"x" * 200 + b'",2', ["", ""], "it has more than 4194304 characters"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_row_that_cannot_be_loaded_is_one_row(
    monkeypatch: pytest.MonkeyPatch,
    line: bytes,
    cells: list[str],
    reason: str,
    size: int,
) -> None:
    monkeypatch.setattr(sheet, "MAX_RECORD", 99)
    limit = csv.field_size_limit(99)
    try:
        data = b"a,b\nbefore,1\n" + line + b"\nafter,3\n"
        _, batches = await read(data, size, batch=9)
    finally:
        csv.field_size_limit(limit)
    (batch,) = batches
    assert batch.rows[:1] + batch.rows[2:] == [["before", "1"], ["after", "3"]]
    (fault,) = batch.faults.values()
    assert list(batch.faults) == [1]
    assert fault.type is ErrorType.INVALID_DATA
    assert batch.rows[1] == cells
    assert reason in fault.message


async def test_a_value_in_a_column_without_a_name_fails_its_row() -> None:
    _, (batch,) = await read(b"a,,b\n1,x,2\n3,,4\n")
    assert batch.rows == [["1", "2"], ["3", "4"]]
    assert "row 1 has a value in column 2" in batch.faults[0].message


LINES = {
    "good": b"1,2",
    "short": b"1",
    "long": b"1,2,3",
    "nul": b"1\x00,2",
    "not_utf8": b"\xff,2",
    "open": b'1,"2',
    "opened first": b'"1,2',
    "closed": b'1,"2"',
    "after quote": b'"1"x,2',
    "carriage return": b"1\r2,3",
    "endless": b"9" * 150,
    "empty": b"",
    "commas": b",,,",
}
BLANK = ("empty", "commas")


@given(
    st.lists(st.sampled_from(list(LINES)), max_size=12),
    st.integers(1, 60),
    st.integers(1, 4),
    st.booleans(),
)
async def test_every_line_is_one_row_whatever_is_in_it(
    kinds: list[str], size: int, batch: int, ended: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "MAX_RECORD", 99)
        data = b"a,b\n" + b"\n".join(LINES[kind] for kind in kinds) + b"\n" * ended
        _, batches = await read(data, size, batch)
        whole = [row for each in batches for row in each.rows]
        # From any place on, for a load that is interrupted.
        _, rest = await read(data, size, batch, skip=2)
    # A quoted text of several lines is one row; here it is closed by the line "closed" alone.
    joined = sum(kind in ("open", "opened first") for kind in kinds)
    lines_with_text = sum(kind not in BLANK for kind in kinds)
    if joined:
        assert len(whole) <= lines_with_text
    else:
        assert len(whole) == lines_with_text
        good = [kind in ("good", "closed") for kind in kinds if kind not in BLANK]
        found = [place not in b.faults for b in batches for place in range(len(b.rows))]
        assert found == good
    assert [each.first for each in batches] == list(range(1, len(whole) + 1, batch))
    assert [row for each in rest for row in each.rows] == whole[2:]


@pytest.mark.parametrize("size", [3, 1000])
async def test_no_line_after_an_open_quote_is_written_and_each_is_a_row(
    size: int,
) -> None:
    data = b"a,b\n1,1\n" + b'2,"2\n' + b"3,3\n\n,,\n4,4\n5,5"
    _, batches = await read(data, size, batch=9)
    (batch,) = batches
    assert len(batch.rows) == 5
    assert list(batch.faults) == [1, 2, 3, 4]
    assert "in a text that begins in row 2" in batch.faults[4].message


async def test_reading_goes_on_after_a_row_that_is_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheet, "MAX_RECORD", 10_000)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'a\n"'
        while True:
            taken += 1000
            yield b"x\n" * 500

    reader = SheetReader(endless(), 3)
    await reader.read_header()
    batch = await anext(reader.batches())
    assert list(batch.faults) == [0, 1, 2]
    assert "more than 4194304 characters" in batch.faults[0].message
    assert taken <= 12_000
    later = [len((await anext(reader.batches())).faults) for _ in range(2000)]
    assert later[-1] == 0


async def test_a_hundred_thousand_rows_in_flat_memory() -> None:
    rows, chunk = 100_000, 64 * 1024
    produced = 0

    async def file() -> AsyncIterator[bytes]:
        nonlocal produced
        buffer = b"id,name__v,note__c\n"
        for number in range(rows):
            buffer += b'%d,Account %d,"a note, with a comma"\n' % (number, number)
            if len(buffer) >= chunk:
                produced += len(buffer)
                yield buffer
                buffer = b""
        produced += len(buffer)
        yield buffer

    reader = SheetReader(file(), 500)
    await reader.read_header()
    seen = consumed = 0
    tracemalloc.start()
    try:
        async for batch in reader.batches():
            seen += len(batch.rows)
            consumed += sum(len(",".join(row)) + 3 for row in batch.rows)
            # Never more read ahead than what one chunk holds.
            assert produced - consumed < 2 * chunk
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seen == rows
    assert peak < 3 * 2**20
    assert produced > 3 * 2**20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (12.5, "12.5"),
        (-3, "-3"),
        (["a__c", "b__c"], "a__c,b__c"),
        ("-5", "-5"),
        ("+33 1 23", "+33 1 23"),
        ("-5.25", "-5.25"),
        ("=1+1", "=1+1"),
        ("+cmd|' /C calc'!A0", "+cmd|' /C calc'!A0"),
        ("-2+3+cmd", "-2+3+cmd"),
        ("@SUM(A1)", "@SUM(A1)"),
        ("\tx", "\tx"),
        ("a=b", "a=b"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


@given(TABLES)
async def test_a_load_reads_the_values_of_an_extract(table: list[list[str]]) -> None:
    width = len(table[0]) if table else 1
    header = [f"c{n}" for n in range(width)]
    _, batches = await read(lines([header, *table]).encode(), size=64)
    rows = [row for row in table if any(row)]
    assert [row for batch in batches for row in batch.rows] == rows


def test_lines_are_rfc_4180() -> None:
    assert lines([("a", "b"), ('x,"y"', ["p", "q"])]) == 'a,b\r\n"x,""y""","p,q"\r\n'


async def test_too_many_columns_are_no_header() -> None:
    header = ",".join(f"c{number}" for number in range(sheet.MAX_COLUMNS + 1))
    with pytest.raises(VaultFault, match="more than 1000 columns"):
        await read(header.encode(), size=4096)


async def test_other_work_is_done_while_a_file_of_empty_lines_is_read() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    # One chunk, as the store gives it: nothing is waited for while it is read.
    data = b"a\n" + b"\n" * 100_000
    _, batches = await read(data, size=len(data))
    counting.cancel()
    assert batches == []
    assert turns >= 100_000 // sheet.STEP_LINES
