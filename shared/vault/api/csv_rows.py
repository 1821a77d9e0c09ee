"""Reads CSV bodies as rows within bounds, decoding them line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from shared.protocol.csv_columns import SAVE_AS, CsvColumns, CsvColumnsFault, is_blank
from shared.protocol.error_types import ErrorType
from shared.vault.api.body_limits import (
    MAX_COMMAS,
    MAX_EMPTY_LINES,
    MAX_HEADER,
    MAX_MEMBERS,
    MAX_ROW_BYTES,
    MAX_TEXT,
)
from shared.vault.api.json_rows import RowTally
from shared.vault.errors import VaultFault
from shared.vault.records.rows import too_many_rows

# A cell may be as long as its row; the reader would refuse it earlier, in words of its own.
csv.field_size_limit(MAX_ROW_BYTES)
# By a part of the reader's error; they follow the words "line 3".
SYNTAX_FAULTS = {
    "unexpected end of data": "ends within a cell whose quotation mark is not closed",
    "new-line character": f"ends with a carriage return alone; {SAVE_AS}",
    "expected after": 'has text after a closing quotation mark; write a quotation mark within a cell twice ("")',
}


def parse_csv(body: bytes, max_rows: int) -> list[dict[str, object]]:
    """Return the data rows of a CSV text (RFC 4180), by the names in its first line; cells are text.

    :raises VaultFault: INVALID_DATA when it is not CSV in UTF-8, names are missing or repeated, or rows, columns,
        empty lines or characters are too many.
    """
    lines = _Lines(body)
    reader = csv.reader(lines, strict=True)
    rows: list[dict[str, object]] = []
    tally = RowTally()
    empty = 0
    try:
        first_line = next(reader, None)
        if first_line is None:
            return []
        columns = _columns(first_line)
        for cells in _records(reader, lines):
            # Spreadsheets end files with empty lines, or with rows of commas only.
            if is_blank(cells):
                empty += 1
                if empty > MAX_EMPTY_LINES:
                    raise _not_csv(f"it has more than {MAX_EMPTY_LINES} empty lines")
                continue
            values = columns.cells(cells)
            _check_lengths(values, reader.line_num)
            # Stopped at the first row too many, before the rest of a large file is read.
            if len(rows) == max_rows:
                raise too_many_rows(max_rows)
            tally.add(values)
            rows.append(dict(zip(columns.names, values, strict=True)))
    except csv.Error as error:
        raise _not_csv(f"line {reader.line_num} {_in_words(error)}") from error
    except CsvColumnsFault as error:
        raise _not_csv(f"line {reader.line_num} {error}") from error
    except UnicodeDecodeError as error:
        raise _not_csv(f"it is not UTF-8 text; {SAVE_AS}") from error
    return rows


class _Lines:
    """Yields the lines of a body to the CSV reader, within the limit of characters of one record."""

    def __init__(self, body: bytes) -> None:
        self._text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="\n")
        # A header has names only.
        self._most = self._left = MAX_HEADER

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise _not_csv(f"a line has more than {self._most} characters")
        # Counted before the reader makes cells of them, all in one step.
        if line.count(",") > MAX_COMMAS:
            raise _not_csv(f"a line has more than {MAX_COMMAS} commas")
        if not line:
            raise StopIteration
        return line

    def end_record(self) -> None:
        """Reset the count of characters for the next record."""
        self._most = self._left = MAX_ROW_BYTES


def _records(reader: Iterator[list[str]], lines: _Lines) -> Iterator[list[str]]:
    """Yield the records after the header."""
    lines.end_record()
    for cells in reader:
        lines.end_record()
        yield cells


def _check_lengths(cells: Sequence[str], line: int) -> None:
    if any(len(cell) > MAX_TEXT for cell in cells):
        raise _not_csv(f"line {line} has a cell of more than {MAX_TEXT} characters")


def _columns(names: Sequence[str]) -> CsvColumns:
    """Return the columns of a header line.

    :raises VaultFault: INVALID_DATA when there are too many.
    :raises CsvColumnsFault: when a name is missing or repeated.
    """
    if len(names) > MAX_MEMBERS:
        raise _not_csv(f"it has more than {MAX_MEMBERS} columns")
    return CsvColumns(names)


def _not_csv(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The CSV cannot be read: {reason}")


def _in_words(error: csv.Error) -> str:
    """Return what is wrong with a line, in other words than the reader's, which are for programmers."""
    text = str(error)
    found = (words for part, words in SYNTAX_FAULTS.items() if part in text)
    return next(found, f"is not valid: {text}")
