"""Reads CSV in batches of rows from a stream of bytes, and writes it."""

from __future__ import annotations

import asyncio
import codecs
import csv
import io
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Sequence,
)
from dataclasses import dataclass

import orjson

from shared.protocol.csv_cells import safe_cell
from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MAX_RECORD = 4 * 2**20  # characters of one row
MAX_COLUMNS = 1000
# Between them the event loop does other work: files are read in the background of calls.
STEP_BYTES = 2**18
STEP_LINES = 1000
# A failure log that has been corrected may be loaded again as it is.
LOG_COLUMNS = ("responseStatus", "errors")

csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a file; ``first`` is the number of the first of them, counted from 1."""

    first: int
    rows: list[list[str]]


class _Starved(Exception):
    """The lines at hand are not a whole row."""


class _Lines:
    """Yields complete lines of the text so far to the CSV reader, and those of an incomplete row again."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._taken: list[str] = []
        self._partial: list[str] = []
        self._size_of_lines = 0
        self.ended = False

    def add(self, text: str) -> None:
        """Take in what comes next."""
        self._size_of_lines += len(text)
        first, *others = text.split("\n")
        # Joined when the line is whole: a long one that comes in small pieces is copied once.
        self._partial.append(first)
        for line in others:
            self._ready.append("".join(self._partial) + "\n")
            self._partial = [line]

    def end(self) -> None:
        """Accept that nothing follows."""
        rest = "".join(self._partial)
        if rest:
            self._ready.append(rest)
        self._partial, self.ended = [], True

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
        """Accept the lines taken as a row."""
        self._size_of_lines -= sum(map(len, self._taken))
        self._taken.clear()

    def give_back(self) -> int:
        """Return the lines taken to the queue: they are only the beginning of a row.

        Return how many characters to read before the row is tried again.

        :raises VaultFault: INVALID_DATA when it is too long to be one.
        """
        self._ready.extendleft(reversed(self._taken))
        self._taken.clear()
        # An open quote would otherwise collect the whole file in memory.
        if self._size_of_lines > MAX_RECORD:
            message = f"A row has more than {MAX_RECORD} characters"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        # As many again: however small the chunks are, a row is read about twice in all.
        return min(self._size_of_lines, MAX_RECORD + 1 - self._size_of_lines)


class SheetReader:
    """Reads a CSV file: its header, then its rows in batches; a batch and a chunk of it are in memory at most."""

    def __init__(
        self,
        content: AsyncIterable[bytes],
        batch_size: int,
    ) -> None:
        self._content = _in_steps(content)
        self._size = batch_size
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._lines = _Lines()
        self._reader = csv.reader(self._lines, strict=True)
        self._row = self._line = 0
        self.header: list[str] = []

    async def read_header(self) -> list[str]:
        """Return the column names.

        :raises VaultFault: INVALID_DATA when names are missing or repeated, or too many.
        """
        names = await self._next() or []
        if len(names) > MAX_COLUMNS:
            raise _invalid(f"it has more than {MAX_COLUMNS} columns")
        self.header = [name.strip() for name in names]
        if not self.header or not all(self.header):
            raise _invalid("its first line does not name every column")
        if len(set(self.header)) != len(self.header):
            raise _invalid("a column name is repeated")
        return self.header

    async def close(self) -> None:
        """Close the stream of bytes, which a reader that ends early leaves open."""
        await self._content.aclose()

    async def skip(self, rows: int) -> None:
        """Pass over rows that have been read before."""
        while self._row < rows and await self._next() is not None:
            self._row += 1

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield the rows, each with as many cells as the header; empty lines are no rows.

        :raises VaultFault: INVALID_DATA where the file is not CSV; the rows before have been yielded by then.
        """
        rows: list[list[str]] = []
        # A fault waits until the rows before it are out: they are valid, and are loaded.
        fault: VaultFault | None = None
        while True:
            try:
                row = await self._next()
                self._check_width(row)
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

    def _check_width(self, row: list[str] | None) -> None:
        width = len(self.header)
        if row is not None and len(row) != width:
            number = self._row + 1
            message = f"row {number} has {len(row)} cells; the header has {width}"
            raise _invalid(message)

    async def _next(self) -> list[str] | None:
        """Return the next row that is not empty, None at the end."""
        while True:
            self._line += 1
            if self._line % STEP_LINES == 0:
                await asyncio.sleep(0)
            try:
                row = next(self._reader)
            except _Starved:
                wanted = self._lines.give_back()
                # A reader that was interrupted within a row begins it anew.
                self._reader = csv.reader(self._lines, strict=True)
                await self._more(wanted)
                continue
            except StopIteration:
                return None
            except csv.Error as error:
                raise _invalid(f"row {self._row + 1}: {error}") from error
            self._lines.accept()
            if row:
                return row

    async def _more(self, wanted: int) -> None:
        """Read at least one chunk, and on until there are ``wanted`` characters more, or the end."""
        try:
            while True:
                chunk = await anext(self._content, None)
                if chunk is None:
                    self._lines.add(self._decoder.decode(b"", final=True))
                    self._lines.end()
                    return
                text = self._decoder.decode(chunk)
                self._lines.add(text)
                wanted -= len(text)
                if wanted <= 0:
                    return
        except UnicodeDecodeError as error:
            raise _invalid("it is not UTF-8 text") from error


async def _in_steps(content: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes in chunks that take little time to read, and close their stream at the end."""
    try:
        async for chunk in content:
            for start in range(0, len(chunk), STEP_BYTES):
                yield chunk[start : start + STEP_BYTES]
    finally:
        if isinstance(content, AsyncGenerator):
            await content.aclose()


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet, lineterminator="\r\n")
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return sheet.getvalue()


def cell(value: object) -> str:
    """Return a value as the API writes it in CSV: lists joined by commas; formulas marked as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    if isinstance(value, list | tuple):
        return ",".join(cell(item) for item in value)
    # A number may begin with a sign.
    return safe_cell(value) if isinstance(value, str) else str(value)


def _invalid(reason: str) -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, f"The file is not valid CSV: {reason}")
