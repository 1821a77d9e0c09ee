"""Reads CSV in batches of rows from a stream of bytes, and writes rows as CSV."""

from __future__ import annotations

import asyncio
import codecs
import csv
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field

import orjson

from shared.protocol.csv_cells import exact_csv_text
from shared.protocol.csv_columns import SAVE_AS, CsvColumns, CsvColumnsFault, is_blank
from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError, VaultFault

MAX_RECORD = 4 * 2**20  # characters of one row
TOO_LONG = f"it has more than {MAX_RECORD} characters"
MAX_COLUMNS = 1000
# Between them the event loop does other work: files are read in the background of calls.
STEP_BYTES = 2**18
STEP_LINES = 1000
# A failure log that has been corrected may be loaded again as it is.
LOG_COLUMNS = ("responseStatus", "errors")

csv.field_size_limit(MAX_RECORD)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a file, each with as many cells as the header has names.

    ``first`` is the number of the first row, counted from 1; ``faults`` are the errors of rows that cannot be loaded,
    by position in ``rows``.
    """

    first: int
    rows: list[list[str]]
    faults: Mapping[int, ApiError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Record:
    """One row as in the file; ``fault`` is the text of its error, which follows the words "row 3"."""

    cells: list[str]
    fault: str | None = None


class _IncompleteRow(Exception):
    """Raised when the lines read so far end within a row."""


class _Lines:
    """Yields complete lines to the CSV reader; yields those of an incomplete row again when more text has come."""

    def __init__(self) -> None:
        self._ready: deque[str] = deque()
        self._taken: list[str] = []
        self._partial: list[str] = []
        self._size_of_lines = 0
        self._passing = False  # over the rest of a line that is too long
        self.ended = False

    def add(self, text: str) -> None:
        """Append the next part of the text."""
        if self._passing:
            _, end, text = text.partition("\n")
            self._passing = not end
        self._size_of_lines += len(text)
        first, *others = text.split("\n")
        # Joined when the line is whole: a long one that comes in small pieces is copied once.
        self._partial.append(first)
        for line in others:
            self._ready.append("".join(self._partial) + "\n")
            self._partial = [line]

    def end(self) -> None:
        """Note that no more text follows."""
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
            raise _IncompleteRow
        line = self._ready.popleft()
        self._taken.append(line)
        return line

    def accept(self) -> None:
        """Remove the lines that the CSV reader has taken, since they are a whole row."""
        self._size_of_lines -= sum(map(len, self._taken))
        self._taken.clear()

    def give_back(self) -> int:
        """Put the yielded lines back, since they are only the beginning of a row.

        Return how many characters to read before the row is tried again.
        """
        self._ready.extendleft(reversed(self._taken))
        self._taken.clear()
        # As many again: however small the chunks are, a row is read about twice in all.
        return min(self._size_of_lines, MAX_RECORD + 1 - self._size_of_lines)

    @property
    def too_long(self) -> bool:
        """Return whether the yielded lines are too long for one row."""
        # An open quote would otherwise collect the whole file in memory.
        return self._size_of_lines > MAX_RECORD

    def give_up(self) -> int:
        """Skip the yielded lines, or else the line that has no end yet; return how many of them are not empty."""
        passed = sum(bool(line.strip(",\r\n")) for line in self._taken)
        if not self._taken:
            self._size_of_lines -= sum(map(len, self._partial))
            self._partial, self._passing = [], True
            passed = 1
        self.accept()
        return passed


class SheetReader:
    """Reads a CSV file: its header, then its rows in batches; at most a batch and a chunk of it are in memory."""

    def __init__(
        self,
        content: AsyncIterable[bytes],
        batch_size: int,
    ) -> None:
        self._content = _in_steps(content)
        self._size = batch_size
        # Bytes that are not UTF-8 become characters that no UTF-8 text has: only their rows fail.
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._lines = _Lines()
        self._reader = csv.reader(self._lines, strict=True)
        self._row = self._line = 0
        # Of lines that could not be read: how many are still to be counted as rows, and why.
        self._unread = 0
        self._reason = ""
        self._columns: CsvColumns | None = None
        self._refusal: ApiError | None = None

    async def read_header(self) -> list[str]:
        """Return the column names; columns without a name are left out.

        After a failure, every row of the file has this error.

        :raises VaultFault: INVALID_DATA when names are missing or repeated, or the file is not CSV in UTF-8.
        """
        record = await self._next() or _Record([])
        try:
            if record.fault is not None:
                raise CsvColumnsFault(record.fault)
            if len(record.cells) > MAX_COLUMNS:
                raise CsvColumnsFault(f"has more than {MAX_COLUMNS} columns")
            self._columns = CsvColumns(record.cells)
        except CsvColumnsFault as error:
            message = f"The file {error}"
            self._refusal = ApiError(ErrorType.INVALID_DATA, message)
            raise VaultFault(self._refusal.type, message) from error
        return self._columns.names

    async def close(self) -> None:
        """Close the stream of bytes, which a reader that ends early leaves open."""
        await self._content.aclose()

    async def skip(self, rows: int) -> None:
        """Skip rows that have been read before."""
        while self._row < rows and await self._next() is not None:
            self._row += 1

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield all rows, also those that cannot be loaded; empty lines and rows of commas only are skipped."""
        rows: list[list[str]] = []
        faults: dict[int, ApiError] = {}
        while record := await self._next():
            self._row += 1
            cells, fault = self._checked(record)
            if fault is not None:
                faults[len(rows)] = fault
            rows.append(cells)
            if len(rows) == self._size:
                yield Batch(self._row - len(rows) + 1, rows, faults)
                rows, faults = [], {}
        if rows:
            yield Batch(self._row - len(rows) + 1, rows, faults)

    def _checked(self, record: _Record) -> tuple[list[str], ApiError | None]:
        """Return the cells of the columns, and the error of the row, if any."""
        if self._columns is None:
            return [], self._refusal
        try:
            if record.fault is not None:
                raise CsvColumnsFault(record.fault)
            return self._columns.cells(record.cells), None
        except CsvColumnsFault as error:
            message = f"The file is not valid CSV: row {self._row} {error}"
            fault = ApiError(ErrorType.INVALID_DATA, message)
            return self._columns.present_cells(record.cells), fault

    async def _next(self) -> _Record | None:
        """Return the next row that is not empty; None at the end."""
        while True:
            self._line += 1
            if self._line % STEP_LINES == 0:
                await asyncio.sleep(0)
            if self._unread:
                self._unread -= 1
                return _Record([], self._reason)
            try:
                cells = next(self._reader)
            except _IncompleteRow:
                await self._more()
                continue
            except StopIteration:
                return None
            except csv.Error as error:
                self._give_up(_explained(error))
                continue
            self._lines.accept()
            # A file in UTF-16 ends with half a character.
            if not is_blank(cells) and cells != ["\x00"]:
                return _written(cells)

    def _give_up(self, reason: str) -> None:
        """Read each line of a row that cannot be parsed as a faulty row, since the end of the row is unknown."""
        self._unread = self._lines.give_up()
        is_one = self._unread == 1 or self._columns is None
        place = "" if is_one else f", in a text that begins in row {self._row + 1}"
        self._reason = f"cannot be read: {reason}{place}"
        self._reader = csv.reader(self._lines, strict=True)

    async def _more(self) -> None:
        """Read more of a row whose end is missing, unless the row is too long."""
        if self._lines.too_long:
            self._give_up(TOO_LONG)
            return
        wanted = self._lines.give_back()
        # A reader that was interrupted within a row begins it anew.
        self._reader = csv.reader(self._lines, strict=True)
        await self._read(wanted)

    async def _read(self, wanted: int) -> None:
        """Read at least one chunk, and more until ``wanted`` further characters are read or the content ends."""
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


def _explained(error: csv.Error) -> str:
    """Return an error of the CSV reader in plain words."""
    text = str(error)
    if text.startswith("unexpected end of data"):
        return "a quote is opened and not closed"
    if text.startswith("new-line character"):
        return f"its line ends with a carriage return alone; {SAVE_AS}"
    return TOO_LONG if text.startswith("field larger") else text


def _written(cells: list[str]) -> _Record:
    """Return a row; characters that cannot be stored are replaced, and make it faulty."""
    text = "".join(cells)
    if "\x00" in text:
        fault = "has the NUL character"
    elif not _is_unicode(text):
        fault = "is not UTF-8 text"
    else:
        return _Record(cells)
    return _Record([_marked(each) for each in cells], f"{fault}; {SAVE_AS}")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _marked(text: str) -> str:
    """Return a text with the replacement character in place of each character that cannot be stored."""
    data = text.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "replace").replace("\x00", "\ufffd")


async def _in_steps(content: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the bytes in small chunks, between which the event loop runs, and close their stream at the end."""
    try:
        async for chunk in content:
            for start in range(0, len(chunk), STEP_BYTES):
                yield chunk[start : start + STEP_BYTES]
    finally:
        if isinstance(content, AsyncGenerator):
            await content.aclose()


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text that a load reads as the same values."""
    return exact_csv_text([cell(value) for value in row] for row in rows)


def cell(value: object) -> str:
    """Return a value as the API writes it in CSV: lists joined by commas."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, orjson.Fragment):
        return orjson.dumps(value).decode()
    if isinstance(value, list | tuple):
        return ",".join(cell(item) for item in value)
    return str(value)
