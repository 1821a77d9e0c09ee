"""Reads CSV in batches of rows from a stream of bytes, and writes it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

import orjson

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MAX_RECORD = 4 * 2**20  # characters of one row
FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d.][\d.,\s]*\Z)")
# A failure log that has been corrected may be loaded again as it is.
LOG_COLUMNS = ("responseStatus", "errors")

csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a file; ``first`` is the number of the first of them, counted from 1."""

    first: int
    rows: list[list[str]]


class _Starved(Exception):
    """The lines at hand do not hold a whole row."""


class _Lines:
    """Complete lines of what has come so far, given to the CSV reader; those of an incomplete row are given again."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._taken: list[str] = []
        self._partial = ""
        self._held = 0
        self.ended = False

    def add(self, text: str) -> None:
        """Take in what comes next."""
        lines = (self._partial + text).split("\n")
        self._partial = lines.pop()
        self._ready.extend(f"{line}\n" for line in lines)
        self._held += len(text)

    def end(self) -> None:
        """Note that nothing follows."""
        if self._partial:
            self._ready.append(self._partial)
        self._partial, self.ended = "", True

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if not self._ready:
            if self.ended:
                raise StopIteration
            raise _Starved
        line = self._ready.popleft()
        self._taken.append(line)
        return line

    def accept(self) -> None:
        """Forget the lines taken: they made a row."""
        self._held -= sum(map(len, self._taken))
        self._taken.clear()

    def give_back(self) -> None:
        """The lines taken are the beginning of a row; raises VaultFault when it is too long to be one."""
        self._ready.extendleft(reversed(self._taken))
        self._taken.clear()
        if self._held > MAX_RECORD:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"A row has more than {MAX_RECORD} characters"
            )


class SheetReader:
    """A CSV file: its header, then its rows in batches; never more of it in memory than a batch and a chunk."""

    def __init__(self, content: AsyncIterable[bytes], batch_size: int) -> None:
        self._content = aiter(content)
        self._size = batch_size
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._lines = _Lines()
        self._reader = csv.reader(self._lines, strict=True)
        self._row = 0
        self.header: list[str] = []

    async def read_header(self) -> list[str]:
        """Return the column names."""
        self.header = [name.strip() for name in await self._next() or []]
        if not self.header or not all(self.header):
            raise _invalid("its first line does not name every column")
        if len(set(self.header)) != len(self.header):
            raise _invalid("a column name is repeated")
        return self.header

    async def skip(self, rows: int) -> None:
        """Pass over rows that have been read before."""
        while self._row < rows and await self._next() is not None:
            self._row += 1

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield the rows, each with as many cells as the header; empty lines are no rows.

        :raises VaultFault: INVALID_DATA where the file is not CSV; the rows before have been given by then.
        """
        rows: list[list[str]] = []
        fault: VaultFault | None = None
        while True:
            try:
                row = await self._next()
                if row is not None and len(row) != len(self.header):
                    message = f"row {self._row + 1} has {len(row)} cells; the header has {len(self.header)}"
                    raise _invalid(message)
            except VaultFault as error:
                row, fault = None, error
            if row is not None:
                rows.append(row)
                self._row += 1
            if rows and (row is None or len(rows) == self._size):
                yield Batch(self._row - len(rows) + 1, rows)
                rows = []
            if fault is not None:
                raise fault
            if row is None:
                return

    async def _next(self) -> list[str] | None:
        """Return the next row that is not empty, None at the end."""
        while True:
            try:
                row = next(self._reader)
            except _Starved:
                self._lines.give_back()
                # A reader that was interrupted within a row begins it anew.
                self._reader = csv.reader(self._lines, strict=True)
                await self._more()
                continue
            except StopIteration:
                return None
            except csv.Error as error:
                raise _invalid(f"row {self._row + 1}: {error}") from error
            self._lines.accept()
            if row:
                return row

    async def _more(self) -> None:
        chunk = await anext(self._content, None)
        try:
            if chunk is None:
                self._lines.add(self._decoder.decode(b"", final=True))
                self._lines.end()
            else:
                self._lines.add(self._decoder.decode(chunk))
        except UnicodeDecodeError as error:
            raise _invalid("it is not UTF-8 text") from error


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text."""
    sheet = io.StringIO(newline="")
    csv.writer(sheet, lineterminator="\r\n").writerows(
        [cell(value) for value in row] for row in rows
    )
    return sheet.getvalue()


def cell(value: object) -> str:
    """Return a value as the API writes it in CSV: lists joined by commas; a text that a spreadsheet would run is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    if isinstance(value, list | tuple):
        return ",".join(cell(item) for item in value)
    text = str(value)
    return f"'{text}" if isinstance(value, str) and FORMULA.match(text) else text


def _invalid(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The file is not valid CSV: {reason}")
