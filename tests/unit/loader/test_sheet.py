"""CSV as it streams by: any cut of the bytes gives the same rows, and little of a file is ever in memory."""

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
    assert [row for batch in batches for row in batch.rows] == list(table)
    assert [batch.first for batch in batches] == list(range(1, len(table) + 1, 3))


async def test_skipped_rows_keep_their_numbers() -> None:
    _, batches = await read(b"a,b\n1,2\n\n3,4\n5,6\n7,8\n", skip=2)
    assert batches == [Batch(3, [["5", "6"], ["7", "8"]])]
    assert (await read(b"a\n1\n", skip=9))[1] == []


async def test_the_last_line_needs_no_end_and_quotes_may_stand_in_a_cell() -> None:
    _, batches = await read(b'a,b\n5" pipe,x\n"two\nlines","say ""so"""', size=3)
    assert batches[0].rows == [['5" pipe', "x"], ["two\nlines", 'say "so"']]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not name every column"),
        (b"a,,b\n", "does not name every column"),
        (b"a,b,a\n", "repeated"),
        (b"a,b\n1\n", "row 1 has 1 cells"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has 3 cells"),
        (b'a\n"open', "row 1"),
        (b'a\n"x"y\n', "row 1"),
        (b"a\n\xff\xfe\n", "UTF-8"),
    ],
)
async def test_what_is_not_csv(data: bytes, reason: str) -> None:
    with pytest.raises(VaultFault, match=reason) as raised:
        await read(data)
    assert raised.value.error.type is ErrorType.INVALID_DATA


async def test_the_rows_before_a_fault_are_read() -> None:
    reader = SheetReader(cut(b"a\n1\n2\n3\n4\n5\n\xff\n", 4), 3)
    await reader.read_header()
    seen: list[list[str]] = []

    async def read_all() -> None:
        async for batch in reader.batches():
            seen.extend(batch.rows)

    with pytest.raises(VaultFault):
        await read_all()
    assert seen == [["1"], ["2"], ["3"], ["4"], ["5"]]


async def test_a_row_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(VaultFault, match="characters"):
        await anext(reader.batches())
    assert taken <= 12_000


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
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3+cmd", "'-2+3+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("a=b", "a=b"),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


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
